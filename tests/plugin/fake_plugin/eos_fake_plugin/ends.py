"""Anchors from both ends of the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from eosdsl.operators.base import CostContext, Pick, Tokens

if TYPE_CHECKING:
    from torch import Tensor


class Ends(Pick):
    """The first and the last tokens of an image, the odd one at the front."""

    name: ClassVar[str] = "ends"

    @property
    def uses_score(self) -> bool:
        return False

    def macs(self, context: CostContext) -> int:
        return 0

    def select(self, tokens: Tokens, scores: Tensor, free: Tensor, counts: Tensor, most: int) -> Tensor:
        import torch

        rows: list[Tensor] = []
        for image, count in zip(free, counts.tolist(), strict=True):
            left = image.nonzero().flatten()
            back = count // 2
            chosen = torch.cat([left[: count - back], left[len(left) - back :]])
            rows.append(torch.nn.functional.pad(chosen, (0, most - count), value=-1))
        return torch.stack(rows)
