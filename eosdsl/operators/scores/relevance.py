"""Likeness to the question."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from eosdsl.operators.base import CostContext, Feature, Probe, Score, TextProbe, Tokens, feature_probes

if TYPE_CHECKING:
    from torch import Tensor


class Relevance(Score):
    """How alike a token is to the features of the question, averaged over them.

    The text features must lie in the space of the token's: CLIP's text embedding beside CLIP's projected patches, or
    the question's embeddings at the decoder's input.
    """

    name: ClassVar[str] = "relevance"

    to: Literal["text"] = Field(default="text", description="what it is relevant to")
    of: Feature = Field(default="hidden", description="which features of the token")
    by: Literal["cosine", "dot"] = Field(default="cosine", description="normalised or plain inner product")

    @property
    def reads_text(self) -> bool:
        return True

    def probes(self) -> frozenset[Probe]:
        return feature_probes(self.of) | {TextProbe()}

    def macs(self, context: CostContext) -> int:
        return context.tokens * context.text_rows * context.feature_width(self.of)

    def compute(self, tokens: Tokens) -> Tensor:
        import torch

        from eosdsl.operators.tensors import features, text_features, unit_rows

        rows = features(tokens, self.of)
        text = text_features(tokens, rows.shape[-1])
        if self.by == "cosine":
            rows, text = unit_rows(rows), unit_rows(text)
        # the mean of inner products is the inner product with the mean
        if tokens.text_valid is None:
            mean = text.mean(dim=1)
        else:
            share = tokens.text_valid.to(text.dtype)[:, :, None]
            mean = (text * share).sum(dim=1) / share.sum(dim=1).clamp(min=1)
        return torch.linalg.vecdot(rows, mean.to(rows.dtype)[:, None]).float()
