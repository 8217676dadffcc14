"""The networks of an operator's learned scores: built for a model, and given their numbers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import torch
from torch import Tensor, nn

from eosdsl.cost.learned import Asked
from eosdsl.diagnostics import Diagnostic, SpecError, warning
from eosdsl.lowering.refusals import refuse
from eosdsl.reading import os_error_diagnostic

TENSORS = "operator.safetensors"
"""What the file of learned numbers is called in the folder of a compiled operator."""

Given = str | os.PathLike[str] | Mapping[str, Tensor] | nn.Module
"""Learned numbers: a safetensors file, the folder of a compiled operator, tensors by name, or a module that has them.
"""


class SiteNetworks(nn.Module):
    """The networks that one site asks, by the names that the spec gives them."""

    def __init__(self, own: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.names = tuple(own)
        self.networks = nn.ModuleList(own.values())

    def forward(self, hidden: Tensor, presence: Tensor | None) -> dict[str, Tensor]:
        """hidden [G, N, D], presence [G, N] or None for all → scores [G, N] by name. Networks follow the rows to their
        device.
        """
        if not self.names:
            return {}
        there = hidden.new_ones(hidden.shape[:2]) if presence is None else presence
        for network in self.networks:
            first = next(network.parameters(), None)
            if first is not None and first.device != hidden.device:
                network.to(hidden.device)
        return {name: network(hidden, there) for name, network in zip(self.names, self.networks, strict=True)}


def networks(asked: Sequence[Asked], given: Given | None = None, pool: nn.ModuleDict | None = None) -> nn.ModuleDict:
    """A network for every key, with the numbers that are given, else those that the key draws; `pool`: networks that
    are taken as they are, where their key is asked.

    Raises:
        SpecError: E0437 where one name means two networks at a site; E0459 where the numbers cannot be read, or are not
            those of these networks.
    """
    made: dict[str, nn.Module] = {}
    kinds: dict[str, Asked] = {}
    for one in asked:
        if kinds.setdefault(one.key, one) != one:
            refuse("E0437", f"`{one.name}` names two kinds of networks at one site", "name one of them", span=one.span)
        if pool is not None and one.key in pool:
            made[one.key] = pool[one.key]
        else:
            made[one.key] = one.network.build(one.width, crc32(one.key.encode()))
    every = nn.ModuleDict(made)
    if given is not None:
        fill(every, tensors_of(given))
    return every


def at_site(every: nn.ModuleDict, asked: Sequence[Asked]) -> SiteNetworks:
    """Of all networks those that a site asks."""
    return SiteNetworks({one.name: every[one.key] for one in asked})


def untrained(asked: Sequence[Asked], every: nn.ModuleDict) -> list[Diagnostic]:
    """A warning (W0459) where networks still have the numbers that were drawn."""
    left = [one for one in asked if _is_as_drawn(one, every[one.key])]
    if not left:
        return []
    names = ", ".join(one.key for one in left)
    return [
        warning(
            "W0459",
            f"learned scores have not been trained: {names}",
            left[0].span,
            "its numbers are as they were drawn",
            helps=("train them: `compiled.training()`", "or give their numbers: `learned=`, `--learned`"),
        )
    ]


def fill(every: nn.ModuleDict, tensors: Mapping[str, Tensor]) -> None:
    """Give networks their numbers, in the precision that they come in. Raises SpecError (E0459) unless all fit."""
    own = every.state_dict()
    _refuse_names(own, tensors)
    for name, tensor in tensors.items():
        if tensor.shape != own[name].shape:
            refuse(
                "E0459",
                f"the learned tensor `{name}` is {list(tensor.shape)}, and {list(own[name].shape)} is needed here",
                "it was trained for a model of another width",
            )
        if not tensor.is_floating_point() or not bool(torch.isfinite(tensor).all()):
            refuse("E0459", f"the learned tensor `{name}` holds what is not a finite number")
    every.load_state_dict({name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}, assign=True)


def tensors_of(given: Given) -> Mapping[str, Tensor]:
    """Learned numbers by name. Raises SpecError (E0459, E060x) where a file does not hold them."""
    if isinstance(given, nn.Module):
        return given.state_dict()
    if not isinstance(given, Mapping):
        path = Path(given)
        path = path / TENSORS if path.is_dir() else path
        try:
            return read_tensors(path.read_bytes(), str(path))
        except OSError as problem:
            raise SpecError([os_error_diagnostic(problem, path)]) from problem
    values: Mapping[Any, Any] = given
    if not all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in values.items()):
        refuse("E0459", "learned numbers are tensors by name", "give a state dict, a module, a file or a folder")
    return given


def read_tensors(data: bytes, name: str) -> dict[str, Tensor]:
    """The tensors of a safetensors file. Raises SpecError (E0459) where it is something else, or cut off."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(data)
    except (SafetensorError, ValueError, KeyError, RuntimeError) as problem:
        reason = " ".join(str(problem).split())[:200]
        refuse("E0459", f"{name} is not a safetensors file, or is cut off: {reason}", "nothing else is read")


def tensor_bytes(every: nn.ModuleDict) -> bytes | None:
    """The numbers as a safetensors file, None where nothing is learned."""
    from safetensors.torch import save

    state = every.state_dict()
    if not state:
        return None
    return save({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}, {"format": "pt"})


def _refuse_names(own: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    missing = [name for name in own if name not in tensors]
    surplus = [name for name in tensors if name not in own]
    if missing:
        refuse("E0459", f"{len(missing)} learned tensors are missing, `{missing[0]}` among them")
    if surplus:
        what = "nothing here is learned" if not own else f"the operator has no `{surplus[0]}`"
        refuse("E0459", f"{len(surplus)} tensors are given that belong to no learned score: {what}")


def _is_as_drawn(one: Asked, network: nn.Module) -> bool:
    drawn = one.network.build(one.width, crc32(one.key.encode())).state_dict()
    now = network.state_dict()
    return all(torch.equal(now[name].cpu(), tensor) for name, tensor in drawn.items())
