"""A difference of programs for people, and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

from eosdsl.views.difference import Difference, FieldChange, Figure, Run, StepChange
from eosdsl.views.plan_table import amount, size

VERSION = 1
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def difference_text(difference: Difference) -> str:
    """Steps, tokens, costs and properties, each as a block; what stays the same is left out or said once."""
    on = f" on {difference.model}" if difference.model else ""
    head = f"{difference.before} → {difference.after}{on}"
    if difference.is_empty:
        return f"{head}\nnothing changes in tokens, cost or behaviour"
    blocks = ([head], *(list(part(difference)) for part in (_steps, _tokens, _figures, _properties)))
    return "\n\n".join("\n".join(block) for block in blocks if block)


def difference_json(difference: Difference) -> str:
    """The same as data."""
    document = {"version": VERSION, "same": difference.is_empty, **asdict(difference)}
    return json.dumps(document, indent=2, ensure_ascii=False)


def _steps(difference: Difference) -> Iterator[str]:
    if difference.steps:
        yield "steps"
    for step in difference.steps:
        yield f"  {_SIGNS[step.kind]} {step.place}: {', '.join(_field(field, step) for field in step.fields)}"


def _field(field: FieldChange, step: StepChange) -> str:
    if step.kind == "added":
        return f"{field.name} {field.after}"
    if step.kind == "removed":
        return f"{field.name} {field.before}"
    return f"{field.name} {field.before or 'nothing'} → {field.after or 'nothing'}"


def _tokens(difference: Difference) -> Iterator[str]:
    if all(run.before == run.after for run in difference.tokens):
        return
    yield "tokens entering the decoder's layers"
    names = [_layers(run) for run in difference.tokens]
    width = max(map(len, names))
    for name, run in zip(names, difference.tokens, strict=True):
        yield f"  {name.ljust(width)}  {_change(str(run.before), str(run.after))}"


def _layers(run: Run) -> str:
    return f"layer {run.first}" if run.first == run.last else f"layers {run.first}..{run.last}"


def _figures(difference: Difference) -> Iterator[str]:
    changed = [figure for figure in difference.figures if figure.before != figure.after]
    if changed:
        yield "costs of one prefill"
    width = max((len(figure.name) for figure in changed), default=0)
    for figure in changed:
        values = f"{_value(figure.before, figure)} → {_value(figure.after, figure)}"
        shares = f"{_share(figure.before, figure)} → {_share(figure.after, figure)}"
        yield f"  {figure.name.ljust(width)}  {values}  ({shares} of the full model)"


def _value(value: float, figure: Figure) -> str:
    if figure.unit == "tokens":
        return f"{value:.1f}"
    return size(int(value)) if figure.unit == "B" else amount(value)


def _share(value: float, figure: Figure) -> str:
    return f"{100 * value / figure.whole:.1f}%"


def _properties(difference: Difference) -> Iterator[str]:
    changed = [one for one in difference.properties if one.before != one.after]
    if changed:
        yield "properties"
    for one in changed:
        yield f"  {one.name}: {_yes(one.before)} → {_yes(one.after)}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _change(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}"
