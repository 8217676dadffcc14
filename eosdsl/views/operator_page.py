"""The page of an operator: its docstring and what its parameters take, in Markdown."""

from __future__ import annotations

import inspect

from eosdsl.operators.base import Operator
from eosdsl.operators.parameters import Parameter, parameters
from eosdsl.operators.registry import KINDS, SINGULAR, Kind, operators


def operator_pages(name: str) -> list[str]:
    """The pages of all operators of a name, one a kind (`random` is a score and a pick)."""
    return [operator_page(kind, operators(kind)[name]) for kind in KINDS if name in operators(kind)]


def operator_names() -> list[str]:
    """Every name that `operator_pages` knows."""
    return sorted({name for kind in KINDS for name in operators(kind)})


def operator_page(kind: Kind, operator: type[Operator]) -> str:
    """`# merge (behaviour)`, the docstring, then the parameters."""
    known = parameters(operator)
    head = f"# {operator.name} ({SINGULAR[kind]})\n\n{inspect.cleandoc(operator.__doc__ or '')}\n"
    return head + ("\n## Parameters\n\n" + "\n".join(map(_row, known)) + "\n" if known else "")


def _row(parameter: Parameter) -> str:
    default = "required" if parameter.required else f"default `{parameter.default}`"
    description = f": {parameter.description}" if parameter.description else ""
    return f"- `{parameter.name}`{description}. Takes {parameter.accepts.describe()}; {default}."
