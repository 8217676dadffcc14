"""Operators that reductions use and torch's ONNX exporter has no translation for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """For `custom_translation_table` of `torch.onnx.export`. Needs onnxscript."""
    sort: Any = torch.ops.aten.sort
    return {sort.stable: _stable_sort}


def _stable_sort(self: Any, stable: bool = False, dim: int = -1, descending: bool = False) -> Any:
    """A TopK of everything: between equal values ONNX puts the one with the lower index first, which is stable."""
    from onnxscript import ir, opset18

    op: Any = opset18
    size = op.Gather(op.Shape(self), op.Constant(value_ints=[dim]))
    small = self.dtype in (ir.DataType.UINT8, ir.DataType.BOOL, ir.DataType.INT8)
    keys = op.Cast(self, to=ir.DataType.INT64.value) if small else self
    values, indices = op.TopK(keys, size, axis=dim, largest=int(descending), sorted=1)
    return (op.Cast(values, to=self.dtype.value) if small else values), indices
