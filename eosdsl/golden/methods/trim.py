"""TRIM (arXiv 2409.10994): patches least like the text by CLIP, and the mean of the others."""

from __future__ import annotations

import torch

from eosdsl.golden.case import Case
from eosdsl.golden.comparing import Check, same_batches
from eosdsl.operators.step import apply_step


def run(case: Case) -> list[Check]:
    """CLIP's last norm and projection make what is compared with the text; the result is in half precision."""
    hidden = case.given("hidden")
    projected = torch.nn.functional.layer_norm(hidden, hidden.shape[-1:]) @ case.given("projection").mT
    count = int(float(case.parameter("ratio")) * hidden.shape[1])
    step = (
        f"retain {count} tokens by negate(relevance(text, of: keys, by: dot)) "
        "and retain 1 token pick extra via pool(weight: mean)"
    )
    made = apply_step(step, hidden, keys=projected, text=case.given("text_embeds"))
    kept = int(case.wanted("count").flatten()[0])
    wanted = case.wanted("hidden")[:, :kept]
    tolerance = max(case.tolerance, 1e-3)
    return [same_batches("rows", made.hidden.half().float(), wanted.float(), tolerance)]
