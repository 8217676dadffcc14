"""Attention that a token receives from chosen query rows."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from eosdsl.operators.base import (
    AskedRows,
    AttentionProbe,
    AttentionRows,
    CostContext,
    Operator,
    Probe,
    Query,
    Score,
    Tokens,
)

if TYPE_CHECKING:
    from torch import Tensor


class TopHeads(Operator):
    """The mean over the heads that look at the visual tokens most."""

    name: ClassVar[str] = "top"

    count: int = Field(ge=1, description="how many heads")

    def macs(self, context: CostContext) -> int:
        return 0


class Attention(Score):
    """Post-softmax attention that a token receives from the query rows, averaged over them.

    `last` is the prompt's last row, `cls` the tower's class token, `text` the rows of the question, `raters` those
    text rows that look at the image more than the average one (SparseVLM, arXiv 2410.04417), `visual` the tokens of
    the image itself, `all` every row. `layer` says whose attention is read: the layer before the site, the one about
    to run, or one by number. Heads are put together first, row by row; `concat` does not split them at all (PruMerge,
    arXiv 2403.15388). FastV (arXiv 2403.06764) is `attention(query: last)`.
    """

    name: ClassVar[str] = "attention"

    query: Query = Field(default="last", description="the rows that look")
    layer: Literal["previous", "next"] | int = Field(default="previous", description="whose attention is read")
    heads: Literal["mean", "max", "sum", "concat"] | TopHeads = Field(
        default="mean", description="how heads are put together"
    )

    @property
    def probe(self) -> AttentionProbe:
        return AttentionProbe(self.query, self.layer, concatenated=self.heads == "concat")

    @property
    def reads_text(self) -> bool:
        return self.query not in ("cls", "visual")

    def probes(self) -> frozenset[Probe]:
        return frozenset({self.probe})

    def macs(self, context: CostContext) -> int:
        """Query projection and one row of logits for each row that looks; a look ahead also projects the keys."""
        rows = self._rows(context)
        inner = context.heads * context.head_width
        queries = rows * context.row_width * inner
        logits = rows * context.rows * inner
        keys = context.rows * context.row_width * context.kv_heads * context.head_width if self.layer == "next" else 0
        raters = context.text_rows * context.tokens * context.width if self.query == "raters" else 0
        return queries + logits + keys + raters

    def _rows(self, context: CostContext) -> int:
        if self.query in ("last", "cls"):
            return 1
        if self.query == "visual":
            return context.tokens * context.patches
        return context.text_rows if self.query in ("text", "raters") else context.rows

    def compute(self, tokens: Tokens) -> Tensor:
        rows = tokens.attention[self.probe]
        heads = _top_heads(rows, self.heads.count) if isinstance(self.heads, TopHeads) else None
        parts = (_sum_of_rows(self._reduce_heads(part, heads), part.row_valid) for part in rows.parts())
        total, number = reduce(lambda one, other: (one[0] + other[0], one[1] + other[1]), parts)
        return total / number.clamp(min=1)

    def _reduce_heads(self, rows: AttentionRows, chosen: Tensor | None) -> Tensor:
        """[G, H, R, N] → [G, R, N] float32; chosen [G, h]: of these heads only, None: of all."""
        weights = rows.weights.float()
        if chosen is not None:
            weights = weights.gather(1, chosen[:, :, None, None].expand(-1, -1, *weights.shape[2:]))
        if self.heads == "max":
            return weights.amax(dim=1)
        return weights.sum(dim=1) if self.heads == "sum" else weights.mean(dim=1)  # concat: the one head there is


def _sum_of_rows(weights: Tensor, row_valid: Tensor | None) -> tuple[Tensor, Tensor]:
    """[G, R, N] → [G, N]: the sum over the rows that count, and how many they are, [1 or G, 1]."""
    if row_valid is None:
        return weights.sum(dim=1), weights.new_full((1, 1), weights.shape[1])
    share = row_valid.to(weights.dtype)
    return (weights * share[:, :, None]).sum(dim=1), share.sum(dim=1, keepdim=True)


def _top_heads(rows: AttentionRows | AskedRows, count: int) -> Tensor:
    """[G, count]: the heads that look at the image most, ties to the lower head."""
    looks: list[Tensor] = []
    for part in rows.parts():
        weights = part.weights.float()
        seen = weights if part.row_valid is None else weights * part.row_valid[:, None, :, None]
        looks.append(seen.sum(dim=(2, 3)))
    return sum(looks[1:], looks[0]).sort(dim=1, descending=True, stable=True).indices[:, :count]
