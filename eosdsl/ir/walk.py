"""Walking a program: every node below a node, in the order of the text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from eosdsl.ir.quantities import Node

N = TypeVar("N", bound=Node)


def children(node: Node) -> Iterator[Node]:
    """The nodes directly below, tuples opened."""
    for name, value in node.__dict__.items():
        if name != "span":
            yield from _nodes(value)


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, parents first. Iterative: depth is bounded by memory, not by the stack."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        waiting.extend(reversed(list(children(current))))


def find(node: Node, kind: type[N]) -> Iterator[N]:
    """All nodes of one type, the node itself included."""
    return (found for found in walk(node) if isinstance(found, kind))


def _nodes(value: object) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, tuple):
        for inner in value:
            yield from _nodes(inner)
