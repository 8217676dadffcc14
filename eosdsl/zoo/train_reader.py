"""Stage 1 of tiny-llava, read: a language model of five layers learns to look things up in oracle tokens."""

from __future__ import annotations

from random import Random

import torch
from transformers import LlamaForCausalLM

from eosdsl.zoo.tiny_llava import READ_LAYERS, WIDTH, text_config
from eosdsl.zoo.train_attention import NAME, register
from eosdsl.zoo.train_hints import Hints
from eosdsl.zoo.train_loop import Pace, Progress
from eosdsl.zoo.train_oracle import ASKED, OnOracle
from eosdsl.zoo.train_packs import DIFFICULTIES, LEVELS, TEMPLATES
from eosdsl.zoo.train_prepare import prepare
from eosdsl.zoo.train_read import Hits
from eosdsl.zoo.train_tokens import Codes

_ENOUGH = (0.75, 0.72, 0.88, 0.96)
"""Running mean accuracy at which a level of reading is learned."""
_APART = {"photo", "prior", "relation"}
"""Families that say nothing about when a level is learned: the first two are at once, the last after all others."""


class Read(OnOracle):
    """The language model alone, of few layers, on oracle tokens."""

    name = "read"

    def __init__(self, seed: int, pace: Pace) -> None:
        register()
        self.pace = pace
        self.codes = Codes(WIDTH, seed)
        torch.manual_seed(seed)
        self.model = LlamaForCausalLM(text_config(READ_LAYERS))
        self.model.set_attn_implementation(NAME)
        prepare(self.model, self.codes, seed)
        self.hints = Hints(self.model.model.layers[ASKED], WIDTH)

    def step(self, rng: Random, progress: Progress) -> tuple[float, Hits]:
        level = progress.level
        return self.lesson(LEVELS[level], rng, DIFFICULTIES[level], TEMPLATES[level])

    def advance(self, progress: Progress) -> bool:
        if progress.level == len(LEVELS) - 1:
            return progress.mean() > _ENOUGH[-1]
        asked = {family.name for kind in LEVELS[progress.level] for family in kind.families} - _APART
        scores = [progress.accuracy.get(name, 0.0) for name in asked]
        if sum(scores) / len(scores) > _ENOUGH[progress.level]:
            progress.level += 1
        return False
