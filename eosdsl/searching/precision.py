"""Mixed precision: the model's forward in a narrow type, decision points and their gradients in float32."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, optim

from eosdsl.searching.settings import Precision

_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Precise:
    """Casts forwards, and scales losses where the type's range asks for it (fp16)."""

    def __init__(self, precision: Precision, device: torch.device) -> None:
        self._type = _TYPES.get(precision)
        self._device = device.type
        self._scaler: Any = torch.amp.GradScaler(self._device) if precision == "fp16" else None

    def cast(self) -> AbstractContextManager[Any]:
        """Around a forward."""
        return nullcontext() if self._type is None else torch.autocast(self._device, dtype=self._type)

    def backward(self, loss: Tensor) -> None:
        (loss if self._scaler is None else self._scaler.scale(loss)).backward()

    def unscale(self, optimiser: optim.Optimizer) -> None:
        """Bring the gradients to their own scale."""
        if self._scaler is not None:
            self._scaler.unscale_(optimiser)

    def step(self, optimiser: optim.Optimizer, finite: bool) -> None:
        """A step of the optimiser, unless something is not finite; the scale learns of it in both cases."""
        if finite:
            optimiser.step()
        if self._scaler is not None:
            self._scaler.update()

    def state(self) -> dict[str, Any]:
        return {} if self._scaler is None else self._scaler.state_dict()

    def load(self, state: dict[str, Any]) -> None:
        if self._scaler is not None:
            self._scaler.load_state_dict(state)
