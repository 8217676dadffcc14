"""A case: inputs, what the original made of them, and the parameters it was run with."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eosdsl.diagnostics import SpecError, error

_ARCHIVE = (zipfile.BadZipFile, zlib.error)  # what reading a damaged archive raises besides


@dataclass(frozen=True)
class Case:
    """One `.npz`. Tensors are looked up by name without `in_` or `out_`; what is missing is a SpecError (E0690)."""

    path: Path
    meta: Mapping[str, Any]
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]

    @property
    def method(self) -> str:
        return str(self.meta["method"])

    @property
    def tolerance(self) -> float:
        """The absolute tolerance of rows: what `meta` names, else 1e-5; at least 1e-3 for outputs in half precision."""
        named = float(self.meta.get("atol", 1e-5))
        return max(named, 1e-3) if any(is_half(one) for one in self.outputs.values()) else named

    def given(self, name: str) -> Tensor:
        return self._look_up(self.inputs, f"in_{name}", name)

    def wanted(self, name: str) -> Tensor:
        return self._look_up(self.outputs, f"out_{name}", name)

    def parameter(self, name: str) -> Any:
        if name not in self.meta:
            raise SpecError([_broken(self.path, f"`meta` has no `{name}`")])
        return self.meta[name]

    def _look_up(self, table: Mapping[str, Tensor], shown: str, name: str) -> Tensor:
        if name not in table:
            raise SpecError([_broken(self.path, f"there is no array `{shown}`")])
        return table[name]


def is_half(tensor: Tensor) -> bool:
    """Whether it is in a floating-point format of two bytes."""
    return tensor.is_floating_point() and tensor.element_size() == 2


def read_case(path: Path) -> Case:
    """The case in a file; SpecError (E0690) where it is not one."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        meta = json.loads(str(arrays.pop("meta")))
        tensors = {name: _tensor(array) for name, array in arrays.items()}
    except (OSError, EOFError, ValueError, TypeError, LookupError, NotImplementedError, *_ARCHIVE) as problem:
        raise SpecError([_broken(path, f"{type(problem).__name__}: {problem}")]) from problem
    if not isinstance(meta, dict) or "method" not in meta:
        raise SpecError([_broken(path, "`meta` does not name a method")])
    return Case(path, meta, _with_prefix(tensors, "in_"), _with_prefix(tensors, "out_"))


def _tensor(array: Any) -> Tensor:
    """The array as a tensor. NumPy has no bfloat16 and gives such numbers back as two bytes without a type."""
    if array.dtype == np.dtype("V2"):
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def _with_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _broken(path: Path, reason: str):
    return error("E0690", f"{path.name} is not a golden case", notes=(reason,))
