"""How good a trained model is: held-out questions through the same door as everybody's, `processor` and `generate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eosdsl.tasks.base import MEDIUM, Difficulty, Example, Split, correct
from eosdsl.tasks.registry import standard_families

if TYPE_CHECKING:
    from transformers import LlavaForConditionalGeneration, LlavaProcessor

_BATCH = 25
_LONGEST = 6
"""Tokens of an answer."""


@dataclass(frozen=True, slots=True)
class Score:
    """Of one family: accuracy, accuracy without the images, accuracy of a guess."""

    accuracy: float
    blind: float
    chance: float
    needs_image: bool


def evaluate(
    model: LlavaForConditionalGeneration,
    processor: LlavaProcessor,
    questions: int,
    split: Split = "test",
    difficulty: Difficulty = MEDIUM,
    seed: int = 0,
) -> dict[str, Score]:
    """Accuracy on `questions` held-out questions of every standard family, with and without the images."""
    scores: dict[str, Score] = {}
    for name, family in standard_families().items():
        examples = list(family.generate(split, seed, questions, difficulty))
        seen, blind = (accuracy(model, processor, examples, with_images=see) for see in (True, False))
        scores[name] = Score(seen, blind, family.chance(), family.needs_image)
    return scores


def accuracy(
    model: LlavaForConditionalGeneration, processor: LlavaProcessor, examples: Sequence[Example], *, with_images: bool
) -> float:
    """Share of answers that are exactly right."""
    right = 0
    for group in _groups(examples):
        given = answers(model, processor, group, with_images=with_images)
        right += sum(correct(a, example.answer) for a, example in zip(given, group, strict=True))
    return right / len(examples)


def answers(
    model: LlavaForConditionalGeneration, processor: LlavaProcessor, examples: Sequence[Example], *, with_images: bool
) -> list[str]:
    """Greedy answers to a batch of questions."""
    prompts = [
        processor.apply_chat_template(_message(one, with_images), add_generation_prompt=True) for one in examples
    ]
    images = [list(one.images) for one in examples] if with_images else None
    process: Any = processor  # its call takes more than its annotations say
    inputs: Any = process(images=images, text=prompts, return_tensors="pt", padding=True, add_special_tokens=False)
    generate: Any = model.generate  # pyright: ignore[reportAttributeAccessIssue] # a mixin's protocol
    tokens = generate(**inputs, max_new_tokens=_LONGEST, do_sample=False)
    return processor.batch_decode(tokens[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)


def _message(example: Example, with_images: bool) -> list[dict[str, Any]]:
    shown = [{"type": "image"}] * len(example.images) if with_images else []
    return [{"role": "user", "content": [*shown, {"type": "text", "text": example.question}]}]


def _groups(examples: Sequence[Example]) -> list[tuple[Example, ...]]:
    return [tuple(examples[start : start + _BATCH]) for start in range(0, len(examples), _BATCH)]
