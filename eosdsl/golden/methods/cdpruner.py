"""CDPruner (arXiv 2506.10967): a determinantal point process conditioned on the question."""

from __future__ import annotations

import torch

from eosdsl.golden.case import Case
from eosdsl.golden.comparing import Check, same_masks
from eosdsl.operators.step import apply_step
from eosdsl.operators.tensors import marked


def run(case: Case) -> list[Check]:
    """CLIP's image embeddings stand in for keys; the relevance is negated, and scaled over the whole batch."""
    features, embeds = case.given("features"), case.given("image_embeds")
    text = case.given("text_embeds").expand(len(features), -1, -1)
    step = (
        f"retain {case.parameter('retain')} tokens "
        "by normalise(negate(relevance(text, of: keys)), to: unit, over: batch) pick dpp"
    )
    made = apply_step(step, features, keys=embeds, text=text)
    found = marked(made.anchors, features.shape[1])
    return [same_masks("tokens kept", found, case.wanted("mask").to(torch.bool))]
