"""Stage 2, align: tower and projector learn to say per patch what the oracle would. Labels are free in this world."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers.models.llava.modeling_llava import LlavaModel

from eosdsl.tasks.scene import CELL_COLORS, KINDS
from eosdsl.zoo.tiny_llava import MEAN, STD, USED_LAYERS
from eosdsl.zoo.train_tokens import Codes

_FOREGROUND = 6.0
"""Weight of a cell with something in it; most cells are empty."""
_SHARPNESS = 12.0
"""Logits of a perfect token against its own code."""


class Summary(nn.Module):
    """What the CLS token has to know: which kinds and colours the image holds. Only so does its attention mean
    anything, which scores like `attention(from: cls)` build on. Not part of the model."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.head = nn.Linear(width, len(KINDS) + len(CELL_COLORS))

    def forward(self, cls: Tensor, kinds: Tensor, colors: Tensor) -> Tensor:
        """Binary cross entropy of what is present; cls [B, D], labels [B, V]."""
        present = torch.zeros(cls.shape[0], self.head.out_features)
        present.scatter_(1, kinds, 1.0).scatter_(1, len(KINDS) + colors, 1.0)
        return nn.functional.binary_cross_entropy_with_logits(self.head(cls), present)


def to_pixels(images: Tensor) -> Tensor:
    """uint8 images [B, H, W, 3] as the processor would hand them over [B, 3, H, W]."""
    mean, std = torch.tensor(MEAN), torch.tensor(STD)
    return ((images.float() / 255 - mean) / std).permute(0, 3, 1, 2).contiguous()


def encode(model: LlavaModel, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Projected patches [B, V, D] and the CLS feature [B, D_v], running no layer of the tower that goes unused."""
    tower = model.vision_tower
    hidden = tower.pre_layrnorm(tower.embeddings(pixels))
    for layer in tower.encoder.layers[:USED_LAYERS]:
        hidden = layer(hidden, attention_mask=None)
    return model.multi_modal_projector(hidden[:, 1:]), hidden[:, 0]


def patch_loss(
    tokens: Tensor, codes: Codes, kinds: Tensor, colors: Tensor, parts: Tensor, *, placed: bool = True
) -> tuple[Tensor, Tensor]:
    """Loss of projected patches [B, V, D] against oracle tokens of labels [B, V], with their places or (not `placed`)
    without, and which kinds are right [B, V].

    Squared error to the oracle token, and cross entropy of each label when the token is compared with all codes.
    """
    cells = torch.arange(tokens.shape[1]).expand(tokens.shape[0], -1)
    target = codes(kinds, colors, parts, cells) if placed else codes.content(kinds, colors, parts)
    weight = 1 + (_FOREGROUND - 1) * (kinds > 0).float()
    loss = (weight * (tokens - target).square().mean(dim=-1)).sum() / weight.sum()
    guesses: list[Tensor] = []
    for table, labels in ((codes.kind, kinds), (codes.color, colors), (codes.part, parts)):
        # the other codes of a token are known, and taken off: what is left should be this one
        rest = tokens - (target - table[labels])
        logits = _SHARPNESS * rest @ table.T / table.square().sum(dim=-1).mean()
        entropy = nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
        loss = loss + (weight.flatten() * entropy).sum() / weight.sum()
        guesses.append(logits.argmax(dim=-1) == labels)
    return loss, guesses[0]
