"""Models that do not fit on one device: every process holds a part of each weight, and gathers it when it is used.

Reducers call single projections of layers, outside of the layers' own forwards, and forwards are replaced on the
instances. So it is not layers that are sharded but the modules that own large weights: whoever calls one of them finds
it whole. The weights are frozen: no gradients are scattered, and what a search learns are single numbers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from eosdsl.searching.processes import Processes

_WITH_WEIGHTS = (nn.Linear, nn.Embedding, nn.Conv2d)


def sharded(model: Any, processes: Processes) -> Any:
    """The model, in place, with its large weights shared out among all processes and all else on each one's device.
    A frozen model without DTensor parameters is expected; as it is where processes do not shard."""
    if not processes.shards:
        return model
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard
    from torch.distributed.tensor import DTensor

    assert processes.device is not None
    mesh = init_device_mesh(processes.device.type, (processes.world,))
    model.requires_grad_(False)
    for module in list(model.modules()):
        if type(module) in _WITH_WEIGHTS:
            fully_shard(module, mesh=mesh)
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            if not isinstance(tensor, DTensor):
                tensor.data = tensor.data.to(processes.device)
    return model
