"""DivPrune (arXiv 2503.02175): max-min diversity."""

from __future__ import annotations

from eosdsl.golden.case import Case
from eosdsl.golden.comparing import Check, same_indices
from eosdsl.operators.step import apply_step


def run(case: Case) -> list[Check]:
    made = apply_step(f"retain {case.parameter('retain')} tokens pick diverse", case.given("features")[None])
    return [same_indices("tokens kept", made.anchors[0], case.wanted("kept"))]
