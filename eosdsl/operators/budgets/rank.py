"""As many as the attention's rank calls for."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from eosdsl.operators.base import AttentionProbe, Budget, CostContext, Decision, Pick, Probe, Query, Tokens

if TYPE_CHECKING:
    from torch import Tensor


class Rank(Budget):
    """The rank of the attention of the text's rows over the tokens, times a scale, rounded down; at least one token.

    Heads are averaged; singular values below the greatest times max(rows, tokens) times the precision count as zero.
    SparseVLM 1.0 (arXiv 2410.04417) is `rank(13.5)`; it never keeps all, nor does this.
    """

    name: ClassVar[str] = "rank"

    scale: float = Field(gt=0, description="tokens per unit of rank")
    query: Query = Field(default="raters", description="the rows that look")

    @property
    def uses_score(self) -> bool:
        return False

    @property
    def probe(self) -> AttentionProbe:
        return AttentionProbe(self.query)

    def probes(self) -> frozenset[Probe]:
        return frozenset({self.probe})

    def macs(self, context: CostContext) -> int:
        """The attention rows, and a singular value decomposition of rows x tokens."""
        inner = context.heads * context.head_width
        attention = context.text_rows * (context.width + context.rows) * inner
        return attention + context.text_rows * context.text_rows * context.tokens

    def decide(self, tokens: Tokens, scores: Tensor, free: Tensor, pick: Pick) -> Decision:
        import torch

        rows = tokens.attention[self.probe]
        block = rows.weights.float().mean(dim=1) * free[:, None, :]
        if rows.row_valid is not None:
            block = block * rows.row_valid[:, :, None]
        rank = torch.linalg.matrix_rank(block)
        wanted = (rank * self.scale).floor().long()
        return Decision(torch.minimum(wanted, free.sum(dim=1) - 1).clamp(min=1))
