"""tiny-qwen-vl's tower on many images of one size at once, which its own forward would take one by one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers.models.qwen2_vl.modeling_qwen2_vl import apply_rotary_pos_emb_vision
from transformers.vision_utils import get_vision_position_ids

from eosdsl.zoo.tiny_qwen_vl import FRAMES, MERGE, PATCH


def to_patches(pixels: Tensor) -> Tensor:
    """Images [B, 3, H, W] as the processor would hand them over, one row a patch [B, N, 3 * 2 * 4 * 4]: patches that
    will be merged stand together, and a still image is every frame."""
    size, channels, height, width = pixels.shape
    rows, cols = height // (PATCH * MERGE), width // (PATCH * MERGE)
    blocks = pixels.reshape(size, channels, rows, MERGE, PATCH, cols, MERGE, PATCH)
    patches = blocks.permute(0, 2, 5, 3, 6, 1, 4, 7).unsqueeze(6).expand(-1, -1, -1, -1, -1, -1, FRAMES, -1, -1)
    return patches.reshape(size, rows * cols * MERGE**2, -1)


def encode(tower: Any, pixels: Tensor) -> Tensor:
    """Visual tokens [B, V, D] of images [B, 3, H, W]."""
    size = len(pixels)
    grid = torch.tensor([[1, pixels.shape[2] // PATCH, pixels.shape[3] // PATCH]])
    weight: Tensor = tower.patch_embed.proj.weight
    hidden = nn.functional.linear(to_patches(pixels), weight.flatten(1))
    turned = tower.rotary_pos_emb(hidden, get_vision_position_ids(grid, MERGE))
    for block in tower.blocks:
        hidden = hidden + _attend(block.attn, block.norm1(hidden), turned)
        hidden = hidden + block.mlp(block.norm2(hidden))
    return tower.merger(hidden).unflatten(0, (size, -1))


def _attend(attention: Any, hidden: Tensor, turned: tuple[Tensor, Tensor]) -> Tensor:
    size, count, width = hidden.shape
    query, key, value = attention.qkv(hidden).reshape(size, count, 3, attention.num_heads, -1).unbind(2)
    query, key = apply_rotary_pos_emb_vision(query, key, *turned)
    query, key, value = query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
    mixed = nn.functional.scaled_dot_product_attention(query, key, value, scale=attention.scaling)
    return attention.proj(mixed.transpose(1, 2).reshape(size, count, width))
