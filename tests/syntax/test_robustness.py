"""No text makes the language fail: a tree, diagnostics, or both, and never another exception."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from strategies import files, operators, text_of

from eosdsl.diagnostics import SpecError
from eosdsl.passes.resolve import resolve
from eosdsl.source import SourceFile
from eosdsl.syntax.format import format_text
from eosdsl.syntax.parse import MOST_MISTAKES, parse_syntax, parse_value

SOME = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def read(text: str) -> list[str]:
    """The codes found, by the whole front end; every span lies within the text."""
    source = SourceFile("<text>", text)
    file, problems = parse_syntax(source)
    if file is not None:
        program, more = resolve(file, source)
        problems = [*problems, *more]
        assert program is not None or any(problem.is_error for problem in problems)
    for problem in problems:
        assert problem.message and problem.code
        for label in problem.labels:
            assert 0 <= label.span.start <= label.span.end <= len(text)
            assert source.line_column(label.span.start) == (label.span.line, label.span.column)
    try:
        format_text(text)
    except SpecError as refused:
        assert refused.diagnostics
    return [problem.code for problem in problems]


SCRAPS = st.sampled_from(
    [
        "at", "layer", "layers", "2..8", "..", ":", "retain", "50%", "64 tokens", "?", "{", "}", "(", ")", ",", "->",
        "by", "norm(hidden)", "*", "+", "-", "pick", "via", "mix", "with", "and", "use", '"x"', '"', "param", "=",
        "score", "space", "operator", "x", "any", "of", "encoder", "output", "input", "minimise", "subject", "to",
        "search", "expect", "<=", "# c\n", "\n", "1/0", "1e400", "\ufeff", "\r", "…", "é", "\x00", "2x2", "prior",
        "along", "cosine", "eos", "1", "depth", "all",
    ]
)  # fmt: skip


@given(st.lists(SCRAPS, max_size=40).map(" ".join))
@SOME
def test_scraps(text: str) -> None:
    read(text)


@given(st.text(max_size=60))
@SOME
@example("\ud800")
@example("\x0b\x0c\x1c\x85\u2028at layer 2")
def test_any_unicode(text: str) -> None:
    read(text)


@given(st.data(), operators())
@SOME
def test_mutated_specs(data: st.DataObject, text: str) -> None:
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        end = min(len(text), at + data.draw(st.integers(0, 6)))
        text = text[:at] + data.draw(st.one_of(SCRAPS, st.text(max_size=3))) + text[end:]
    read(text)


@given(files())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_the_grammar_allows(statements: object) -> None:
    assert isinstance(statements, tuple)
    read(text_of(statements))


DEEP = 20_000
EXTREMES = {
    "deep parentheses": ("at layer 2: retain 50% by " + "(" * DEEP + "norm(hidden)" + ")" * DEEP, "E0106"),
    "deep calls": ("at layer 2: retain 50% by " + "negate(" * DEEP + "position" + ")" * DEEP, "E0106"),
    "deep signs": ("at layer 2: retain 50% by " + "-" * DEEP + "position", "E0106"),
    "deep holes": ("at layer 2: retain 50% pick " + "? {" * DEEP, "E0106"),
    "only parentheses": ("(" * DEEP, "E0102"),
    "a huge number": ("at layer 2: retain " + "9" * 100_000 + "%", "E0105"),
    "a huge exponent": ("at layer 2: retain 1e999999999%", "E0105"),
    "a tiny exponent": ("at layer 2: retain 1e-999999999%", "E0105"),
    "a huge fraction": ("at layer 2: retain 1/" + "9" * 100_000, "E0105"),
    "a huge layer": ("at layer 99999999999999999999999999: retain 50%", None),
    "a huge range": ("at layers 0..999999999999: retain 50%", "E0344"),
    "a huge gradual range": ("at layer 0..999999999999: retain 50%", None),
    "a huge size": ("at layer 2: retain 50% pick grid(99999999999999x9)", None),
    "a line of many terms": ("at layer 2: retain 50% by " + " + ".join(["norm(hidden)"] * 8_000), None),
    "a comment of a megabyte": ("# " + "x" * 1_000_000 + "\nat layer 2: retain 50%", None),
    "a name of a megabyte": ("operator " + "x" * 1_000_000, None),
    "a text of a megabyte without end": ('use "' + "x" * 1_000_000, "E0104"),
    "a megabyte of noise": ("€" * 1_000_000, "E0101"),
    "many quotes": ('"' * 200_001, "E0102"),
    "mistakes without end": ("at at\n" * 50_000, "E0102"),
    "no statement, many words": ("foo bar\n" * 50_000, "E0102"),
    "carriage returns alone": ("at layer 2:\r retain 50%\r# c\rvia merge\r", None),
    "windows line ends": ("at layer 2:\r\n  retain 50%\r\n", None),
    "a byte-order mark": ("\ufeffat layer 2: retain 50%", None),
    "byte-order marks inside": ("at layer\ufeff 2: retain 50%", None),
    "a NUL": ("at layer 2: retain 50%\x00", "E0101"),
    "a path with a NUL": ('use "a\x00b"', "E0213"),
    "lone surrogates": ("at layer \ud800: retain 50%", "E0101"),
    "other digits": ("at layer ٣: retain 50%", "E0101"),
    "letters beyond ASCII": ("operator modèle", "E0101"),
    "many params in a chain": ("".join(f"param p{i} = p{i + 1}\n" for i in range(300)) + "param p300 = 5%", "E0106"),
    "many scores in a chain": (
        "".join(f"score s{i} = s{i + 1}\n" for i in range(300)) + "score s300 = norm(hidden)",
        "E0106",
    ),
    "doubling scores": (
        "".join(f"score s{i} = s{i + 1} + s{i + 1}\n" for i in range(40))
        + "score s40 = norm(hidden)\nat layer 2: retain 5% by s0",
        "E0106",
    ),
}


@pytest.mark.parametrize(("text", "code"), EXTREMES.values(), ids=EXTREMES)
def test_extremes(text: str, code: str | None) -> None:
    found = read(text)
    assert len(found) <= 2 * MOST_MISTAKES + 2
    if code is None:
        assert "E0106" not in found
    else:
        assert code in found


@given(st.one_of(st.text(max_size=30), st.lists(SCRAPS, max_size=8).map(" ".join)))
@SOME
def test_values_of_settings(text: str) -> None:
    written, problems = parse_value(text)
    assert written is not None or problems
