"""Questions with their answers as tensors: padded on the left, so that every answer stands at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from eosdsl.run.prompt import prompt_text
from eosdsl.tasks.base import Example

IGNORE = -100
_KEPT = ("pixel_values", "image_sizes", "image_grid_thw", "pixel_values_videos", "video_grid_thw")


@dataclass(frozen=True)
class Batch:
    """B questions of L tokens with their answers.

    inputs: what the model takes, `input_ids` [B, L] among it; labels [B, A]: the tokens of the answers at the end of
    the rows, IGNORE before them; tail [B, T] bool: of the last T rows those behind the last image of their question;
    images: how many each question has; encoded: what the tower made of the images, by modality, where that was done
    ahead (`searching.encoded`).
    """

    inputs: dict[str, Tensor]
    labels: Tensor
    tail: Tensor
    images: tuple[int, ...]
    encoded: Mapping[str, Any] | None = None

    def call(self) -> dict[str, Any]:
        """The keywords of a forward."""
        return {**self.inputs} if self.encoded is None else {**self.inputs, "mm_encoder_outputs": dict(self.encoded)}

    def per_image(self) -> Tensor:
        """Weights [G] with which a mean over images is a mean over questions, of the mean over a question's images."""
        asked = sum(count > 0 for count in self.images)
        return torch.tensor([1 / (count * asked) for count in self.images for _ in range(count)])

    def to(self, device: torch.device) -> Batch:
        inputs = {name: value.to(device) for name, value in self.inputs.items()}
        return Batch(inputs, self.labels.to(device), self.tail.to(device), self.images)


def encode(processor: Any, examples: Sequence[Example], image_token_id: int) -> Batch:
    """The batch of some questions.

    Raises:
        SpecError: E0623, E0627 where a question is empty or does not fit its images.
    """
    texts = [prompt_text(processor, one.question, len(one.images), one.meta.get("before", ())) for one in examples]
    pictures = [list(one.images) for one in examples if one.images]
    prompts = processor(images=pictures or None, text=texts, return_tensors="pt", padding=True)
    answers = [_answer(processor.tokenizer, one.answer) for one in examples]
    rows = [
        torch.cat([ids[mask.bool()], torch.tensor(answer, dtype=ids.dtype)])
        for ids, mask, answer in zip(prompts["input_ids"], prompts["attention_mask"], answers, strict=True)
    ]
    pad = processor.tokenizer.pad_token_id
    ids = _left_padded(rows, pad if pad is not None else 0)
    mask = _left_padded([torch.ones_like(row) for row in rows], 0)
    inputs = {"input_ids": ids, "attention_mask": mask}
    inputs |= {name: prompts[name] for name in _KEPT if name in prompts}
    labels = _left_padded([torch.tensor(answer) for answer in answers], IGNORE)
    return Batch(inputs, labels, _tail(ids == image_token_id, mask.bool()), tuple(len(one.images) for one in examples))


def _answer(tokenizer: Any, answer: str) -> list[int]:
    """The answer's tokens and the end of the turn."""
    end = tokenizer.eos_token_id
    return [*tokenizer(answer, add_special_tokens=False)["input_ids"], *([] if end is None else [end])]


def _left_padded(rows: Sequence[Tensor], value: int) -> Tensor:
    longest = max(len(row) for row in rows)
    return torch.stack([torch.nn.functional.pad(row, (longest - len(row), 0), value=value) for row in rows])


def _tail(visual: Tensor, valid: Tensor) -> Tensor:
    """Rows behind the last visual token [B, T], cut to the longest; where there is none all that are valid."""
    behind = valid & (visual.flip(1).cumsum(dim=1).flip(1) == 0)
    longest = int(behind.sum(dim=1).max())
    return behind[:, -longest:]
