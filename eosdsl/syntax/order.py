"""The order of statements in a formatted file: what it is, what it names, what it does, what it has to hold to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TypeVar

from eosdsl.syntax import tree
from eosdsl.syntax.record import Record

T = TypeVar("T")


class Key(Record):
    """Where the first site of a statement lies; neither index nor depth: only the model, or a param, knows."""

    stream: int
    index: int | None
    depth: Fraction | int | None
    after_attention: bool


_STREAMS = {"encoder": 0, "encoder_output": 1, "decoder": 2}

_RANKS: tuple[tuple[type, ...], ...] = (
    (tree.Version,),
    (tree.Header,),
    (tree.Use, tree.Param, tree.Score),
    (tree.At,),
    (tree.Minimise,),
    (tree.SubjectTo,),
    (tree.SearchWith,),
    (tree.Expect,),
)


def canonical_order(statements: Sequence[tree.Statement]) -> list[int]:
    """Indices into `statements`: header first, declarations as they were written, sites in forward order.

    A text with several headers is no program, but it is several in one place (as in a document): each is ordered alone.
    """
    headers = [i for i, statement in enumerate(statements) if isinstance(statement, tree.Header)]
    starts = [0, *(_with_version(i, statements) for i in headers[1:]), len(statements)]
    result: list[int] = []
    for start, stop in pairwise(starts):
        result.extend(_ordered(range(start, stop), statements))
    return result


def _with_version(header: int, statements: Sequence[tree.Statement]) -> int:
    """Where the text of a header begins: versions right before it belong to it, as that is where they are put."""
    while header and isinstance(statements[header - 1], tree.Version):
        header -= 1
    return header


def _ordered(indices: Sequence[int], statements: Sequence[tree.Statement]) -> list[int]:
    result: list[int] = []
    for kinds in _RANKS:
        here = [i for i in indices if isinstance(statements[i], kinds)]
        result.extend(_by_site(here, statements) if kinds == (tree.At,) else here)
    return result


def _by_site(indices: Sequence[int], statements: Sequence[tree.Statement]) -> list[int]:
    def key(index: int) -> Key:
        statement = statements[index]
        assert isinstance(statement, tree.At)
        return _site_key(statement.site)

    return in_forward_order(indices, key)


def _site_key(site: tree.Site) -> Key:
    if site.place == "output":
        return place_of("encoder_output", 0, None, False)
    if site.place == "input":
        return place_of("decoder", 0, None, False)
    refs = [item.first for item in site.items]
    numbers = [ref.value.value for ref in refs if isinstance(ref.value, tree.Number)]
    if len(numbers) < len(refs):
        return place_of(site.tower, None, None, site.after_attention)
    if all(ref.form == "index" for ref in refs) and site.word != "depth":
        return place_of(site.tower, int(min(numbers)), None, site.after_attention)
    if all(ref.form in ("share", "depth") for ref in refs):
        return place_of(site.tower, None, min(numbers), site.after_attention)
    return place_of(site.tower, None, None, site.after_attention)


def place_of(stream: str, index: int | None, depth: Fraction | int | None, after_attention: bool) -> Key:
    """The key of a statement, from its stream and the index or depth of its first layer."""
    if index == 0 or depth == 0:  # the start is the same place, counted in layers or in depth
        index, depth = 0, 0
    return Key(_STREAMS[stream], index, depth, after_attention)


def in_forward_order(items: Sequence[T], key: Callable[[T], Key]) -> list[T]:
    """Sorted by stream, and within a stream by layer where all its statements count layers in the same way; where they
    cannot be compared without a model they keep the order in which they were written."""
    if len(items) < 2:
        return list(items)
    keyed = [(key(item), item) for item in items]
    result: list[T] = []
    for stream in sorted(_STREAMS.values()):
        here = [(place, item) for place, item in keyed if place.stream == stream]
        if all(place.index is not None for place, _ in here):
            here.sort(key=lambda pair: (pair[0].index or 0, pair[0].after_attention))
        elif all(place.depth is not None for place, _ in here):
            here.sort(key=lambda pair: (pair[0].depth or 0, pair[0].after_attention))
        result.extend(item for _, item in here)
    return result
