"""Limits on definitions that stand in for each other: a few lines could otherwise come to more than memory holds."""

from __future__ import annotations

from eosdsl.ir.quantities import Node
from eosdsl.passes.resolve_context import Context
from eosdsl.source import Span

LONGEST_CHAIN = 50  # definitions that refer to each other, one after the other
LARGEST = 2_000  # parts that one definition comes to when it is written out


def enters(context: Context, name: str, used: Span) -> bool:
    """Begin with the definition of a name; False, and reported, where it is defined by itself or too far down."""
    if name in context.underway:
        chain = [*context.underway[context.underway.index(name) :], name]
        context.error("E0203", f"`{name}` is defined by itself", used, " → ".join(chain))
        return False
    if len(context.underway) >= LONGEST_CHAIN:
        context.error("E0106", f"`{name}` stands at the end of too long a chain of definitions", used, "used here")
        return False
    context.underway.append(name)
    return True


def within_size(context: Context, name: str, value: object, span: Span) -> bool:
    """Whether what a definition comes to is of a size that a person could mean; else reported."""
    if _size(value) <= LARGEST:
        return True
    context.error(
        "E0106", f"`{name}` comes to more than {LARGEST} parts when it is written out", span, "this definition"
    )
    return False


def _size(value: object) -> int:
    """The number of nodes in a value, counted no further than just beyond the limit."""
    stack, count = [value], 0
    while stack and count <= LARGEST:
        one = stack.pop()
        if isinstance(one, Node):
            count += 1
            stack.extend(getattr(one, name) for name in one.FIELDS)
        elif isinstance(one, tuple):
            stack.extend(one[: LARGEST + 1])
    return count
