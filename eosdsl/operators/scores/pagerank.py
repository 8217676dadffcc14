"""Importance by attention passed on: tokens that important tokens look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from eosdsl.operators.base import AttentionProbe, CostContext, Probe, Score, Tokens

if TYPE_CHECKING:
    from torch import Tensor


class PageRank(Score):
    """PageRank over the attention among the visual tokens, sharpened by a temperature (AIM, arXiv 2412.03248).

    Each head passes a uniform distribution on `iterations` times along softmax(logits / temperature); the score is the
    root mean square over the heads. In a causal decoder it gathers at the first tokens: a bias of order, not of
    content.
    """

    name: ClassVar[str] = "pagerank"

    iterations: int = Field(default=5, ge=1, description="how often attention is passed on")
    temperature: float = Field(default=0.1, gt=0, description="small sharpens the attention that is passed on")
    layer: Literal["previous", "next"] | int = Field(default="previous", description="whose attention is read")

    @property
    def probe(self) -> AttentionProbe:
        return AttentionProbe("visual", self.layer)

    def probes(self) -> frozenset[Probe]:
        return frozenset({self.probe})

    def macs(self, context: CostContext) -> int:
        inner = context.heads * context.head_width
        keys = context.rows * context.row_width * context.kv_heads * context.head_width if self.layer == "next" else 0
        attention = context.tokens * context.patches * (context.row_width + context.rows) * inner
        return attention + keys + self.iterations * context.heads * context.tokens * context.tokens

    def compute(self, tokens: Tokens) -> Tensor:
        import torch

        from eosdsl.operators.tensors import present, working

        rows = present(tokens)
        weights = working(tokens.attention[self.probe].weights)
        # softmax(logits / t) from softmax(logits): logarithms differ from logits by a constant per row
        logits = (weights.log() / self.temperature).masked_fill(~rows[:, None, None, :], -torch.inf)
        nowhere = (logits == -torch.inf).all(dim=3, keepdim=True)
        passed = logits.masked_fill(nowhere, 0.0).softmax(dim=3).masked_fill(nowhere, 0.0)
        share = rows.to(passed.dtype)
        mass = (share / share.sum(dim=1, keepdim=True).clamp(min=1))[:, None, None, :].expand(
            -1, passed.shape[1], -1, -1
        )
        for _ in range(self.iterations):
            mass = mass @ passed
        return mass.squeeze(2).square().mean(dim=1).sqrt().float()
