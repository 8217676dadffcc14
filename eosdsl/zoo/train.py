"""Training a small model: read, spread, align, join, write. Every stage resumes from its checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForImageTextToText

from eosdsl.diagnostics import SpecError, error
from eosdsl.lowering.loading import quiet
from eosdsl.writing import folder_in_one_piece
from eosdsl.zoo.layer_use import asked, layer_use
from eosdsl.zoo.small_llava import CARD
from eosdsl.zoo.train_card import card, halve, readme
from eosdsl.zoo.train_evaluate import Score, evaluate
from eosdsl.zoo.train_loop import Report, Stage, history, load_stage, run_stage
from eosdsl.zoo.trainees import TRAINEES, Joined, Recipe, Trainee

STAGES = ("read", "spread", "align", "join")
"""In their order; `spread` is for models that have it."""
CHECKPOINTS = "training"
"""Folder of the checkpoints, beside the finished model."""


def recipe_of(name: str, seed: int = 0) -> Recipe:
    """How a model is trained. Raises SpecError E0666 for a name that is not trained here."""
    return trainee(name).recipe(seed)


def trainee(name: str) -> Trainee:
    """What is trained under a name. Raises SpecError E0666 for one that is not trained here."""
    if name not in TRAINEES:
        raise SpecError([error("E0666", f"no recipe is called {name!r}", helps=(f"there is {', '.join(TRAINEES)}",))])
    return TRAINEES[name]


def use_threads(count: int) -> None:
    """Train on `count` processor threads."""
    torch.set_num_threads(count)


def train(
    name: str,
    out: Path,
    report: Report,
    *,
    stages: tuple[str, ...] = STAGES,
    recipe: Recipe | None = None,
    stop_after: float = float("inf"),
    threads: int | None = None,
) -> bool:
    """Run the stages that are named, in their order, from their checkpoints in `out`-training; `join` ends by writing
    the model to `out`. False where `stop_after` seconds ran out in a stage.

    Raises:
        SpecError: E0666 for a name that is not trained here, E0667 where a stage that is named lacks one that it builds
            on, E0686 where a checkpoint is of another seed or of other paces, E060x where `out` cannot be written.
    """
    who = trainee(name)
    if threads is not None:
        torch.set_num_threads(threads)
    plan = recipe or who.recipe(0)
    folder = out.with_name(f"{out.name}-{CHECKPOINTS}")
    reader, align = who.read(plan), who.align(plan)

    def run(stage: Stage, *before: Stage) -> bool:
        """Whether it ended, where it is asked for at all."""
        if stage.name not in stages:
            return True
        _refuse_unfinished(stage.name, before, folder)
        return run_stage(stage, folder, plan.seed, report, stop_after)

    if not run(reader):
        return False
    if who.spread is not None:
        read, reader = reader, _going_on(who.spread, plan, reader, folder)
        if not run(reader, read):
            return False
    if not run(align):
        return False
    if "join" not in stages:
        return True
    _refuse_unfinished("join", (reader, align), folder)
    join = who.join(plan, reader, align)
    if not run_stage(join, folder, plan.seed, report, stop_after):
        return False
    write(join, out, who, plan, folder)
    return True


def _going_on(make: Callable[[Recipe, Any], Stage], plan: Recipe, read: Stage, folder: Path) -> Stage:
    """The stage that begins as what `read` learned, as far as it has come."""
    load_stage(read, folder)
    return make(plan, read)


def _refuse_unfinished(name: str, before: Sequence[Stage], folder: Path) -> None:
    """Load what a stage builds on."""
    missing = [stage.name for stage in before if not load_stage(stage, folder)]
    if missing:
        helps = tuple(f"run it with --stage {one}" for one in missing)
        raise SpecError([error("E0667", f"{name} builds on {' and '.join(missing)}, not finished yet", helps=helps)])


def write(join: Joined, out: Path, who: Trainee, recipe: Recipe, folder: Path) -> dict[str, Score]:
    """Write model, processor and card, with scores on held-out questions; `folder` holds the checkpoints."""
    join.model.set_attn_implementation({"text_config": "sdpa"})
    maker = who.processor()
    with folder_in_one_piece(out, replaces=CARD) as unfinished:
        join.model.save_pretrained(unfinished)
        halve(unfinished)
        maker.save_pretrained(unfinished)
        with quiet():
            model: Any = AutoModelForImageTextToText.from_pretrained(unfinished)
        scores = evaluate(model.eval(), maker, recipe.questions)
        stages = {name: history(name, folder) for name in STAGES if (folder / f"{name}.pt").exists()}
        use = layer_use(model, maker, asked(max(1, recipe.questions // 4)))
        about = replace(who.about, notes=(*who.about.notes, *recipe.notes))
        facts = card(about, recipe.seed, recipe.questions, scores, stages, use)
        (unfinished / CARD).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        (unfinished / "README.md").write_text(readme(facts), encoding="utf-8")
    return scores
