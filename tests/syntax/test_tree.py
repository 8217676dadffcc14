"""The tree's records: frozen, equal by content and not by place; and spans that cover exactly what they name."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator

import pytest

from eosdsl.source import SourceFile, Span
from eosdsl.syntax import tree
from eosdsl.syntax.parse import parse_syntax
from eosdsl.syntax.record import Record

HERE, THERE = Span(0, 1, 1, 1, 1, 2), Span(5, 6, 2, 1, 2, 2)

TEXT = """\
# about
operator x for llava
param budget = 64 tokens
at encoder layers 3, 5..7 after attention:
  retain 50 % of incoming by 0.7 * attention(query: last) - norm(keys)
  pick grid(2x2) via mix(0.6 merge, 1/3 prune) with keep cls, attention_bias: 0.9 * log_size
  and remove 3 tokens
expect tokens(mean) <= budget  # why
"""


def test_equality_is_by_content() -> None:
    assert tree.Word("a", HERE) == tree.Word("a", THERE)
    assert tree.Word("a", HERE) != tree.Word("b", HERE)
    assert tree.Call(tree.Word("a", HERE), (), HERE) != tree.Word("a", HERE)
    assert hash(tree.Word("a", HERE)) == hash(tree.Word("a", THERE))
    assert tree.Comment("# a", True, HERE) == tree.Comment("# a", False, THERE)


def test_records_are_frozen() -> None:
    word = tree.Word("a", HERE)
    with pytest.raises(AttributeError):
        word.text = "b"  # pyright: ignore[reportAttributeAccessIssue] # this is what is refused
    with pytest.raises(AttributeError):
        del word.text  # pyright: ignore[reportAttributeAccessIssue] # and this
    with pytest.raises(AttributeError):
        word.other = 1  # pyright: ignore[reportAttributeAccessIssue] # this too


def test_records_take_their_fields_by_place_or_name() -> None:
    assert tree.File((), ()) == tree.File(statements=(), comments=(), broken=())
    assert tree.Number(form="percent", text="5%", unit=None, span=HERE) == tree.Number("5%", "percent", None, HERE)
    with pytest.raises(TypeError):
        tree.Word("a")  # pyright: ignore[reportCallIssue] # the span is missing
    with pytest.raises(TypeError):
        tree.Word("a", HERE, 3)  # pyright: ignore[reportCallIssue] # one too many


def test_records_are_copied_and_pickled() -> None:
    number = tree.Number("5%", "percent", None, HERE)
    for copied in (copy.copy(number), copy.deepcopy(number), pickle.loads(pickle.dumps(number))):
        assert copied == number and copied.span == HERE
    assert repr(number) == "Number(text='5%', form='percent', unit=None)"


def nodes(value: object) -> Iterator[Record]:
    if isinstance(value, tuple):
        for one in value:
            yield from nodes(one)
    elif isinstance(value, Record):
        yield value
        for field in type(value).FIELDS:
            yield from nodes(getattr(value, field))


def covered(kind: type[Record]) -> list[str]:
    file, problems = parse_syntax(SourceFile("<text>", TEXT))
    assert file is not None and not problems
    spans = [getattr(node, "span") for node in nodes(file) if type(node) is kind]  # noqa: B009 # by no static type
    return [TEXT[span.start : span.end] for span in spans]


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        (tree.Header, ["operator x for llava"]),
        (tree.Param, ["param budget = 64 tokens"]),
        (tree.Site, ["encoder layers 3, 5..7 after attention"]),
        (tree.LayerItem, ["3", "5..7"]),
        (tree.Budget, ["retain 50 % of incoming", "remove 3 tokens"]),
        (tree.Amount, ["50 % of incoming", "3 tokens"]),
        (tree.By, ["by 0.7 * attention(query: last) - norm(keys)"]),
        (tree.Term, ["0.7 * attention(query: last)", "- norm(keys)"]),
        (tree.Argument, ["query: last", "keys", "2x2", "mean"]),
        (tree.Pick, ["pick grid(2x2)"]),
        (tree.Part, ["0.6 merge", "1/3 prune"]),
        (tree.Option, ["keep cls", "attention_bias: 0.9 * log_size"]),
        (tree.Constraint, ["tokens(mean) <= budget"]),
        (tree.Comment, ["# about", "# why"]),
    ],
)
def test_spans_cover_what_was_written(kind: type[Record], texts: list[str]) -> None:
    assert covered(kind) == texts


def test_lines_and_columns_are_those_of_the_text() -> None:
    source = SourceFile("<text>", TEXT)
    file, _ = parse_syntax(source)
    for node in nodes(file):
        span = getattr(node, "span", None)
        if isinstance(span, Span):
            assert span == source.span(span.start, span.end)
