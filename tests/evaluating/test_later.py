"""A spec moved to a deeper decoder: what comes in at layer 0 stays there, all else is later."""

from __future__ import annotations

import eosdsl
from eosdsl.evaluating.later import later
from eosdsl.ir.nodes import DiscreteProgram
from eosdsl.ir.spell import spell

SPEC = """operator found
at layer 0: retain 40% by norm(hidden)
at layer 2: retain 20% by norm(hidden)
at layer 2 after attention: remove all
expect tokens(mean) <= 48 tokens
"""


def test_places_behind_the_first_layer_are_later_and_no_promise_is_kept() -> None:
    program = eosdsl.parse(SPEC)
    assert isinstance(program, DiscreteProgram)
    text = spell(later(program, 1))
    assert "at layer 0: retain 40%" in text and "at layer 3: retain 20%" in text
    assert "at layer 3 after attention: remove all" in text and "expect" not in text
    assert later(program, 0).steps == program.steps
