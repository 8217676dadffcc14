"""From questions to a padded batch of model inputs, through the model's own chat template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from eosdsl.tasks.base import Example


def batch_inputs(
    processor: Any,
    examples: Sequence[Example],
    *,
    suffix: str = "",
    see: bool = True,
    pixels: tuple[int, int] | None = None,
    shrink: bool = False,
) -> Any:
    """Inputs of a batch, padded on the left.

    Args:
        processor: of the model.
        examples: all with images, or all without.
        suffix: text put behind every question, on a line of its own.
        see: whether the images are shown.
        pixels: height and width to which images are reduced first.
        shrink: whether the tower is to see them so small; otherwise they are blown up again to what it usually sees.
    """
    texts = [_text(processor, one, suffix, see) for one in examples]
    options: dict[str, Any] = {"return_tensors": "pt", "padding": True}
    if not see or not examples[0].images:
        return processor(text=texts, images=None, **options)
    any_size = hasattr(processor.image_processor, "merge_size")
    images = [[_reduced(image, pixels, stay=shrink and any_size) for image in one.images] for one in examples]
    if pixels is not None and shrink and not any_size:
        size = {"height": pixels[0], "width": pixels[1]}
        options |= {"size": size, "do_center_crop": False, "do_resize": True}
    return processor(text=texts, images=images, **options)


def _text(processor: Any, example: Example, suffix: str, see: bool) -> str:
    """The prompt, the turns before this question included; images belong to the first."""
    shown = len(example.images) if see else 0
    question = f"{example.question}\n{suffix}" if suffix else example.question
    if not getattr(processor, "chat_template", None):
        placeholder = str(getattr(processor, "image_token", None) or "<image>")
        return "".join(f"{placeholder}\n" for _ in range(shown)) + question
    messages: list[dict[str, Any]] = []
    for asked, answered in example.meta.get("before", ()):
        messages += [_said("user", asked), _said("assistant", answered)]
    messages.append(_said("user", question))
    messages[0]["content"] = [*({"type": "image"} for _ in range(shown)), *messages[0]["content"]]
    return processor.apply_chat_template(messages, add_generation_prompt=True)


def _said(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": text}]}


def _reduced(image: np.ndarray[Any, Any], pixels: tuple[int, int] | None, *, stay: bool) -> Any:
    """The image as it is, or brought down to few pixels (each the mean of those it stands for) and, unless it is to
    `stay` so small for a processor that leaves sizes alone, up again."""
    if pixels is None:
        return image
    height, width = pixels
    picture = Image.fromarray(image)
    small = picture.resize((width, height), Image.Resampling.BOX)
    return np.asarray(small if stay else small.resize(picture.size, Image.Resampling.BICUBIC))
