"""Values as the program means them: exact, with units. `25%` and `1/4` are the same quantity here."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal

from eosdsl.ir.node import BY_KIND
from eosdsl.ir.node import Node as Node

Unit = Literal["number", "ratio", "tokens", "layers", "flops", "bytes", "milliseconds"]


class Quantity(Node):
    """An exact number with its unit: `25%` is 1/4 ratio, `64 tokens` is 64 tokens, `0.2` is 1/5 number."""

    kind: Literal["quantity"] = "quantity"
    value: Fraction
    unit: Unit = "number"


class Word(Node):
    """A bare name used as a value: `last`, `keys`, `compact`."""

    kind: Literal["word"] = "word"
    name: str


class Dims(Node):
    """`2x2`: rows by columns."""

    kind: Literal["dims"] = "dims"
    rows: int
    columns: int


class Open(Node):
    """A hole: `?`, `? lo..hi`, `? {a, b}`, each with an optional prior (one of the choices, where there are any).

    Only a relaxed program holds these.
    """

    kind: Literal["open"] = "open"
    low: Quantity | None = None
    high: Quantity | None = None
    choices: tuple[Value, ...] = ()
    prior: Value | None = None


class Argument(Node):
    """`name: value`, or a positional value when `name` is None."""

    name: str | None = None
    value: Value


class Call(Node):
    """`name(arguments)`, or a bare `name` where a call is expected: a score, pick, behaviour, curve, support, rule."""

    kind: Literal["call"] = "call"
    name: str
    arguments: tuple[Argument, ...] = ()

    def argument(self, name: str) -> Value | None:
        """The value given for a named argument, or None."""
        for argument in self.arguments:
            if argument.name == name:
                return argument.value
        return None


Value = Annotated[Quantity | Word | Dims | Open | Call, BY_KIND]
