"""What tells one model's weights from another's, the same for whoever asks: evaluations, searches, their comparison."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import Tensor

DIGITS = 12


def weights_digest(model: Any) -> str:
    """The first digits of the sha256 over a model's tensors by name, as they are in memory.

    Loaded in another dtype it is another model: its answers differ. Tensors that are not in memory (offloaded to disk)
    stand with their shapes alone.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(_bytes(tensor))
    return digest.hexdigest()[:DIGITS]


def _bytes(tensor: Tensor) -> Any:
    if tensor.is_meta:
        return repr(tuple(tensor.shape)).encode()
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
