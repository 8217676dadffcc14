"""Groups and tokens by hand, for tests that need no text: `group("merge", 8, score="norm(hidden)")` in a few lines."""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import Tensor

from eosdsl.ir.nodes import Amount, Behaviour, Bookkeeping, Mix, MixPart, ScoreExpr
from eosdsl.ir.quantities import Argument, Call, Dims, Quantity, Value, Word
from eosdsl.ir.schedule import BoundGroup, SiteAmount
from eosdsl.operators.base import Reduction, Tokens
from eosdsl.operators.reduce import reduce_tokens


def number(value: float | Fraction) -> Quantity:
    return Quantity(value=Fraction(value))


def call(operator: str, *given: Value | float | str, **named: Value | float | str) -> Call:
    """`call("attention", query="last")`, `call("grid", Dims(...))`, `call("random", 7)`."""
    arguments = [Argument(value=_value(one)) for one in given]
    arguments += [Argument(name=name, value=_value(one)) for name, one in named.items()]
    return Call(name=operator, arguments=tuple(arguments))


def _value(value: Value | float | str) -> Value:
    if isinstance(value, str):
        return Word(name=value)
    return number(value) if isinstance(value, int | float) else value


def dims(rows: int, columns: int) -> Dims:
    return Dims(rows=rows, columns=columns)


def mix(*parts: tuple[float, Call]) -> Mix:
    return Mix(parts=tuple(MixPart(share=number(share), behaviour=one) for share, one in parts))


def group(
    behaviour: Behaviour | str = "prune",
    *,
    score: ScoreExpr | None = None,
    pick: Call | None = None,
) -> BoundGroup:
    amount = SiteAmount(verb="retain", amount=Amount(value=Word(name="all")))
    return BoundGroup(
        amount=amount,
        score=score or call("norm", "hidden"),
        pick=pick or call("top"),
        behaviour=call(behaviour) if isinstance(behaviour, str) else behaviour,
        count=None,
    )


def tokens(
    hidden: Tensor,
    *,
    sizes: Tensor | None = None,
    valid: Tensor | None = None,
    keys: Tensor | None = None,
    grid: tuple[int, int] | None = None,
    index: Tensor | None = None,
) -> Tokens:
    images, length, _ = hidden.shape
    return Tokens(
        hidden=hidden,
        sizes=torch.ones(images, length) if sizes is None else sizes,
        index=torch.arange(length).expand(images, length) if index is None else index,
        valid=valid,
        keys=keys,
        grid=grid,
    )


def reduce(
    groups: BoundGroup | list[BoundGroup],
    counts: int | Tensor | list[int | Tensor],
    seen: Tokens,
    bookkeeping: Bookkeeping | None = None,
) -> Reduction:
    many = groups if isinstance(groups, list) else [groups]
    each = counts if isinstance(counts, list) else [counts]
    return reduce_tokens(many, bookkeeping or Bookkeeping(), seen, each)
