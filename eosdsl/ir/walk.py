"""Walking a program: every node below a node, in the order of the text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from eosdsl.ir.quantities import Node

N = TypeVar("N", bound=Node)


def children(node: Node) -> Iterator[Node]:
    """The nodes directly below, tuples opened."""
    waiting = [node.__dict__[name] for name in node.NESTED]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Node):
            yield value
        elif isinstance(value, tuple):
            waiting.extend(reversed(value))


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, parents first. Iterative: depth is bounded by memory, not by the stack."""
    waiting: list[Any] = [node]
    pop, push = waiting.pop, waiting.append
    while waiting:
        value = pop()
        if isinstance(value, Node):
            yield value
            fields = value.__dict__
            for name in value.NESTED:
                if (inner := fields[name]) is not None:
                    push(inner)
        elif isinstance(value, tuple):
            waiting += value[::-1]


def find(node: Node, kind: type[N]) -> Iterator[N]:
    """All nodes of one type, the node itself included."""
    return (found for found in walk(node) if isinstance(found, kind))


def copied(node: N) -> N:
    """The node made anew, with everything below it: no object is in two places any more."""
    return node.model_copy(update={name: _copied(value) for name, value in node.__dict__.items() if name != "span"})


def _copied(value: object) -> object:
    if isinstance(value, Node):
        return copied(value)
    if not isinstance(value, tuple):
        return value
    values: tuple[object, ...] = value
    return tuple(_copied(inner) for inner in values)
