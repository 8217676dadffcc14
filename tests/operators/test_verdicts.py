"""What is known ahead about calls is what binding them says."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction

import pytest

from eosdsl.ir.quantities import Argument, Call, Quantity, Word
from eosdsl.operators.binding import check_call
from eosdsl.operators.verdicts import FILE, known_traits, traits, verdicts_text


def named(name: str, **words: str) -> Call:
    return Call(name=name, arguments=tuple(Argument(name=key, value=Word(name=word)) for key, word in words.items()))


def test_the_table_is_fresh() -> None:
    assert FILE.read_text(encoding="utf-8") == verdicts_text(), "run `python -m eosdsl.operators.verdicts`"


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (named("attention", query="last"), {"reads previous"}),
        (named("attention", query="last", layer="next"), set[str]()),
        (named("norm"), set[str]()),
        (Call(name="norm", arguments=(Argument(value=Word(name="keys")),)), {"reads previous"}),
    ],
)
def test_scores_say_what_they_read(call: Call, expected: set[str]) -> None:
    assert known_traits("scores", call) == expected
    assert check_call("scores", call) == []


def test_picks_and_behaviours_say_what_they_do() -> None:
    assert known_traits("picks", named("top")) == {"reads score"}
    assert known_traits("picks", named("uniform")) == set()
    assert known_traits("behaviours", named("merge", weight="mean")) == {"absorbs"}
    assert known_traits("behaviours", named("prune")) == set()


@pytest.mark.parametrize(
    "call",
    [
        named("attention", query="lst"),
        named("attention", question="last"),
        named("atention"),
        Call(name="attention", arguments=(*named("attention", query="last").arguments,) * 2),
    ],
)
def test_mistakes_are_not_in_the_table(call: Call) -> None:
    assert known_traits("scores", call) is None
    assert traits("scores", call) is None


def test_numbers_are_bound_in_full() -> None:
    call = Call(name="reweight", arguments=(Argument(name="temperature", value=Quantity(value=Fraction(1))),))
    assert known_traits("behaviours", call) is None
    assert traits("behaviours", call) == {"absorbs"}


def test_asking_imports_no_operator() -> None:
    program = (
        "import sys; from eosdsl.ir.quantities import Call; from eosdsl.operators.verdicts import traits\n"
        "traits('behaviours', Call(name='merge')); print('pydantic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"
