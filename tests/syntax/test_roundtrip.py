"""Laws of text and tree: what is printed parses to what was printed, formatting changes nothing and is done once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import files, operators, text_of, untidy

import eosdsl
from eosdsl.source import SourceFile
from eosdsl.syntax import tree
from eosdsl.syntax.format import format_text
from eosdsl.syntax.order import canonical_order
from eosdsl.syntax.parse import parse_syntax

# nested expressions are slow to draw, not to parse
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def read(text: str) -> tree.File:
    file, problems = parse_syntax(SourceFile("<text>", text))
    assert not problems, [problem.message for problem in problems]
    assert file is not None
    return file


def ordered(statements: Sequence[tree.Statement]) -> list[tree.Statement]:
    return [statements[i] for i in canonical_order(statements)]


@FEW
@given(files())
def test_what_is_printed_parses_to_the_same_tree(statements: tuple[tree.Statement, ...]) -> None:
    assert read(text_of(statements)).statements == statements


@FEW
@given(st.data(), files())
def test_formatting_keeps_the_tree_and_every_comment(
    data: st.DataObject, statements: tuple[tree.Statement, ...]
) -> None:
    text = data.draw(untidy(text_of(statements)))
    before = read(text)
    assert before.statements == statements
    formatted = format_text(text)
    after = read(formatted)
    assert list(after.statements) == ordered(statements)
    assert Counter(c.text for c in after.comments) == Counter(c.text for c in before.comments)
    assert format_text(formatted) == formatted


@FEW
@given(st.data(), operators())
def test_formatting_keeps_the_program(data: st.DataObject, text: str) -> None:
    written = data.draw(untidy(text))
    program = eosdsl.parse(written)
    formatted = format_text(written)
    assert eosdsl.parse(formatted) == program
    assert format_text(formatted) == formatted


@FEW
@given(st.data(), operators())
def test_white_space_and_comments_mean_nothing(data: st.DataObject, text: str) -> None:
    program, untidied = eosdsl.parse(text), eosdsl.parse(data.draw(untidy(text)))
    assert untidied.model_copy(update={"comment": ()}) == program
