"""Average pooling over windows of the patch grid."""

from __future__ import annotations

import re

from eosdsl.golden.case import Case
from eosdsl.golden.comparing import Check, same_batches
from eosdsl.operators.step import apply_step


def run(case: Case) -> list[Check]:
    """The window is in the method's name: `2x2 average pooling over the patch grid`."""
    window = re.search(r"\d+x\d+", case.method)
    size = window.group() if window else "2x2"
    rows, columns = case.parameter("grid")
    made = apply_step(f"pick grid({size}) via pool(within: window({size}))", case.given("hidden"), grid=(rows, columns))
    return [same_batches("rows", made.hidden, case.wanted("hidden"), case.tolerance)]
