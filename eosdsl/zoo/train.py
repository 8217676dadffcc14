"""Training tiny-llava from nothing: read, align, join, write. Every stage resumes from its checkpoint."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from transformers import LlavaForConditionalGeneration

from eosdsl.diagnostics import SpecError, error
from eosdsl.writing import folder_in_one_piece
from eosdsl.zoo.layer_use import asked, layer_use
from eosdsl.zoo.small_llava import CARD
from eosdsl.zoo.tiny_llava import processor
from eosdsl.zoo.train_card import card, halve, readme
from eosdsl.zoo.train_evaluate import Score, evaluate
from eosdsl.zoo.train_loop import Pace, Report, history, load_stage, run_stage
from eosdsl.zoo.train_stages import Align, Join, Read

NAMES = ("tiny-llava",)
STAGES = ("read", "align", "join")
CHECKPOINTS = "training"
"""Folder of the checkpoints, beside the finished model."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is trained. The paces are upper limits: a stage ends sooner once its target is reached."""

    seed: int = 0
    read: Pace = field(default_factory=lambda: Pace(steps=20_000, cool=450, muon=1.2e-2, adam=2e-3))
    align: Pace = field(default_factory=lambda: Pace(steps=4_000, cool=1_500, muon=8e-3, adam=2e-3, decay=0.0))
    join: Pace = field(default_factory=lambda: Pace(steps=330, cool=200, muon=2.5e-3, adam=5e-4))
    questions: int = 200
    """Held-out questions a family in the card."""


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
        SpecError: E0666 for a name that is not trained here, E0667 where join lacks a half, E060x where `out` cannot be
            written.
    """
    if name not in NAMES:
        raise SpecError([error("E0666", f"no recipe is called {name!r}", helps=(f"there is {', '.join(NAMES)}",))])
    if threads is not None:
        torch.set_num_threads(threads)
    plan = recipe or Recipe()
    folder = out.with_name(f"{out.name}-{CHECKPOINTS}")
    read, align = Read(plan.seed, plan.read), Align(plan.seed, plan.align)
    for stage in (read, align):
        if stage.name in stages and not run_stage(stage, folder, plan.seed, report, stop_after):
            return False
    if "join" not in stages:
        return True
    _refuse_unread(read, align, folder)
    join = Join(plan.seed, plan.join, read, align)
    if not run_stage(join, folder, plan.seed, report, stop_after):
        return False
    write(join, out, plan, folder)
    return True


def _refuse_unread(read: Read, align: Align, folder: Path) -> None:
    """Load both halves, which join builds on."""
    missing = [stage.name for stage in (read, align) if not load_stage(stage, folder)]
    if missing:
        helps = tuple(f"run it with --stage {name}" for name in missing)
        raise SpecError([error("E0667", f"join builds on {' and '.join(missing)}, not finished yet", helps=helps)])


def write(join: Join, out: Path, recipe: Recipe, folder: Path) -> dict[str, Score]:
    """Write model, processor and card, with scores on held-out questions; `folder` holds the checkpoints."""
    join.model.set_attn_implementation({"text_config": "sdpa"})
    maker = processor()
    with folder_in_one_piece(out, replaces=CARD) as unfinished:
        join.model.save_pretrained(unfinished)
        halve(unfinished)
        maker.save_pretrained(unfinished)
        model = LlavaForConditionalGeneration.from_pretrained(unfinished)
        scores = evaluate(model.eval(), maker, recipe.questions)
        stages = {name: history(name, folder) for name in STAGES if (folder / f"{name}.pt").exists()}
        use = layer_use(model, maker, asked(max(1, recipe.questions // 4)))
        facts = card(recipe.seed, recipe.questions, scores, stages, use)
        (unfinished / CARD).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        (unfinished / "README.md").write_text(readme(facts), encoding="utf-8")
    return scores
