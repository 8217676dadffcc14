"""What tells one model's weights from another's, the same for whoever asks: evaluations, searches, their comparison."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

DIGITS = 12


def weights_digest(model: Any) -> str:
    """The first digits of the sha256 over a model's tensors by name, as they are in memory.

    Loaded in another dtype it is another model: its answers differ. Tensors that are not in memory (offloaded to disk)
    stand with their shapes alone.
    """
    return tensors_digest(model.state_dict())


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """The same of tensors by name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(_bytes(tensor))
    return digest.hexdigest()[:DIGITS]


def _bytes(tensor: Tensor) -> Any:
    if tensor.is_meta:
        return repr(tuple(tensor.shape)).encode()
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
