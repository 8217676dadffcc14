"""The operators' pages as one document. `python -m eosdsl.views.operator_reference docs/operators.md` writes it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from pathlib import Path

from eosdsl.operators.base import Absorbing, Operator
from eosdsl.operators.parameters import Parameter, parameters
from eosdsl.operators.registry import KINDS, SINGULAR, Kind, operators

_HEAD = """\
# Operators

Every score, pick, behaviour, similarity, support and adaptive budget of the language. `eosdsl explain NAME` prints one
of these entries. [The language](language/README.md) says where each of them stands in a statement. What a site does not
offer (a CLS token, the text, an attention that has not been computed) is said by `eosdsl check --model MODEL`.

This page is generated from the docstrings and the parameters of the classes: `python -m
eosdsl.views.operator_reference docs/operators.md`.
"""
_WHERE: Mapping[Kind, str] = {
    "scores": "After `by`, and in `score NAME = …`. A higher score is more worth keeping.",
    "picks": "After `pick`.",
    "behaviours": "After `via`, and as a part of `mix(…)`.",
    "similarities": "In `similarity:` of a behaviour, and of a few picks.",
    "supports": "In `within:` of a behaviour.",
    "budgets": "After `retain`, in the place of a number. How many tokens stay depends on the image.",
}
_SHARED = frozenset(Absorbing.model_fields)


def document() -> str:
    """A section for every kind, an entry for every operator of it."""
    return "\n\n".join([_HEAD.rstrip(), *map(_section, KINDS)]) + "\n"


def _section(kind: Kind) -> str:
    head = [f"## {kind.capitalize()}", _WHERE[kind]]
    if kind == "behaviours":
        shared = [one for one in parameters(operators(kind)["merge"]) if one.name in _SHARED]
        head += ["Those that take in other tokens share these parameters:", _table(shared)]
    return "\n\n".join([*head, *(_entry(kind, operator) for operator in operators(kind).values())])


def _entry(kind: Kind, operator: type[Operator]) -> str:
    parts = [f"### {operator.name} ({SINGULAR[kind]})", inspect.cleandoc(operator.__doc__ or "")]
    own = [one for one in parameters(operator) if not (kind == "behaviours" and one.name in _SHARED)]
    return "\n\n".join([*parts, *([_table(own)] if own else [])])


def _table(known: list[Parameter]) -> str:
    head = ["| parameter | takes | default | |", "|---|---|---|---|"]
    return "\n".join([*head, *(_row(one) for one in known)])


def _row(parameter: Parameter) -> str:
    default = "required" if parameter.default is None else f"`{parameter.default}`"
    cells = (f"`{parameter.name}`", parameter.accepts.describe(), default, parameter.description)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main(arguments: list[str]) -> int:
    """0: written; 2: no file was named."""
    if len(arguments) != 1:
        print("usage: python -m eosdsl.views.operator_reference FILE", file=sys.stderr)
        return 2
    Path(arguments[0]).write_text(document(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
