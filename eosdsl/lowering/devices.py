"""Models whose layers lie on several devices: what a reduction knows goes where its rows are.

Layers fetch what they are called with (accelerate's hooks send every argument to the layer's device, and rows stay
where the layer put them). A reducer works on the device on which the rows reach it, that of the layer in front: what
travels beside the rows is brought there first, and what a layer behind answers is brought back.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

Value = TypeVar("Value")


def on(value: Value, device: torch.device) -> Value:
    """`value` with all tensors in it on `device`: a tensor, what has a `to` of its own (the masks of flex attention),
    or a frozen dataclass, a tuple or a mapping of such. What is there already is given back as it is.
    """
    moved: Any = _on(value, device)
    return moved


def _on(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value if value.device == device else value.to(device)
    if is_dataclass(value):
        assert not isinstance(value, type)
        own = {field.name: getattr(value, field.name) for field in fields(value)}
        moved = {name: _on(one, device) for name, one in own.items()}
        changed = {name: one for name, one in moved.items() if one is not own[name]}
        return replace(value, **changed) if changed else value
    if isinstance(value, tuple):
        parts: list[Any] = [_on(one, device) for one in value]
        if all(one is other for one, other in zip(parts, value, strict=True)):
            return value
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if isinstance(value, dict):
        return {name: _on(one, device) for name, one in value.items()}
    move = getattr(value, "to", None)
    return value if move is None else move(device)
