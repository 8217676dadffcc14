"""VisionZip (arXiv 2412.04467): dominant tokens by class attention, contextual ones that take in the rest."""

from __future__ import annotations

import torch

from eosdsl.golden.case import Case
from eosdsl.golden.comparing import Check, same_batches, same_indices
from eosdsl.operators.step import apply_step


def run(case: Case) -> list[Check]:
    """As published: the class token counts as dominant, and a contextual token is its target plus its members' mean."""
    hidden, attention, keys = case.given("hidden"), case.given("attention"), case.given("keys")
    dominant = int(case.parameter("dominant_including_cls")) - 1
    score = "attention(query: cls, heads: sum)"
    step = (
        f"retain {dominant} tokens by {score} via prune and retain {case.parameter('contextual')} tokens "
        "pick uniform via merge(similarity: cosine(keys), combine: add_mean) with order: anchors_then_rest"
    )
    made = apply_step(step, hidden[:, 1:], keys=keys[:, 1:], attention=attention[:, :, :1, 1:])
    rows = torch.cat([hidden[:, :1], made.hidden], dim=1)
    chosen = torch.cat([made.anchors.new_zeros((len(rows), 1)), made.anchors[:, :dominant] + 1], dim=1)
    checks = [
        same_indices("dominant tokens", one, other) for one, other in zip(chosen, case.wanted("index"), strict=True)
    ]
    return [*checks, same_batches("rows", rows, case.wanted("hidden"), case.tolerance)]
