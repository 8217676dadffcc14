"""The state of a search in one file, written beside and renamed: a kill at any moment leaves the last one whole.

Tensors (decision points, the optimiser's moments) as safetensors, everything else as JSON in its header. Nothing is
pickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn, optim

from eosdsl.diagnostics import SpecError, error
from eosdsl.writing import file_in_one_piece

_HEADER = "eosdsl_search"
_PARAMETER, _MOMENT = "parameter/", "optimiser/"


@dataclass(frozen=True)
class Checkpoint:
    """Where a search is: `tensors` by name, `state` as JSON."""

    tensors: Mapping[str, Tensor]
    state: Mapping[str, Any]


def save(
    path: Path, parameters: Mapping[str, nn.Parameter], optimiser: optim.Optimizer, state: Mapping[str, Any]
) -> None:
    """Write the state of a search. Raises SpecError (E060x) where it cannot be written."""
    names = {id(parameter): name for name, parameter in parameters.items()}
    tensors = {f"{_PARAMETER}{name}": parameter.detach() for name, parameter in parameters.items()}
    for parameter, moments in optimiser.state.items():
        for key, value in moments.items():
            if isinstance(value, Tensor):
                tensors[f"{_MOMENT}{names[id(parameter)]}/{key}"] = value
    with file_in_one_piece(path) as unfinished:
        whole = {name: tensor.contiguous().cpu().clone() for name, tensor in tensors.items()}
        save_file(whole, unfinished, metadata={_HEADER: json.dumps(dict(state))})


def load(path: Path) -> Checkpoint:
    """Read a checkpoint. Raises SpecError (E0670) where it is none."""
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads((file.metadata() or {})[_HEADER])
            return Checkpoint({name: file.get_tensor(name) for name in file.keys()}, state)  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, ValueError) as problem:
        reason = " ".join(str(problem).split())[:200]
        raise SpecError([error("E0670", f"{path} is no checkpoint of a search: {reason}")]) from problem


def restore(checkpoint: Checkpoint, parameters: Mapping[str, nn.Parameter], optimiser: optim.Optimizer) -> None:
    """Put decision points and the optimiser's moments back. Raises SpecError (E0670) where they do not fit."""
    for name, parameter in parameters.items():
        stored = checkpoint.tensors.get(f"{_PARAMETER}{name}")
        if stored is None or stored.shape != parameter.shape:
            raise SpecError([error("E0670", f"the checkpoint has no decision point `{name}` of this shape")])
        parameter.data.copy_(stored)
        prefix = f"{_MOMENT}{name}/"
        moments = {
            key.removeprefix(prefix): value.clone()
            for key, value in checkpoint.tensors.items()
            if key.startswith(prefix)
        }
        if moments:
            optimiser.state[parameter] = {
                key: value if key == "step" else value.to(parameter.device) for key, value in moments.items()
            }
