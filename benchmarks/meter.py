"""Bytes of tensors that a piece of work holds at most: exact, on any device, whatever else the machine does."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Meter(TorchDispatchMode):
    """Bytes that are held at most by what is made inside: `most`; and by one tensor: `largest`."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = self.largest = 0
        self._held: dict[int, int] = {}

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for one in tree_leaves(made):
            if isinstance(one, torch.Tensor):
                self._count(one.untyped_storage())
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()  # pyright: ignore[reportPrivateUsage]: the only name of a storage
        if key in self._held:
            return
        self._held[key] = size
        self.now += size
        self.most, self.largest = max(self.most, self.now), max(self.largest, size)
        weakref.finalize(storage, self._drop, key)

    def _drop(self, key: int) -> None:
        self.now -= self._held.pop(key, 0)
