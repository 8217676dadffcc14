"""From a question and images to what a model's processor takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from eosdsl.diagnostics import SpecError, error

if TYPE_CHECKING:
    from PIL import Image


def prepare(processor: Any, prompt: str, images: Sequence[Image.Image]) -> Any:
    """Model inputs (a batch of one) for a question about the images.

    The images come first and the model's chat template is used; a prompt that has image placeholders of its own, or a
    processor without a template, is taken as it is.

    Raises:
        SpecError: E0623 for an empty prompt, E0627 where placeholders and images do not match.
    """
    refuse_empty(prompt)
    text = prompt_text(processor, prompt, len(images))
    return processor(text=[text], images=list(images) or None, return_tensors="pt")


def refuse_empty(prompt: str) -> None:
    """Raise SpecError (E0623) where nothing is asked."""
    if not prompt.strip():
        raise SpecError([error("E0623", "the prompt is empty", helps=("write a question after --prompt",))])


def prompt_text(processor: Any, prompt: str, images: int, before: Sequence[tuple[str, str]] = ()) -> str:
    """The text of a question as the model's chat template writes it, behind earlier turns (question, answer).

    Raises:
        SpecError: E0623 for an empty prompt, E0627 where placeholders and images do not match.
    """
    refuse_empty(prompt)
    placeholder = str(getattr(processor, "image_token", None) or "<image>")
    written = prompt.count(placeholder)
    if written:
        _must_match(placeholder, written, images)
        return prompt
    if not getattr(processor, "chat_template", None):
        return "".join(f"{placeholder}\n" for _ in range(images)) + prompt
    return processor.apply_chat_template(_messages(prompt, images, before), add_generation_prompt=True)


def _messages(prompt: str, images: int, before: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """The turns of a conversation; the images stand in front of its first question."""
    messages: list[dict[str, Any]] = []
    for question, answer in before:
        messages.append({"role": "user", "content": [{"type": "text", "text": question}]})
        messages.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
    messages.append({"role": "user", "content": [{"type": "text", "text": prompt}]})
    messages[0]["content"] = [*({"type": "image"} for _ in range(images)), *messages[0]["content"]]
    return messages


def _must_match(placeholder: str, written: int, images: int) -> None:
    if written == images:
        return
    counted = f"{written} {placeholder} placeholder{'s'[: written != 1]}, {images} image{'s'[: images != 1]}"
    raise SpecError([error("E0627", f"the prompt does not fit the images: {counted}", helps=("leave them out",))])
