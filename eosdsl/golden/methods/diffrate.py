"""DiffRate (arXiv 2305.17997): the tail of the ranking goes into the nearest of the head."""

from __future__ import annotations

import torch

from eosdsl.golden.case import Case
from eosdsl.golden.comparing import Check, same_batches
from eosdsl.operators.step import apply_step


def run(case: Case) -> list[Check]:
    """Tokens come sorted by score; the class token in front is kept and takes in nothing."""
    hidden = case.given("hidden")
    step = f"retain {int(case.parameter('kept')) - 1} tokens by negate(position) via merge(weight: mean)"
    made = apply_step(step, hidden[:, 1:])
    rows = torch.cat([hidden[:, :1], made.hidden], dim=1)
    return [same_batches("rows", rows, case.wanted("hidden"), case.tolerance)]
