"""Diagnostics as people see them, letter for letter."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eosdsl.diagnostics import Diagnostic, Edit, Fix, Label, Severity, SpecError, error, info, warning
from eosdsl.render.cells import show, visible
from eosdsl.render.text import render_text
from eosdsl.source import SourceFile, Span


def place(source: SourceFile, part: str, occurrence: int = 0) -> Span:
    """The span of a part of the text."""
    start = -1
    for _ in range(occurrence + 1):
        start = source.text.index(part, start + 1)
    return source.span(start, start + len(part))


def shown(diagnostic: Diagnostic, source: SourceFile | None) -> str:
    return render_text([diagnostic], source, color=False)


def text(block: str) -> str:
    """A block of expected output; `~` at the margin keeps leading spaces of the first line."""
    return dedent(block).strip("\n").replace("~", "")


FASTV = SourceFile(
    "specs/methods/fastv.eos",
    "# FastV (arXiv 2403.06764)\nat layer 40: retain 50% by attention(query: last)\n",
)


def test_the_example_of_the_language_page() -> None:
    found = error(
        "E0302",
        "layer 40 is past the last decoder layer",
        place(FASTV, "40", 1),
        "llava-1.5-7b has decoder layers 0..31",
        helps=("the published FastV drops at layer 2",),
    )
    assert shown(found, FASTV) == text(
        """
        error[E0302]: layer 40 is past the last decoder layer
         --> specs/methods/fastv.eos:2:10
          |
        2 | at layer 40: retain 50% by attention(query: last)
          |          ^^ llava-1.5-7b has decoder layers 0..31
          |
          = help: the published FastV drops at layer 2
        """
    )


def test_labels_on_one_line_hang_from_their_places() -> None:
    found = Diagnostic(
        "W0300",
        Severity.WARNING,
        "three places",
        place(FASTV, "50%"),
        (
            Label(place(FASTV, "50%"), "the primary one"),
            Label(place(FASTV, "at"), "the first"),
            Label(place(FASTV, "attention"), "the last"),
        ),
    )
    assert shown(found, FASTV) == text(
        """
        warning[W0300]: three places
         --> specs/methods/fastv.eos:2:21
          |
        2 | at layer 40: retain 50% by attention(query: last)
          | --                  ^^^    --------- the last
          | |                   |
          | |                   the primary one
          | the first
        """
    )


def test_labels_on_several_lines_with_a_gap() -> None:
    source = SourceFile("a.eos", "".join(f"at layer {n}: retain 50%\n" for n in range(1, 13)))
    found = Diagnostic(
        "W0301",
        Severity.WARNING,
        "this step does nothing",
        place(source, "layer 11"),
        (
            Label(place(source, "layer 11"), "keeps what arrives"),
            Label(place(source, "layer 2"), "half is left after this"),
            Label(place(source, "layer 4")),
        ),
    )
    assert shown(found, source) == text(
        """
        warning[W0301]: this step does nothing
          --> a.eos:11:4
           |
         2 | at layer 2: retain 50%
           |    ------- half is left after this
         3 | at layer 3: retain 50%
         4 | at layer 4: retain 50%
           |    -------
        ...
        11 | at layer 11: retain 50%
           |    ^^^^^^^^ keeps what arrives
        """
    )


SPREAD = SourceFile("b.eos", "at layer 3:\n  retain 5%\n  via prune\nat layer 4: retain 1%\n")


def test_a_span_over_lines_that_starts_its_line() -> None:
    span = SPREAD.span(0, SPREAD.text.index("\nat layer 4"))
    assert shown(info("I0300", "all of this", span, "one statement"), SPREAD) == text(
        """
        info[I0300]: all of this
         --> b.eos:1:1
          |
        1 | / at layer 3:
        2 | |   retain 5%
        3 | |   via prune
          | |___________^ one statement
        """
    )


def test_a_span_over_lines_that_starts_inside_a_line() -> None:
    span = SPREAD.span(3, SPREAD.text.index("5%") + 2)
    assert shown(error("E0300", "from here to there", span, "here"), SPREAD) == text(
        """
        error[E0300]: from here to there
         --> b.eos:1:4
          |
        1 |   at layer 3:
          |  ____^
        2 | |   retain 5%
          | |___________^ here
        """
    )


def test_a_span_that_ends_after_the_line_end_ends_on_that_line() -> None:
    span = SPREAD.span(0, 12)
    assert shown(error("E0300", "the line", span), SPREAD) == text(
        """
        error[E0300]: the line
         --> b.eos:1:1
          |
        1 | at layer 3:
          | ^^^^^^^^^^^
        """
    )


def test_a_long_span_is_elided() -> None:
    source = SourceFile("c.eos", "\n".join(f"line{n}" for n in range(1, 31)))
    assert shown(error("E0300", "too long", source.span(0, len(source.text))), source) == text(
        """
        error[E0300]: too long
          --> c.eos:1:1
           |
         1 | / line1
         2 | | line2
        ...
        29 | | line29
        30 | | line30
           | |______^
        """
    )


def test_the_end_of_the_file_has_a_caret_of_its_own() -> None:
    source = SourceFile("d.eos", "at layer 2: retain")
    end = source.span(len(source.text), len(source.text))
    assert shown(error("E0101", "the file ends here", end, "expected an amount"), source) == text(
        """
        error[E0101]: the file ends here
         --> d.eos:1:19
          |
        1 | at layer 2: retain
          |                   ^ expected an amount
        """
    )


def test_an_empty_file() -> None:
    source = SourceFile("empty.eos", "")
    assert shown(error("E0101", "nothing here", source.span(0, 0), "expected a statement"), source) == text(
        """
        error[E0101]: nothing here
         --> empty.eos:1:1
          |
        1 |
          | ^ expected a statement
        """
    )


def test_tabs_and_wide_characters_keep_carets_in_place() -> None:
    source = SourceFile("e.eos", "\tat 语言 layer 2: re\u0301tain x\n")
    found = Diagnostic(
        "E0101",
        Severity.ERROR,
        "odd characters",
        place(source, "语言"),
        (Label(place(source, "语言"), "two cells each"), Label(place(source, "x"), "after a combining mark")),
    )
    assert shown(found, source) == text(
        """
        error[E0101]: odd characters
         --> e.eos:1:5
          |
        1 |     at 语言 layer 2: re\u0301tain x
          |        ^^^^                 - after a combining mark
          |        |
          |        two cells each
        """
    )


def test_characters_that_would_act_on_the_terminal_are_shown_not_sent() -> None:
    source = SourceFile("f.eos", "at \x1b[31m \u202e layer\x00\n")
    rendered = shown(error("E0101", "bad \x1b]0;title\x07 text", source.span(3, 4), "\x9b2J"), source)
    assert not set(rendered) & {"\x1b", "\x00", "\x07", "\u202e", "\x9b"}
    assert "at ␛[31m" in rendered


def test_a_very_long_line_is_cut_around_the_place() -> None:
    source = SourceFile("g.eos", "a" * 100_000 + "HERE" + "b" * 100_000)
    rendered = shown(error("E0101", "somewhere", place(source, "HERE"), "this"), source)
    line, carets = rendered.splitlines()[3:5]
    assert len(line) < 200
    assert line[carets.index("^") : carets.index("^") + 4] == "HERE"


def test_overlapping_labels_are_all_said() -> None:
    whole, part = place(FASTV, "attention(query: last)"), place(FASTV, "query")
    found = Diagnostic("E0200", Severity.ERROR, "overlap", part, (Label(part, "inner"), Label(whole, "outer")))
    assert shown(found, FASTV) == text(
        """
        error[E0200]: overlap
         --> specs/methods/fastv.eos:2:38
          |
        2 | at layer 40: retain 50% by attention(query: last)
          |                            ----------^^^^^-------
          |                            |         |
          |                            |         inner
          |                            outer
        """
    )


def test_a_fix_is_told_where_no_help_tells_it() -> None:
    span = place(FASTV, "40", 1)
    fix = Fix("write 31", (Edit(span, "31"),), "safe")
    assert "  = help: write 31" in shown(warning("W0300", "message", span, fix=fix), FASTV)
    assert "write 31" not in shown(warning("W0300", "message", span, helps=("try this",), fix=fix), FASTV)


def test_helps_and_notes_follow_in_that_order() -> None:
    span = place(FASTV, "40")
    found = warning(
        "W0300",
        "message",
        span,
        notes=("first line\nsecond line",),
        helps=("try this",),
    )
    assert shown(found, FASTV).splitlines()[5:] == [
        "  |",
        "  = help: try this",
        "  = note: first line",
        "          second line",
    ]


def test_without_a_place_there_is_no_frame() -> None:
    found = error("E0601", "fastv.eos: no such file or folder", helps=("look again",))
    assert shown(found, None) == "error[E0601]: fastv.eos: no such file or folder\n  = help: look again"


def test_several_are_parted_by_an_empty_line() -> None:
    found = error("E0601", "one")
    assert render_text([found, found], None, color=False) == "error[E0601]: one\n\nerror[E0601]: one"


def test_a_span_of_another_file_shows_that_file(tmp_path: Path) -> None:
    other = tmp_path / "taken.eos"
    other.write_text("at layer 9: retain 200%\n")
    inner = SourceFile(str(other), other.read_text()).span(19, 23)
    span = Span(inner.start, inner.end, inner.line, inner.column, inner.end_line, inner.end_column, str(other))
    use = place(FASTV, "at")
    found = Diagnostic(
        "E0301", Severity.ERROR, "too much", span, (Label(span, "at most 100%"), Label(use, "taken in here"))
    )
    assert shown(found, FASTV) == "\n".join(
        [
            "error[E0301]: too much",
            f" --> {other}:1:20",
            "  |",
            "1 | at layer 9: retain 200%",
            "  |                    ^^^^ at most 100%",
            " ::: specs/methods/fastv.eos:2:1",
            "  |",
            "2 | at layer 40: retain 50% by attention(query: last)",
            "  | -- taken in here",
        ]
    )


def test_a_file_that_is_gone_leaves_the_place() -> None:
    span = Span(0, 1, 1, 1, 1, 2, "gone.eos")
    assert shown(error("E0301", "message", span), FASTV) == "error[E0301]: message\n --> gone.eos:1:1"


def test_colour_paints_without_changing_the_text() -> None:
    found = error("E0302", "message", place(FASTV, "40"), "label", helps=("help",))
    painted = render_text([found], FASTV, color=True)
    assert "\x1b[1;31merror[E0302]\x1b[0m" in painted
    import re

    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == shown(found, FASTV)


def test_a_spec_error_prints_itself() -> None:
    problem = SpecError([error("E0302", "message", place(FASTV, "40"), "label")], FASTV)
    assert str(problem) == shown(problem.diagnostics[0], FASTV)


TEXTS = st.text(alphabet=st.sampled_from("ab \t\n\r語é\u0301\u202e\x00\U0001f600#"), max_size=60)


@settings(deadline=None)
@given(
    TEXTS, st.lists(st.tuples(st.integers(-2, 70), st.integers(-2, 70), st.text(max_size=5)), min_size=1, max_size=4)
)
def test_any_text_and_any_spans_render(body: str, places: list[tuple[int, int, str]]) -> None:
    source = SourceFile("h.eos", body)
    labels = tuple(Label(Span(a, b, 1, 1, 1, 1), label) for a, b, label in places)
    rendered = shown(Diagnostic("E0100", Severity.ERROR, "m", labels[0].span, labels), source)
    assert rendered.startswith("error[E0100]: m\n --> h.eos:1:1\n")
    assert "^" in rendered
    assert all(character == "\n" or visible(character) == character for character in rendered)


@settings(deadline=None)
@given(st.text(alphabet="abc =:", min_size=1, max_size=40), st.data())
def test_carets_stand_under_the_characters(line: str, data: st.DataObject) -> None:
    """Law: in plain text the caret row, cut like the source row, has carets exactly at the span."""
    start = data.draw(st.integers(0, len(line) - 1))
    end = data.draw(st.integers(start + 1, len(line)))
    source = SourceFile("i.eos", line)
    row = shown(error("E0100", "m", source.span(start, end)), source).splitlines()[4]
    assert row[4:] == " " * start + "^" * (end - start)


@pytest.mark.parametrize(("line", "cells"), [("", 0), ("abc", 3), ("\t", 4), ("a\tb", 5), ("語", 2), ("e\u0301", 1)])
def test_width_of_a_line(line: str, cells: int) -> None:
    assert show(line).cells[-1] == cells
