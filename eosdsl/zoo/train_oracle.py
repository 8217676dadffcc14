"""What the stages on oracle tokens have in common: a language model that is asked about cells, and hints on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from torch import nn
from transformers import LlamaForCausalLM

from eosdsl.tasks.base import Difficulty
from eosdsl.zoo.train_batch import make_batch
from eosdsl.zoo.train_hints import Hints
from eosdsl.zoo.train_loop import Stage
from eosdsl.zoo.train_packs import PackKind, make_pack
from eosdsl.zoo.train_read import Hits, forward, learn, no_hits, oracle_cells
from eosdsl.zoo.train_tokens import Codes

ORACLE_NOISE = 0.12
HINT_SHARE = 0.5
ASKED = 2
"""The layer, of the five of `read`, after which hints are asked."""


class OnOracle(Stage):
    """A language model alone, on tokens that say what is in each cell."""

    codes: Codes
    model: LlamaForCausalLM
    hints: Hints

    def modules(self) -> dict[str, nn.Module]:
        return {"model": self.model, "hints": self.hints}

    def parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        yield from self.model.named_parameters()
        for name, parameter in self.hints.named_parameters():
            yield f"hints.{name}", parameter

    def lesson(
        self, kinds: Sequence[PackKind], rng: Random, difficulty: Difficulty, split: str = "train"
    ) -> tuple[float, Hits]:
        """Forward and backward on packs of all kinds: the loss, and right answers per family."""
        total, hits = 0.0, no_hits()
        for kind in kinds:
            packs = [make_pack(kind, rng, difficulty, split) for _ in range(kind.packs)]
            batch = make_batch(packs, kind.cells, rng)
            logits = forward(self.model, batch, oracle_cells(self.codes, batch, ORACLE_NOISE))
            hint = HINT_SHARE * self.hints(batch, text=kind.name == "text")
            total += learn(logits, batch, hits, hint)
        return total, hits
