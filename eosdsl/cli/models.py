"""`eosdsl models`: the models whose configs ship with the package."""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eosdsl.cli.console import say
from eosdsl.cli.options import Color, ColorMode, Quiet, Verbose

if TYPE_CHECKING:
    from eosdsl.models.facts import ModelFacts

EXAMPLES = """
eosdsl models                        a table of all that are known by name
eosdsl models ./my-llava             what eosdsl sees in a folder
eosdsl models --output-format json   for programs
"""


class TableFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


_HEAD = ("model", "family", "visual tokens", "decoder layers", "width", "rope", "tower layers", "CLS", "known as")


def command(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="MODEL", help="Names, folders or hub ids.", show_default=False)
    ] = None,
    output_format: Annotated[TableFormat, typer.Option("--output-format", help="How they are printed.")] = (
        TableFormat.TEXT
    ),
    color: Color = ColorMode.AUTO,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """List the models that --model knows by name, or show what is known of the models given.

    Any other LLaVA-like model works too: give its folder or hub id.
    """
    from eosdsl.models.registry import facts, names

    known: dict[ModelFacts, list[str]] = {}
    for name in models or names():
        known.setdefault(facts(name), []).append(name)
    if output_format is TableFormat.JSON:
        rows: list[Any] = [one.model_dump(mode="json") | {"names": called} for one, called in known.items()]
        say(json.dumps({"version": 1, "models": rows}, indent=2))
        return
    say(table([_HEAD, *(_row(one, called) for one, called in known.items())]))
    remarks = [f"{', '.join(named)}: {sentence}" for sentence, named in _remarks(known).items()]
    if remarks:
        say("\n" + "\n".join(remarks))


def _row(facts: ModelFacts, called: list[str]) -> tuple[str, ...]:
    tower = facts.encoder
    return (
        facts.name,
        facts.family,
        str(facts.visual_tokens) + ("" if facts.grid else " (varies)"),
        str(facts.decoder.layers or "-"),
        str(facts.decoder.width),
        _rope(facts),
        f"{tower.layers_run} of {tower.layers}" if tower else "-",
        ("yes" if tower.has_cls else "no") if tower else "-",
        ", ".join(name for name in called if name != facts.name),
    )


def _rope(facts: ModelFacts) -> str:
    """What positions are: one number or three, and how far layers see that slide over them."""
    decoder = facts.decoder
    if not decoder.layers:
        return "-"
    if not decoder.sliding_layers or decoder.window is None:
        return decoder.rope
    return f"{decoder.rope}, {len(decoder.sliding_layers)} layers see {decoder.window:,}"


def _remarks(known: Iterable[ModelFacts]) -> dict[str, list[str]]:
    """What cannot be compiled, and why, and what to know of the counts: each sentence with the models it is about."""
    from eosdsl.models.registry import profile_for

    told: dict[str, list[str]] = {}
    for facts in known:
        sentences = [f"not compiled yet: {one}" for one in facts.unsupported]
        if facts.tower_refused:
            sentences.append(f"no reductions in the vision tower or at its output: {facts.tower_refused}")
        side = facts.projector.merge if facts.projector else 1
        if side > 1 and not facts.tower_refused:
            sentences.append(f"a token is {side} by {side} patches in the vision tower too: they go or stay together")
        for sentence in (*sentences, *profile_for(facts).notes):
            told.setdefault(sentence, []).append(facts.name)
    return told


def table(rows: list[tuple[str, ...]]) -> str:
    """Columns side by side; a column of numbers is set to the right."""
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [all(cell.isdigit() for cell in column[1:]) for column in columns]
    lines = [
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in rows
    ]
    return "\n".join(lines)
