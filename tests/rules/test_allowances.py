"""`# eos: allow(…)`: what it takes back, and what is said where it takes nothing back."""

from __future__ import annotations

import pytest

from eosdsl.checking import check
from eosdsl.fixing import apply_fixes

ZERO = "by attention(query: last) + 0 * norm(hidden)"
STATEMENT = f"at layer 2: retain 50% {ZERO}"


def codes(text: str) -> list[str]:
    return [d.code for d in check(text)]


@pytest.mark.parametrize(
    "text",
    [
        f"{STATEMENT}  # eos: allow(W0381)",
        f"{STATEMENT}  # eos: allow( w0381 )",
        f"{STATEMENT}  # why it is so; eos: allow(W0381)",
        f"# eos: allow(W0381)\n{STATEMENT}",
        f"# eos: allow(W0381)\n\n# another comment\n{STATEMENT}",
        f"# eos: allow(W0381)\nat layer 2:\n  retain 50%\n  {ZERO}",
        f"at layer 2:\n  # eos: allow(W0381)\n  retain 50%\n  {ZERO}",
        f"at layer 5: retain 30% by norm(hidden)\n{STATEMENT}\n# eos: allow-file(W0381)",
    ],
)
def test_a_warning_is_taken_back(text: str) -> None:
    assert codes(text) == []


@pytest.mark.parametrize(
    "text",
    [
        f"{STATEMENT}  # eos: allow(W0380)",
        f"{STATEMENT}\n# eos: allow(W0381)",
        f"# eos: allow(W0381)\nat layer 5: retain 30% by norm(hidden)\n{STATEMENT}",
        f"at layer 5: retain 30% by norm(hidden)  # eos: allow(W0381)\n{STATEMENT}",
    ],
)
def test_elsewhere_it_takes_nothing_back_and_is_reported(text: str) -> None:
    assert sorted(codes(text)) == ["W0190", "W0381"]


def test_several_codes_are_told_apart() -> None:
    text = f"{STATEMENT} pick uniform  # eos: allow(W0381, W0382, W0380)"
    (found,) = check(text)
    assert found.code == "W0190"
    assert found.span is not None
    assert text[found.span.start : found.span.end] == "W0380"


def test_an_unknown_code_is_reported_with_the_nearest() -> None:
    (found,) = check("at layer 2: retain 50% by norm(hidden)  # eos: allow(W038)")
    assert found.code == "W0191"
    assert found.helps[0].startswith("did you mean W038")


@pytest.mark.parametrize("code", ["E0302", "I0354"])
def test_only_warnings_can_be_allowed(code: str) -> None:
    found = check(f"at layer 2: retain 50% by norm(hidden)  # eos: allow({code})")
    assert [d.code for d in found] == ["E0190"]


def test_the_fix_takes_the_comment_out() -> None:
    text = "at layer 2: retain 50% by norm(hidden)  # eos: allow(W0381)\n"
    mended, count = apply_fixes(text, check(text))
    assert (mended, count) == ("at layer 2: retain 50% by norm(hidden)\n", 1)


def test_other_comments_are_just_comments() -> None:
    assert codes("# eos: allow\n# allow(W0381)\n# eos 1: allowed\nat layer 2: retain 50% by norm(hidden)") == []
