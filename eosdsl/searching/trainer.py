"""The loop of a search: the model is frozen, decision points learn, and the networks of learned scores with them; it
survives kills and steps without a number.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eosdsl.cost.measures import Amounts
from eosdsl.diagnostics import SpecError, error
from eosdsl.ir.nodes import Constraint
from eosdsl.searching import checkpoint
from eosdsl.searching.batch import Batch
from eosdsl.searching.constraints import Multiplier, ascended, coefficients, excesses, loosened, title
from eosdsl.searching.learnable import Learnable
from eosdsl.searching.objective import Seen, Weights, combined, losses, see
from eosdsl.searching.optimisers import optimiser
from eosdsl.searching.precision import Precise
from eosdsl.searching.processes import Processes, own_share
from eosdsl.searching.settings import Settings
from eosdsl.tasks.base import Example

CHECKPOINT = "checkpoint.safetensors"
_IN_A_ROW = 10
_SKIPPED_SHARE = 0.05

Price = Callable[[Batch], Amounts[Tensor]]
"""What the last forward costs, softly; it was of this batch."""
Target = Callable[[Batch], Seen]
"""What the reduced model is to be like on a batch; computed once a batch, without gradient."""


@dataclass(frozen=True)
class Goal:
    """What a search makes small: the weighted terms, under the constraints; `full` is what the full model costs."""

    weights: Weights
    constraints: tuple[Constraint, ...]
    price: Price
    full: Amounts[Tensor]
    target: Target


@dataclass(frozen=True)
class Source:
    """Where batches come from: the questions of a step, and how to make tensors of them."""

    questions: Callable[[int, int], list[Example]]
    encode: Callable[[Sequence[Example]], Batch]


@dataclass
class Progress:
    """How far a search is. `identity` says which search it is; `forwards`: passes of the model over one question, a
    backward pass counted as two. `first`: by how much each constraint was broken in the first step; `met`: members by
    the step at which the search was there, as JSON."""

    identity: Mapping[str, Any]
    step: int = 0
    multipliers: list[Multiplier] = field(default_factory=list[Multiplier])
    first: list[float] = field(default_factory=list[float])
    skipped: int = 0
    in_a_row: int = 0
    forwards: int = 0
    seconds: float = 0.0
    met: dict[str, str] = field(default_factory=dict[str, str])

    def state(self) -> dict[str, Any]:
        multipliers = [[one.value, one.violation] for one in self.multipliers]
        return {**vars(self), "identity": dict(self.identity), "multipliers": multipliers}

    @classmethod
    def of(cls, state: Mapping[str, Any], identity: Mapping[str, Any]) -> Progress:
        """Raises SpecError (E0670) where the state is of another search."""
        before = state["identity"]
        other = [name for name, value in identity.items() if before.get(name) != value]
        if other:
            message = (
                f"the checkpoint is of another search: {other[0]} was {before.get(other[0])}, is {identity[other[0]]}"
            )
            raise SpecError([error("E0670", message)])
        multipliers = [Multiplier(*one) for one in state["multipliers"]]
        own = {name: state[name] for name in ("step", "first", "skipped", "in_a_row", "forwards", "seconds", "met")}
        return cls(identity=identity, multipliers=multipliers, **own)


Report = Callable[[Mapping[str, Any]], None]
"""Called after every step with its numbers, on the process that leads."""


class Trainer:
    """One search under way. `run` goes on from where it is; `progress` says where that is."""

    def __init__(
        self,
        relaxed: Learnable,
        goal: Goal,
        source: Source,
        settings: Settings,
        identity: Mapping[str, Any],
        folder: Path | None = None,
        processes: Processes | None = None,
    ) -> None:
        self.relaxed, self.goal, self.source, self.settings = relaxed, goal, source, settings
        self.folder, self.processes = folder, processes or Processes()
        self.progress = Progress(identity, multipliers=[Multiplier() for _ in goal.constraints])
        decisions = dict(relaxed.module.named_parameters())
        learned = {f"learned.{name}": one for name, one in relaxed.learned.named_parameters()}
        self._parameters = {**decisions, **learned}
        self._optimiser = optimiser(settings, decisions.values(), learned.values())
        device = next(iter(self._parameters.values())).device
        self._precise = Precise(settings.precision, device)

    def resume(self) -> bool:
        """Go on from the folder's checkpoint; False where there is none. Raises SpecError (E0670) for another's."""
        if self.folder is None or not (self.folder / CHECKPOINT).exists():
            return False
        found = checkpoint.load(self.folder / CHECKPOINT)
        self.progress = Progress.of(found.state, self.progress.identity)
        checkpoint.restore(found, self._parameters, self._optimiser)
        self._precise.load(found.state["precision"])
        return True

    def save(self) -> None:
        """Write the checkpoint, on the process that leads."""
        if self.folder is not None and self.processes.leads:
            state = {**self.progress.state(), "precision": self._precise.state()}
            checkpoint.save(self.folder / CHECKPOINT, self._parameters, self._optimiser, state)

    def run(self, report: Report = lambda row: None, until: int | None = None) -> None:
        """Step to the end (or to the step `until`), with checkpoints on the way.

        Raises:
            SpecError: E0671 where too many steps give no number; the last good state is saved. E0672 for a batch that
                cannot be shared out.
        """
        last = self.settings.steps if until is None else min(until, self.settings.steps)
        while self.progress.step < last:
            row = self.step()
            if self.processes.leads:
                report(row)
            if self.progress.step % self.settings.checkpoint == 0 or self.progress.step == last:
                self.save()
            self._give_up_where_hopeless()

    def step(self) -> dict[str, Any]:
        """One step on one batch: its numbers."""
        started = time.monotonic()
        self.cool()
        temperature = self.settings.temperature.at(self._done())
        for group in self._optimiser.param_groups:
            group["lr"] = self.settings.rate_at(self._done()) * group["share"]
        for parameter in self._parameters.values():
            parameter.grad = torch.zeros_like(parameter)
        questions = self.source.questions(self.progress.step, self.settings.batch)
        parts = own_share(questions, self.processes, self.settings.accumulate)
        measured = [self._part(part) for part in parts]
        numbers = {
            name: self.processes.mean(torch.stack([one[name] for one in measured]).mean(dim=0)) for name in measured[0]
        }
        norm = self._gradient()
        finite = math.isfinite(norm) and all(bool(value.isfinite().all()) for value in numbers.values())
        self._precise.step(self._optimiser, finite)
        self._note(numbers, finite, len(questions), time.monotonic() - started)
        return self._row(numbers, norm, finite, temperature)

    def cool(self) -> None:
        """Set the temperature of the step that is due."""
        heat = self.settings.temperature.at(self._done())
        self.relaxed.temperature = type(self.relaxed.temperature).at(heat, self.settings.faintness)

    @torch.no_grad()
    def evaluate(self, batches: Sequence[Batch]) -> dict[str, float]:
        """The terms of the loss on some batches, as the relaxed program stands (mean over batches)."""
        found: dict[str, list[float]] = {}
        for batch in batches:
            with self._precise.cast():
                seen = see(self.relaxed, batch, hidden=self.goal.weights.aligns)
                target = self.goal.target(batch) if self.goal.weights.aligns else None
            for name, value in losses(seen, batch, target, self.goal.weights).items():
                found.setdefault(name, []).append(float(value))
        return {name: sum(values) / len(values) for name, values in found.items()}

    def _done(self) -> float:
        """The share of the steps that is done when this one begins; the last step has all."""
        return self.progress.step / max(self.settings.steps - 1, 1)

    def _part(self, questions: Sequence[Example]) -> dict[str, Tensor]:
        """Forward and backward of a part of a batch; its numbers."""
        batch = self.source.encode(questions)
        weights = self.goal.weights
        with self._precise.cast():
            target = self.goal.target(batch) if weights.aligns else None
            seen = see(self.relaxed, batch, hidden=weights.hidden != 0)
        terms = losses(seen, batch, target, weights)
        soft = self.goal.price(batch)
        over = excesses(self.goal.constraints, soft, self.goal.full)
        pulls = torch.tensor(coefficients(self.progress.multipliers, self.goal.constraints), dtype=over.dtype)
        first = self.progress.first or over.tolist()
        tight = loosened(over, self.goal.constraints, first, self._done())
        loss = combined(terms, weights) + (pulls.to(over.device) * tight).sum().to(torch.float32)
        self._precise.backward(loss / self.settings.accumulate)
        numbers = {name: value.detach() for name, value in terms.items()}
        entering = torch.stack(list(soft.entering)).detach()
        return {"loss": loss.detach(), **numbers, "over": over.detach(), "tokens": entering}

    def _gradient(self) -> float:
        """Gradients in their own scale, the mean over all processes; their norm."""
        self._precise.unscale(self._optimiser)
        for parameter in self._parameters.values():
            assert parameter.grad is not None
            parameter.grad = self.processes.mean(parameter.grad)
        return float(torch.stack([p.grad.norm() for p in self._parameters.values() if p.grad is not None]).norm())

    def _note(self, numbers: Mapping[str, Tensor], finite: bool, questions: int, seconds: float) -> None:
        progress, done = self.progress, self._done()
        progress.step += 1
        progress.seconds += seconds
        progress.forwards += questions * (4 if self.goal.weights.aligns else 3)
        if not finite:
            progress.skipped += 1
            progress.in_a_row += 1
            return
        progress.in_a_row = 0
        progress.first = progress.first or [float(one) for one in numbers["over"]]
        tight = loosened(numbers["over"], self.goal.constraints, progress.first, done)
        violations = [float(one) for one in tight]
        progress.multipliers = ascended(progress.multipliers, self.goal.constraints, violations)

    def _row(self, numbers: Mapping[str, Tensor], norm: float, finite: bool, temperature: float) -> dict[str, Any]:
        progress = self.progress
        terms = {name: float(value) for name, value in numbers.items() if name not in ("over", "tokens")}
        held = [title(one) for one in self.goal.constraints]
        gates = {name: float(v.detach()) for name, v in self.relaxed.values().items() if name.endswith(".gate")}
        return {
            "step": progress.step,
            **terms,
            "tokens": [round(float(one), 3) for one in numbers["tokens"]],
            "over": dict(zip(held, (float(one) for one in numbers["over"]), strict=True)),
            "multipliers": dict(zip(held, (one.value for one in progress.multipliers), strict=True)),
            "gates": {name: round(value, 5) for name, value in gates.items()},
            "temperature": temperature,
            "gradient": norm,
            "skipped": progress.skipped,
            "finite": finite,
            "seconds": round(progress.seconds, 3),
        }

    def _give_up_where_hopeless(self) -> None:
        progress = self.progress
        allowed = max(_IN_A_ROW, round(_SKIPPED_SHARE * self.settings.steps))
        if progress.in_a_row < _IN_A_ROW and progress.skipped <= allowed:
            return
        self.save()
        message = f"{progress.skipped} of {progress.step} steps gave no number; the last good state is kept"
        raise SpecError([error("E0671", message, helps=("lower the learning rate, or search with precision: fp32",))])
