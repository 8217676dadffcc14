"""What syntax errors say, as data: code, line, column and message of each, in order; and that reading goes on."""

from __future__ import annotations

import pytest

from eosdsl.diagnostics import Diagnostic
from eosdsl.source import SourceFile
from eosdsl.syntax import tree
from eosdsl.syntax.parse import parse_syntax

Found = tuple[str, int, int, str]

GOLDEN: list[tuple[str, list[Found]]] = [
    (
        "att layer 2: retain 50%",
        [("E0103", 1, 1, "unknown statement `att`")],
    ),
    (
        "at leyer 2: retain 50%",
        [("E0103", 1, 4, "unknown keyword `leyer`")],
    ),
    (
        "at layer 2: retain 50% bye norm(hidden)",
        [("E0103", 1, 24, "unknown keyword `bye`")],
    ),
    (
        "at layer 2 retain 50%",
        [("E0108", 1, 10, "`:` is missing between the site and `retain`")],
    ),
    (
        "at layer 2: 50%",
        [("E0108", 1, 13, "`retain` or `remove` is missing before `50%`")],
    ),
    (
        "at layer 2: retain 50% by attention(query: last via prune",
        [("E0108", 1, 44, "`)` is missing between `last` and `via`")],
    ),
    (
        "at layer 2: retain 25% via mix(0.6 merge 0.4 prune)",
        [("E0108", 1, 36, "`,` is missing between `merge` and `0.4`")],
    ),
    (
        "at layer 2:",
        [("E0107", 1, 11, "the file ends too early: expected `retain`, `remove`, `by`, `pick`, `via` or `with`")],
    ),
    (
        "at layer 2: retain\nat layer 8: retain 25%",
        [
            (
                "E0107",
                1,
                13,
                "the statement ends too early: expected how many tokens to retain: `25%`, `64 tokens`, "
                "`50% of incoming`",
            )
        ],
    ),
    (
        "at 2: retain 50%",
        [
            (
                "E0102",
                1,
                4,
                "expected a site: `layer 2`, `layers 8, 16`, `layer 2..8`, `depth 25%`, `input`, `encoder layer 3`, "
                "found `2`",
            )
        ],
    ),
    (
        "at layer ?: retain 50%",
        [("E0102", 1, 10, "expected a layer, found `?`")],
    ),
    (
        "at layer 2: retain .5",
        [("E0101", 1, 20, "a dot cannot stand here")],
    ),
    (
        "at layer 2: retain 50% # ok\nat layer 3; retain 25%",
        [("E0101", 2, 11, "`;` (SEMICOLON, U+003B) means nothing here")],
    ),
    (
        "at layer 2: retain\u00a050%",
        [("E0101", 1, 19, "U+00A0 (NO-BREAK SPACE) means nothing here")],
    ),
    (
        'use "visionzip.eos\nat layer 2: retain 50%',
        [("E0104", 1, 5, "this text has no closing quote")],
    ),
    (
        "at layer 2: retain 1e99%",
        [("E0105", 1, 20, "`1e99%` is too long a number")],
    ),
    (
        "at layer 2: retain 1/0",
        [("E0111", 1, 20, "`1/0` divides by zero")],
    ),
    (
        "at layer 2: retain 50% pick top pick top",
        [("E0109", 1, 33, "`pick` is given twice")],
    ),
    (
        "at layer 2: retain 50% via merge by norm(hidden)",
        [("E0110", 1, 34, "`by` stands too late")],
    ),
    (
        "at layer 2: retain 50% by norm(keys) pick top foo merge",
        [("E0102", 1, 47, "expected `via`, `with`, `and` or the next statement, found `foo`")],
    ),
    (
        "retain 50%",
        [
            (
                "E0102",
                1,
                1,
                "expected a statement: `at`, `operator`, `space`, `param` …, found `retain`",
            )
        ],
    ),
    (
        "at layer 2: retain 50% by ? + norm(hidden)",
        [
            (
                "E0102",
                1,
                29,
                "expected `*`, `pick`, `via`, `with`, `and`, `prior`, a number or the next statement, found `+`",
            )
        ],
    ),
]


def found_in(text: str) -> list[Diagnostic]:
    return parse_syntax(SourceFile("<text>", text))[1]


def summary(problems: list[Diagnostic]) -> list[Found]:
    return [(p.code, p.span.line if p.span else 0, p.span.column if p.span else 0, p.message) for p in problems]


@pytest.mark.parametrize(("text", "expected"), GOLDEN, ids=[text[:40] for text, _ in GOLDEN])
def test_golden(text: str, expected: list[Found]) -> None:
    assert summary(found_in(text)) == expected


TEN_MISTAKES = """\
operater mine for llava
at leyer 2: retain 50%
at layer 4 retain 50%
at layer 6: retain
at layer 8: retain 25% by norm(hidden via prune
use "other.eos
at layer 12: retain 25% via mix(0.6 merge 0.4 prune)
score x == norm(hidden)
at layer 16: retain .5
foo bar
  and baz
at layer 20: retain 25% via merge by norm(hidden)
"""


def test_ten_mistakes_give_ten_findings_one_a_line() -> None:
    problems = found_in(TEN_MISTAKES)
    assert [p.span.line if p.span else 0 for p in problems] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12]
    assert len({p.code for p in problems}) >= 6


def test_what_is_right_beside_a_mistake_is_kept() -> None:
    file, problems = parse_syntax(SourceFile("<text>", "at layer 2: retain 50%\nscore x = *\nat layer 8: retain 25%\n"))
    assert file is not None and len(problems) == 1
    assert [statement.span.line for statement in file.statements] == [1, 3]
    assert [(broken.keyword, broken.name, broken.span.line) for broken in file.broken] == [("score", "x", 2)]


def test_a_whole_statement_survives_junk_behind_it() -> None:
    file, problems = parse_syntax(SourceFile("<text>", "at layer 2: retain 50% ) )\nat layer 8: retain 25%"))
    assert file is not None and len(file.statements) == 2 and len(problems) == 1


def applied(text: str, problem: Diagnostic) -> str:
    assert problem.fix is not None
    for edit in sorted(problem.fix.edits, key=lambda edit: -edit.span.start):
        text = text[: edit.span.start] + edit.replacement + text[edit.span.end :]
    return text


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("att layer 2: retain 50%", "at layer 2: retain 50%"),
        ("at layer 2 retain 50%", "at layer 2: retain 50%"),
        ("at layer 2: 50% via merge", "at layer 2: retain 50% via merge"),
        ("at layer 2: retain 50% by norm(hidden via merge", "at layer 2: retain 50% by norm(hidden) via merge"),
        ("at layer 2: retain 50% via merge by norm(keys)", "at layer 2: retain 50% by norm(keys) via merge"),
        (
            "at layer 2: retain 5% with positions: mean via merge pick top",
            "at layer 2: retain 5% pick top via merge with positions: mean",
        ),
        ("at layer 2…8: retain 50%", "at layer 2..8: retain 50%"),
        ("at layer 2; retain 50%", "at layer 2: retain 50%"),
        ("at layers 2 8: retain 50%", "at layers 2, 8: retain 50%"),
    ],
)
def test_fixes_mend(wrong: str, right: str) -> None:
    problems = found_in(wrong)
    assert len(problems) == 1
    mended = applied(wrong, problems[0])
    assert mended == right
    assert found_in(mended) == []


def test_reading_goes_on_behind_a_mended_mistake() -> None:
    text = "at leyer 2 retain 50% bye norm(hidden)"
    file, problems = parse_syntax(SourceFile("<text>", text))
    assert [p.code for p in problems] == ["E0103", "E0108", "E0103"]
    assert file is not None
    statement = file.statements[0]
    assert isinstance(statement, tree.At) and statement.groups[0].by is not None
