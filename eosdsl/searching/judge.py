"""Measuring discrete programs on held-out questions: losses question by question, so that differences are paired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from eosdsl.ir.nodes import DiscreteProgram
from eosdsl.ir.spell import spell
from eosdsl.lowering.compile import compile_program
from eosdsl.searching.batch import Batch
from eosdsl.searching.objective import (
    Seen,
    Weights,
    alignment,
    exactly_right,
    see,
    task_loss,
)


@dataclass(frozen=True)
class Verdict:
    """Of every question: the objective [Q], the task's loss [Q], and whether the answer is exactly right [Q] bool."""

    objective: Tensor
    task: Tensor
    right: Tensor

    @property
    def loss(self) -> float:
        return float(self.objective.mean())

    @property
    def accuracy(self) -> float:
        return float(self.right.float().mean())

    def first(self, count: int) -> Verdict:
        """That of the first `count` questions alone."""
        return Verdict(self.objective[:count], self.task[:count], self.right[:count])


@dataclass
class Judge:
    """Judges programs on the same batches, each once. `targets`: what hidden states and logits are compared with, one a
    batch; `networks`: of learned scores; `forwards`: passes over one question so far."""

    model: Any
    batches: Sequence[Batch]
    weights: Weights
    targets: Sequence[Seen] | None = None
    networks: nn.ModuleDict | None = None
    forwards: int = 0
    _known: dict[str, list[Verdict]] = field(default_factory=dict[str, list[Verdict]])
    _programs: list[tuple[DiscreteProgram, Verdict]] = field(default_factory=list[tuple[DiscreteProgram, Verdict]])

    def verdict(self, program: DiscreteProgram, share: float = 1.0) -> Verdict:
        """How a program does, on the first `share` of the batches; what was measured before is not measured again.

        Raises:
            SpecError: where it cannot be compiled for the model.
        """
        text = spell(program.model_copy(update={"name": "judged", "comment": (), "expectations": ()}))
        wanted = max(1, round(share * len(self.batches)))
        known = self._known.setdefault(text, [])
        if len(known) < wanted:
            bare = program.model_copy(update={"expectations": ()})
            with compile_program(bare, self.model, pool=self.networks) as compiled:
                known += self._judged(compiled, len(known), wanted)
            if wanted == len(self.batches):
                self._programs.append((program, _joined(known)))
        return _joined(known[:wanted])

    def measured(self) -> list[tuple[DiscreteProgram, Verdict]]:
        """Every program so far that was measured on all questions, with its verdict, in order."""
        return list(self._programs)

    def full(self) -> Verdict:
        """How the model does without reduction."""
        if "" not in self._known:
            self._known[""] = self._judged(self.model, 0, len(self.batches))
        return _joined(self._known[""])

    @torch.no_grad()
    def _judged(self, model: Any, start: int, end: int) -> list[Verdict]:
        """Of the batches from `start` to `end`."""
        found: list[Verdict] = []
        for number, batch in list(enumerate(self.batches))[start:end]:
            seen = see(model, batch, hidden=self.weights.hidden != 0)
            self.forwards += len(batch.images)
            task = task_loss(seen, batch)
            objective = self.weights.task * task
            if self.weights.aligns and self.targets is not None:
                target = self.targets[number]
                objective = objective + alignment(seen, target, batch, self.weights)
            found.append(Verdict(objective.cpu(), task.cpu(), exactly_right(seen, batch).cpu()))
        return found


def _joined(parts: Sequence[Verdict]) -> Verdict:
    columns = ([getattr(part, name) for part in parts] for name in ("objective", "task", "right"))
    return Verdict(*(torch.cat(column) for column in columns))


@torch.no_grad()
def seen_on(model: Any, batches: Sequence[Batch], weights: Weights) -> list[Seen]:
    """What a model makes of every batch."""
    return [see(model, batch, hidden=weights.hidden != 0) for batch in batches]


def goes_unnoticed(new: Verdict, old: Verdict) -> bool:
    """Whether the objective does not notice a change: worse, if at all, by less than half a standard error."""
    worse = new.objective - old.objective
    error = worse.std() / max(len(worse), 1) ** 0.5 if len(worse) > 1 else torch.zeros(())
    return float(worse.mean()) <= 0.5 * float(error) + 1e-9
