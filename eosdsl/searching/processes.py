"""Several processes that share out a batch: `accelerate launch -m eosdsl search …`; one process needs no accelerate."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from eosdsl.diagnostics import SpecError, error

_SHARDS = "ACCELERATE_USE_FSDP"
_SHARDING = {
    "FSDP with weights kept on the CPU": "FSDP_OFFLOAD_PARAMS",
    "DeepSpeed": "ACCELERATE_USE_DEEPSPEED",
    "Megatron-LM": "ACCELERATE_USE_MEGATRON_LM",
}
_SUPPORTED = ("NO", "MULTI_CPU", "MULTI_GPU")


@dataclass(frozen=True)
class Processes:
    """This process among all: `rank` of `world`, its `device` (None: where the model is), accelerate's handle, and
    whether the model's weights are `shards`, shared out among them."""

    rank: int = 0
    world: int = 1
    device: torch.device | None = None
    accelerator: Any = None
    shards: bool = False

    @property
    def leads(self) -> bool:
        """Whether this process writes and prints."""
        return self.rank == 0

    def mean(self, value: Tensor) -> Tensor:
        """The mean over all processes, on all of them."""
        return value if self.accelerator is None else self.accelerator.reduce(value, reduction="mean")

    def wait(self) -> None:
        """Until all are here."""
        if self.accelerator is not None:
            self.accelerator.wait_for_everyone()


def launched() -> Processes:
    """What `accelerate launch` (or torchrun) started; one process by itself where nothing did.

    Raises:
        SpecError: E0673 for ways of distributing that are not supported, E0698 without accelerate.
    """
    _refuse_sharding()
    wanted = int(os.environ.get("WORLD_SIZE", "1"))
    if wanted < 2:
        return Processes()
    try:
        from accelerate import Accelerator
    except ImportError as problem:
        helps = ("pip install 'eosdsl[search]'",)
        raise SpecError([error("E0698", "several processes need the package accelerate", helps=helps)]) from problem
    shards = _is_on(_SHARDS)
    os.environ.pop(_SHARDS, None)  # the search shards by itself: accelerate would want whole layers, and a GPU
    # without a GPU accelerate has to be told, or every process would take itself for the only one
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    kind = str(accelerator.distributed_type).rpartition(".")[2]
    if kind not in _SUPPORTED or accelerator.num_processes != wanted:
        raise SpecError([error("E0673", f"a search cannot run under {kind}", helps=("run it data parallel",))])
    return Processes(accelerator.process_index, accelerator.num_processes, accelerator.device, accelerator, shards)


def _refuse_sharding() -> None:
    """Raise SpecError (E0673) where accelerate was configured to divide the model in a way that is not supported."""
    for name, variable in _SHARDING.items():
        if _is_on(variable):
            message = (
                f"a search cannot run under {name}: it calls single projections of layers, which that does not know"
            )
            raise SpecError([error("E0673", message, helps=("run it data parallel, or with `--use_fsdp`",))])


def _is_on(variable: str) -> bool:
    return os.environ.get(variable, "").lower() in ("true", "1", "yes")


def own_share(batch: list[Any], processes: Processes, parts: int) -> list[list[Any]]:
    """The questions of this process, in `parts` lots of one size. Raises SpecError (E0672) where it does not divide."""
    lots = processes.world * parts
    if len(batch) % lots:
        message = f"a batch of {len(batch)} cannot be divided among {processes.world} processes in {parts} parts"
        helps = (f"take a multiple of {lots}: --batch {-(-len(batch) // lots) * lots}",)
        raise SpecError([error("E0672", message, helps=helps)])
    size = len(batch) // lots
    first = processes.rank * parts
    return [batch[lot * size : (lot + 1) * size] for lot in range(first, first + parts)]
