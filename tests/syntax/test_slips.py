"""Habits from elsewhere: one finding each, at the very place, with a remedy; a fix, where there is one, mends it."""

from __future__ import annotations

import pytest

import eosdsl
from eosdsl.diagnostics import Diagnostic, Severity

# what is written; the code; the text that is underlined; what is advised; the text after the fix
SLIPS: list[tuple[str, str, str, str, str | None]] = [
    ("At layer 2: retain 50%", "E0103", "At", "did you mean `at`?", "at layer 2: retain 50%"),
    ("at layer 2: keep 64 tokens", "E0103", "keep", "did you mean `retain`?", "at layer 2: retain 64 tokens"),
    ("at layer 2: drop 16 tokens", "E0103", "drop", "did you mean `remove`?", "at layer 2: remove 16 tokens"),
    ("at vision layer 3: retain 50%", "E0103", "vision", "did you mean `encoder`?", "at encoder layer 3: retain 50%"),
    ("at decoder layer 2: retain 50%", "E0102", "decoder", "written without it", "at  layer 2: retain 50%"),
    ("at output: retain 64 tokens", "E0102", "output", "`encoder output`", "at encoder output: retain 64 tokens"),
    ("at layer 2-8: retain 25%", "E0102", "-", "did you mean `..`?", "at layer 2..8: retain 25%"),
    ("at layer 2...8: retain 25%", "E0101", ".", "a range is written", "at layer 2..8: retain 25%"),
    ("at layers 2 and 8: retain 50%, 25%", "E0102", "and", "did you mean `,`?", "at layers 2 , 8: retain 50%, 25%"),
    ("at layer 2: retain 50 percent", "E0102", "50 percent", "`50%`", "at layer 2: retain 50%"),
    ("at layer 2: retain 50％", "E0101", "％", "did you mean `%`?", "at layer 2: retain 50%"),
    ("at layer 2..8: retain 100% => 25%", "E0102", "=>", "`->`", "at layer 2..8: retain 100% -> 25%"),
    ("at layer 2: retain 50%, by norm(keys)", "E0102", ",", "without commas", "at layer 2: retain 50% by norm(keys)"),
    ("at layer 2: retain 50%;", "E0101", ";", "leave it out", "at layer 2: retain 50%"),
    (
        "at layer 2: retain 50% by norm(of=keys)", "E0102", "=", "did you mean `:`?",
        "at layer 2: retain 50% by norm(of:keys)",
    ),
    (
        "at layer 2: retain 50% via merge with positions=mean", "E0102", "=", "did you mean `:`?",
        "at layer 2: retain 50% via merge with positions:mean",
    ),
    (
        "at layer 2: retain 50% by 0.7 norm(keys)", "E0108", "0.7", "`*` goes after this",
        "at layer 2: retain 50% by 0.7 * norm(keys)",
    ),
    (
        "at layer 2: retain 50% via mix(0.7 * merge)", "E0102", "*", "right before its behaviour",
        "at layer 2: retain 50% via mix(0.7  merge)",
    ),
    (
        "at layer 2: retain 50% via mix(merge: 0.7)", "E0102", "merge: 0.7", "`0.7 merge`",
        "at layer 2: retain 50% via mix(0.7 merge)",
    ),
    (
        "at layer 2: retain 50% via mix(0.6 merge))", "E0102", ")", "closed already",
        "at layer 2: retain 50% via mix(0.6 merge)",
    ),
    ("at layer 2: via merge retain 50%", "E0102", "retain", "how many first", None),
    ("at input: pick grid 2x2 via pool", "E0102", "grid 2x2", "`grid(2x2)`", "at input: pick grid(2x2) via pool"),
    ("at input: pick grid(2, 2) via pool", "E0224", "2", "`grid(2x2)`", None),
    ("at layers [8, 16]: retain 50%, 25%", "E0101", "[", "without brackets", None),
    ("use 'a.eos'\nat layer 2: retain 50%", "E0101", "'", "double quotes", None),
    ("operator for llava\nat layer 2: retain 50%", "E0102", "for", "`operator NAME for llava`", None),
    ("if x: retain 50%", "E0102", "if", "`at layer 2: retain 50% via prune`", None),
    (
        "at layer 2: retain 50%\nexpect tokens(mean) =< 300", "E0102", "=<", "`<=`",
        "at layer 2: retain 50%\nexpect tokens(mean) <= 300",
    ),
    (
        "at layer 2: retain 50%\nexpect tokens(mean) < 300", "E0205", "<", "write `<=`",
        "at layer 2: retain 50%\nexpect tokens(mean) <= 300",
    ),
    (
        "at layer 2: retain 50% via reweight(temp: 0.2)", "E0221", "temp", "`temperature`",
        "at layer 2: retain 50% via reweight(temperature: 0.2)",
    ),
    ("at depth 0.25: retain 50%", "E0344", "0.25", "percentage", "at depth 25%: retain 50%"),
    (
        "operator a\nat layer 2: retain 50%\noperator b\nat layer 2: retain 50%", "E0112", "operator b",
        "a second one", None,
    ),
]  # fmt: skip


def errors(text: str) -> list[Diagnostic]:
    return [d for d in eosdsl.check(text) if d.severity is Severity.ERROR]


def applied(text: str, problem: Diagnostic) -> str:
    assert problem.fix is not None
    for edit in sorted(problem.fix.edits, key=lambda edit: -edit.span.start):
        text = text[: edit.span.start] + edit.replacement + text[edit.span.end :]
    return text


@pytest.mark.parametrize(("text", "code", "underlined", "advice", "mended"), SLIPS, ids=[row[0][:40] for row in SLIPS])
def test_one_finding_with_its_place_and_remedy(
    text: str, code: str, underlined: str, advice: str, mended: str | None
) -> None:
    (problem,) = errors(text)
    assert problem.code == code and problem.span is not None
    assert text[problem.span.start : problem.span.end] == underlined
    assert advice in " ".join((*problem.helps, *(label.text for label in problem.labels)))
    if mended is None:
        return
    assert applied(text, problem) == mended
    assert errors(mended) == []


def test_choices_in_brackets_are_choices_all_the_same() -> None:
    text = "space s\nat layer 2: retain ? 5%..50% pick ? [top, diverse]\nminimise task\n"
    found = errors(text)
    assert [d.code for d in found] == ["E0101", "E0101"]
    assert [text[d.span.start] for d in found if d.span] == ["[", "]"]


def test_what_follows_from_a_mistake_is_not_reported() -> None:
    """The space would have something open, the budget a unit, the groups a count, were it not for one character."""
    assert [d.code for d in errors("space s\nat layer 2: retain ?? 2%..60%\nminimise task")] == ["E0102"]
    assert [d.code for d in errors("at layer 2: retain 50 by norm(keys) pick top §")] == ["E0101"]
    both = errors("at layer 2: retain 50 §\nat layer 3: retain 50")
    assert [(d.code, d.span.line) for d in both if d.span] == [("E0101", 1), ("E0204", 2)]
