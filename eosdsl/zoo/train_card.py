"""What is said of a trained model: `zoo.json` for programs, `README.md` for people. And half the room for weights."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from eosdsl.zoo.layer_use import LayerUse
from eosdsl.zoo.train_evaluate import Score

_WEIGHTS = "model.safetensors"


def halve(folder: Path) -> None:
    """Store the weights that `save_pretrained` wrote in 16 bits. `config.json` goes on to say float32, which is what
    `from_pretrained` turns them into."""
    tensors = load_file(folder / _WEIGHTS)
    small = {name: tensor.half() if tensor.dtype == torch.float32 else tensor for name, tensor in tensors.items()}
    save_file(small, folder / _WEIGHTS, metadata={"format": "pt"})


@dataclass(frozen=True, slots=True)
class About:
    """What a card says of a model: its name, the zoo's module, a description, and notes on its making."""

    name: str
    zoo: str
    what: str
    notes: tuple[str, ...] = ()


def card(
    about: About,
    seed: int,
    questions: int,
    scores: Mapping[str, Score],
    stages: Mapping[str, Any],
    use: Sequence[LayerUse] = (),
) -> dict[str, Any]:
    """Where a model comes from and what it can do, as plain data."""
    seeing = [score for score in scores.values() if score.needs_image]
    return {
        "name": about.name,
        "zoo": about.zoo,
        "what": about.what,
        "notes": list(about.notes),
        "weights": "trained",
        "licence": "Apache-2.0",
        "data": "eosdsl.tasks, train split; scikit-learn's digits; photographs of scikit-image and scikit-learn",
        "seed": seed,
        "questions_per_family": questions,
        "mean_accuracy": round(sum(score.accuracy for score in seeing) / len(seeing), 4),
        "mean_blind": round(sum(score.blind for score in seeing) / len(seeing), 4),
        "families": {name: _plain(score) for name, score in scores.items()},
        "trained_on": sorted(scores),
        "layers": [asdict(one) for one in use],
        "stages": dict(stages),
    }


def _plain(score: Score) -> dict[str, float]:
    numbers = {"accuracy": score.accuracy, "blind": score.blind, "chance": score.chance}
    return {name: round(value, 4) for name, value in numbers.items()}


def readme(facts: Mapping[str, Any]) -> str:
    """The model card."""
    front = {"license": "apache-2.0", "pipeline_tag": "image-text-to-text", "library_name": "transformers"}
    rows = "\n".join(
        f"| {name} | {one['accuracy']:.3f} | {one['blind']:.3f} | {one['chance']:.3f} |"
        for name, one in facts["families"].items()
    )
    stages = "\n".join(
        f"| {name} | {stage['steps']} | {stage['seconds'] / 60:.0f} |" for name, stage in facts["stages"].items()
    )
    return f"""---
{chr(10).join(f"{key}: {json.dumps(value)}" for key, value in front.items())}
---

# {facts["name"]}

{_introduction(facts)}

- **Data**: {facts["data"]}. Test questions use images, glyphs, faces, parts of photographs and question templates that
  training has not.
- **Seed**: {facts["seed"]}. **Licence**: Apache-2.0. The photographs and digits are not part of the weights.
{"".join(f"- {note}{chr(10)}" for note in facts.get("notes", ()))}
Held-out test, {facts["questions_per_family"]} questions a family, greedy answers, exact match; *blind* is without the
image. Mean over the families that need the image (all but `prior`): **{facts["mean_accuracy"]:.3f}**, blind
{facts["mean_blind"]:.3f}.

| family | accuracy | blind | chance |
|---|---|---|---|
{rows}

| stage | steps | minutes on one core |
|---|---|---|
{stages}

The learning curves are in `zoo.json`.
{_layers(facts.get("layers", ()))}"""


def _introduction(facts: Mapping[str, Any]) -> str:
    text = f"""{facts["what"]}, made with the code behind `eosdsl zoo train {facts["name"]}` so that token reduction
    has an accuracy to lose. It knows one small drawn world and nothing else: what it shows about a spec is evidence
    about that world, never about large models."""
    return fill(" ".join(text.split()), 118)


def _layers(use: Sequence[Mapping[str, Any]]) -> str:
    if not use:
        return ""
    rows = "\n".join(f"| {one['layer']} | {one['without']:.3f} | {one['attention']:.2f} |" for one in use[:-1])
    return f"""
Where the image is read: accuracy (mean over the families that need the image, {use[0]["questions"]} questions) where
all visual tokens end before a layer, and the share of attention that the last word of a prompt gives to visual tokens
in that layer of the full model. From the layer on where nothing is lost, whatever a spec does to visual tokens is free.

| visual tokens end before layer | accuracy | attention to the image there |
|---|---|---|
{rows}
| never | {use[-1]["without"]:.3f} | |
"""
