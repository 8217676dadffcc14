"""VisPruner (ICCV 2025): important tokens by class attention, and distinct ones among the rest."""

from __future__ import annotations

from eosdsl.golden.case import Case
from eosdsl.golden.comparing import Check, same_masks
from eosdsl.operators.step import apply_step
from eosdsl.operators.tensors import marked


def run(case: Case) -> list[Check]:
    features, attention = case.given("features"), case.given("cls_attention")[:, :, None]
    retain = int(case.parameter("retain"))
    important = int(retain * float(case.parameter("important_ratio")))
    score = "attention(query: cls)"
    step = (
        f"retain {important} tokens by {score} "
        f"and retain {retain - important} tokens by {score} pick distinct(per_round: 8)"
    )
    made = apply_step(step, features, attention=attention)
    return [same_masks("tokens kept", marked(made.anchors, features.shape[1]), case.wanted("mask").bool())]
