"""The training loop: warm up, go on until a target is reached, cool down; checkpointed, resumable, the same again.

Skills emerge abruptly in models this small, at times that vary: a stage therefore ends on accuracy, not on time.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor, nn

from eosdsl.diagnostics import SpecError, error
from eosdsl.writing import file_in_one_piece
from eosdsl.zoo.train_read import Hits

_WARM_UP = 20
_MEMORY = 0.95
"""Accuracies are running means with this memory."""
_SAVE_EVERY = 60.0
"""Seconds between checkpoints."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a stage may take and how fast it learns: steps at most, steps of cooling down, learning rates, and how
    fast matrices are drawn back to where they began (times the learning rate). Without that they grow until attention
    is all or nothing, and no skill emerges any more; drawn to zero, prepared heads are gone before they are needed."""

    steps: int
    cool: int
    muon: float
    adam: float
    decay: float = 0.3


@dataclass
class Progress:
    """Where a stage is. `accuracy` are running means per family; `cooling` is the step at which cooling began."""

    step: int = 0
    level: int = 0
    cooling: int | None = None
    seconds: float = 0.0
    accuracy: dict[str, float] = field(default_factory=dict[str, float])
    curve: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def count(self, hits: Mapping[str, list[int]]) -> None:
        for family, (right, asked) in hits.items():
            new = right / max(asked, 1)
            self.accuracy[family] = _MEMORY * self.accuracy.get(family, 0.0) + (1 - _MEMORY) * new

    def mean(self, families: Mapping[str, Any] | None = None) -> float:
        """Mean of the running accuracies (of `families` only)."""
        values = [value for name, value in self.accuracy.items() if families is None or name in families]
        return sum(values) / len(values) if values else 0.0


class Stage(ABC):
    """One stage of training: what is learned, from what, and when it is enough."""

    name: str
    pace: Pace

    @abstractmethod
    def modules(self) -> dict[str, nn.Module]:
        """What the checkpoint holds."""

    @abstractmethod
    def parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """What is trained."""

    @abstractmethod
    def step(self, rng: Random, progress: Progress) -> tuple[float, Hits]:
        """One forward and backward on fresh data: the loss, and right answers per family."""

    @abstractmethod
    def advance(self, progress: Progress) -> bool:
        """Raise `progress.level` where due; whether the target is reached."""


Report = Callable[[str, Progress, float], None]
"""Called after every step with the stage's name, its progress and the loss."""


def run_stage(stage: Stage, folder: Path, seed: int, report: Report, stop_after: float = float("inf")) -> bool:
    """Run a stage to its end, from its checkpoint in `folder` where there is one. False where `stop_after` seconds of
    this call ran out first (after one step at least); what was learned is saved.

    Raises:
        SpecError: E0686 where the checkpoint is of another seed or pace.
    """
    optimizers = _optimizers(stage)
    path = folder / f"{stage.name}.pt"
    made = {"seed": seed, **asdict(stage.pace)}
    rng, progress = Random(f"{stage.name}/{seed}"), Progress()
    start = [parameter.detach().clone() for parameter in optimizers[0].param_groups[0]["params"]]
    if path.exists():
        _refuse_another(path, made)
        progress = _resume(path, stage, optimizers, rng)
    started = saved = time.monotonic()
    while not _done(stage, progress):
        begun = time.monotonic()
        loss = _one_step(stage, optimizers, start, rng, progress)
        now = time.monotonic()
        progress.seconds += now - begun
        report(stage.name, progress, loss)
        if now - started > stop_after or now - saved > _SAVE_EVERY:
            _save(path, stage, optimizers, rng, progress, made)
            saved = now
        if now - started > stop_after:
            return _done(stage, progress)
    _save(path, stage, optimizers, rng, progress, made)
    return True


def load_stage(stage: Stage, folder: Path) -> bool:
    """Take a stage's weights from its checkpoint; whether there is one and the stage had come to its end."""
    path = folder / f"{stage.name}.pt"
    return path.exists() and _done(stage, _resume(path, stage, _optimizers(stage), Random(0)))


def history(name: str, folder: Path, rows: int = 24) -> dict[str, Any]:
    """How a stage went, from its checkpoint: steps, seconds, and at most `rows` points of its learning curve."""
    progress = torch.load(folder / f"{name}.pt", weights_only=True)["progress"]
    curve = progress["curve"][:: max(1, len(progress["curve"]) // rows)]
    rounded = [{key: round(value, 3) for key, value in point.items()} for point in curve]
    return {"steps": progress["step"], "seconds": round(progress["seconds"]), "curve": rounded}


def is_matrix(name: str, parameter: nn.Parameter) -> bool:
    """Whether Muon trains it: matrices between features, but no tables of embeddings and no output head."""
    others = ("embed", "position", "lm_head", "summary", "hints")
    return parameter.ndim == 2 and not any(word in name for word in others)


def _optimizers(stage: Stage) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    matrices = [p for name, p in stage.parameters() if is_matrix(name, p)]
    others = [p for name, p in stage.parameters() if not is_matrix(name, p)]
    return (
        torch.optim.Muon(matrices, lr=stage.pace.muon, weight_decay=0.0),
        torch.optim.AdamW(others, lr=stage.pace.adam, weight_decay=0.0, betas=(0.9, 0.95)),
    )


def _one_step(
    stage: Stage, optimizers: tuple[torch.optim.Optimizer, ...], start: list[Tensor], rng: Random, progress: Progress
) -> float:
    share = _rate(stage.pace, progress)
    for optimizer, rate in zip(optimizers, (stage.pace.muon, stage.pace.adam), strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate * share
    loss, hits = stage.step(rng, progress)
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()
    with torch.no_grad():
        for parameter, begun in zip(optimizers[0].param_groups[0]["params"], start, strict=True):
            parameter.lerp_(begun, share * stage.pace.muon * stage.pace.decay)
    progress.step += 1
    progress.count(hits)
    if progress.cooling is None and (stage.advance(progress) or progress.step >= stage.pace.steps - stage.pace.cool):
        progress.cooling = progress.step
    if progress.step % 20 == 0:
        progress.curve.append({"step": progress.step, "seconds": round(progress.seconds), **progress.accuracy})
    return loss


def _rate(pace: Pace, progress: Progress) -> float:
    warm = min(1.0, (progress.step + 1) / _WARM_UP)
    if progress.cooling is None:
        return warm
    return warm * max(0.02, 1 - (progress.step - progress.cooling) / pace.cool)


def _done(stage: Stage, progress: Progress) -> bool:
    return progress.cooling is not None and progress.step >= progress.cooling + stage.pace.cool


def _save(
    path: Path,
    stage: Stage,
    optimizers: tuple[torch.optim.Optimizer, ...],
    rng: Random,
    progress: Progress,
    made: Mapping[str, float],
) -> None:
    state = {
        "made": dict(made),
        "modules": {name: module.state_dict() for name, module in stage.modules().items()},
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        "rng": rng.getstate(),
        "torch_rng": torch.get_rng_state(),
        "progress": vars(progress),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with file_in_one_piece(path) as unfinished:
        torch.save(state, unfinished)


def _refuse_another(path: Path, made: Mapping[str, float]) -> None:
    """A stage that goes on at another pace, or with another stream of data, would be neither the one nor the other."""
    old: Mapping[str, float] = torch.load(path, weights_only=True).get("made", made)
    differing = [
        f"{name} {old.get(name)} (asked for: {value})" for name, value in made.items() if old.get(name) != value
    ]
    if differing:
        helps = ("name another --out, or remove this checkpoint",)
        raise SpecError([error("E0686", f"{path} was trained with {', '.join(differing)}", helps=helps)])


def _resume(path: Path, stage: Stage, optimizers: tuple[torch.optim.Optimizer, ...], rng: Random) -> Progress:
    state = torch.load(path, weights_only=True)
    for name, module in stage.modules().items():
        module.load_state_dict(state["modules"][name])
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    version, internal, gauss = state["rng"]
    rng.setstate((version, tuple(internal), gauss))
    torch.set_rng_state(state["torch_rng"])
    return Progress(**state["progress"])
