"""What the trainer needs of a relaxed program: that of `eosdsl.lowering.relaxing`, or one of a test."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from torch import Tensor, nn


class Learnable(Protocol):
    """A model whose forward depends on decision points, and on the networks of learned scores; `flow` holds the soft
    counts of the last forward.
    """

    temperature: Any

    @property
    def module(self) -> nn.Module: ...

    @property
    def learned(self) -> nn.Module: ...

    @property
    def flow(self) -> Any: ...

    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

    def values(self) -> Mapping[str, Tensor]: ...

    def off(self) -> AbstractContextManager[Any]: ...
