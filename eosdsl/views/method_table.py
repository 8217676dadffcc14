"""The table of published methods as compositions, read from `specs/methods/`.

`python -m eosdsl.views.method_table PAGE` puts it into a page, between its two marks; `--check` only says whether the
page is up to date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from eosdsl.ir.nodes import Amount, Bookkeeping, Budget, DiscreteProgram, Group, LayerRef, Mix, Where
from eosdsl.ir.quantities import Call, Open, Quantity, Word
from eosdsl.ir.spell import spell_call, spell_score, spell_value
from eosdsl.operators.regimes import regime
from eosdsl.parsing import parse
from eosdsl.resources import resource

OPENS, CLOSES = "<!-- table of methods: generated -->", "<!-- end of the table -->"


def table() -> str:
    """Markdown, a row for every group of every statement of every method."""
    lines = [
        "| method | site | retains | by | pick | via | with | α | τ |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for path in sorted(resource("specs").glob("methods/*.eos")):
        program = parse(path)
        assert isinstance(program, DiscreteProgram), "methods leave nothing open"
        lines += rows(program)
    return "\n".join(lines)


def rows(program: DiscreteProgram) -> Iterator[str]:
    """The rows of one method; its name and sites stand in the first row that they are said in."""
    shown = f"`{program.name}`"
    for step in program.steps:
        place, options = where(step.where), bookkeeping(step.bookkeeping)
        for group in step.groups:
            cells = (shown, place, *_group(group), options, *_regime(group))
            yield "| " + " | ".join(cell or " " for cell in cells) + " |"
            shown = place = options = ""


def where(site: Where) -> str:
    """`layers 8, 16, 24`, `encoder output`."""
    if site.stream == "encoder_output":
        return "encoder output"
    tower = "encoder " if site.stream == "encoder" else ""
    after = " after attention" if site.after_attention else ""
    names = [_layer(ref) for ref in site.layers]
    if tower == "" and names == ["0"] and not after:
        return "input"
    if site.gradual or _in_a_row(site.layers):
        word = "layer" if site.gradual else "layers"
        return f"{tower}{word} {names[0]}..{names[-1]}{after}"
    return f"{tower}{'layer' if len(names) == 1 else 'layers'} {', '.join(names)}{after}"


def bookkeeping(options: Bookkeeping) -> str:
    """What is not the default."""
    plain = Bookkeeping()
    said = [f"positions: {options.positions}"] if options.positions != plain.positions else []
    said += [f"order: {options.order}"] if options.order != plain.order else []
    bias = options.attention_bias.strength
    if isinstance(bias, Word):
        said.append(f"attention_bias: {bias.name}")
    elif isinstance(bias, Quantity) and bias.value:
        said.append(
            "attention_bias: log_size" if bias.value == 1 else f"attention_bias: {spell_value(bias)} * log_size"
        )
    said += [f"{name}: {spell_value(value)}" for name, value in options.extra]
    return ", ".join(said)


def _group(group: Group) -> tuple[str, str, str, str]:
    score = "" if group.score is None else f"`{spell_score(group.score)}`"
    pick = group.pick if isinstance(group.pick, Call) else None
    return _budget(group.budget), score, f"`{spell_call(pick)}`" if pick else "?", f"`{_behaviour(group)}`"


def _behaviour(group: Group) -> str:
    if isinstance(group.behaviour, Mix):
        parts = (f"{spell_value(part.share)} {spell_call(part.behaviour)}" for part in group.behaviour.parts)
        return f"mix({', '.join(parts)})"
    return spell_call(group.behaviour) if isinstance(group.behaviour, Call) else "?"


def _budget(budget: Budget) -> str:
    start = f"{_amount(budget.start)} → " if budget.start else ""
    along = f" along {spell_call(budget.curve)}" if budget.curve else ""
    if budget.verb == "remove" and isinstance(budget.amounts[0].value, Word):
        return "none"
    verb = "" if budget.verb == "retain" else "all but "
    return verb + start + ", ".join(map(_amount, budget.amounts)) + along


def _amount(amount: Amount) -> str:
    of = " of incoming" if amount.of == "incoming" else ""
    if isinstance(amount.value, Open):
        return "?"
    shown = spell_value(amount.value)
    return shown + of


def _regime(group: Group) -> tuple[str, str]:
    found = regime(group.behaviour)
    if found is None:
        return "?", "?"
    temperature = found.temperature
    return f"{found.alpha:g}", "–" if temperature is None else "∞" if temperature == float(
        "inf"
    ) else f"{temperature:g}"


def _layer(ref: LayerRef) -> str:
    return str(ref.index) if ref.index is not None else f"depth {ref.depth}"


def _in_a_row(layers: tuple[LayerRef, ...]) -> bool:
    numbers = [ref.index for ref in layers]
    first = numbers[0]
    return len(numbers) > 2 and first is not None and numbers == list(range(first, first + len(numbers)))


def main(arguments: list[str]) -> int:
    """0: up to date or written; 1: out of date; 2: no such page, or no marks in it."""
    check = "--check" in arguments
    pages = [Path(one) for one in arguments if one != "--check"]
    if len(pages) != 1 or not pages[0].is_file():
        print("usage: python -m eosdsl.views.method_table [--check] PAGE", file=sys.stderr)
        return 2
    text = pages[0].read_text(encoding="utf-8")
    if OPENS not in text or CLOSES not in text:
        print(f"error: {pages[0]} has no place for the table: {OPENS} … {CLOSES}", file=sys.stderr)
        return 2
    before, after = text[: text.index(OPENS) + len(OPENS)], text[text.index(CLOSES) :]
    fresh = f"{before}\n\n{table()}\n\n{after}"
    if check:
        return int(fresh != text)
    pages[0].write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
