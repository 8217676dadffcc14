"""Stage 2 of tiny-llava, spread: eight layers instead of five, of which four share what one of the five looked up.

A model this small finds everything in one layer, behind which its visual tokens could go for free: nothing that a spec
did there would cost anything. So that layer stands here four times, and each takes one sort of thing from the cells it
looks at: of which part of an object they are, where they stand, their colours, their kinds. Together they are the one.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from eosdsl.tasks.base import Difficulty
from eosdsl.zoo.tiny_llava import LAYERS, WIDTH, text_config
from eosdsl.zoo.train_attention import NAME, register
from eosdsl.zoo.train_hints import Hints
from eosdsl.zoo.train_loop import Pace, Progress
from eosdsl.zoo.train_oracle import ASKED, OnOracle
from eosdsl.zoo.train_packs import EVERYTHING
from eosdsl.zoo.train_read import Hits
from eosdsl.zoo.train_reader import Read
from eosdsl.zoo.train_tokens import Codes

SOURCES = (0, 1, 1, 1, 1, 2, 3, 4)
"""For each of the eight layers the one of the five that it begins as."""
TAKEN = (("part", "cell"), ("row", "col"), ("color",), ("kind",))
"""Codes that the layers from 1 on take from the cells; the last of them takes all that is no code, too."""
_ENOUGH = 0.97


class Spread(OnOracle):
    """The language model with all its layers, on oracle tokens, asked everything."""

    name = "spread"

    def __init__(self, seed: int, pace: Pace, read: Read) -> None:
        register()
        self.pace = pace
        self.codes = Codes(WIDTH, seed)
        self.own = projections(self.codes)
        self.model = grown(read.model, self.own)
        self.model.set_attn_implementation(NAME)
        self.hints = Hints(self.model.model.layers[SOURCES.index(ASKED)], WIDTH)
        self.hints.load_state_dict(read.hints.state_dict())

    def step(self, rng: Random, progress: Progress) -> tuple[float, Hits]:
        hold(self.model.model.layers, self.own)
        return self.lesson(EVERYTHING, rng, Difficulty())

    def advance(self, progress: Progress) -> bool:
        return progress.mean() > _ENOUGH


def grown(small: LlamaForCausalLM, own: Sequence[Tensor]) -> LlamaForCausalLM:
    """A model of eight layers that computes nearly what the one of five does: the four that share a layer see what
    those before them added, and only the last of them has its MLP. `own`: `projections`."""
    model = LlamaForCausalLM(text_config())
    rest = {name: tensor for name, tensor in small.state_dict().items() if ".layers." not in name}
    model.load_state_dict(rest, strict=False)
    layers: Any = model.model.layers
    assert len(SOURCES) == LAYERS
    with torch.no_grad():
        for index, source in enumerate(SOURCES):
            layers[index].load_state_dict(small.model.layers[source].state_dict())
            if source in SOURCES[index + 1 :]:
                layers[index].mlp.down_proj.weight.zero_()
    hold(layers, own)
    return model


def hold(layers: Any, own: Sequence[Tensor]) -> None:
    """Take from the values of each sharing layer what is not its own (`projections`). Training puts it there again and
    again: to know everything at once is never a disadvantage."""
    with torch.no_grad():
        for layer, onto in zip(layers[1 : 1 + len(TAKEN)], own, strict=True):
            scale, values = layer.input_layernorm.weight, layer.self_attn.v_proj.weight
            values.copy_(values * scale @ onto / scale)


def projections(codes: Codes) -> list[Tensor]:
    """Per sharing layer the projection [D, D] of normalised tokens onto its codes, along all others; their sum is 1."""
    names = [name for group in TAKEN for name in group]
    tables = [getattr(codes, name).reshape(-1, WIDTH) for name in names]
    dual = torch.linalg.pinv(torch.cat(tables)).T
    parts = dict(zip(names, dual.split([len(table) for table in tables]), strict=True))
    onto = {name: table.T @ parts[name] for name, table in zip(names, tables, strict=True)}
    own = [torch.stack([onto[name] for name in group]).sum(dim=0) for group in TAKEN[:-1]]
    return [*own, torch.eye(WIDTH) - torch.stack(own).sum(dim=0)]
