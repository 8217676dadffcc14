"""VLMEvalKit: `eos_model()` is a class with `generate_inner`, for its `supported_VLM`:

from functools import partial
from vlmeval.config import supported_VLM
from eosdsl.harnesses.vlmevalkit import eos_model

supported_VLM["llava-fastv"] = partial(eos_model(), pretrained="./llava-1.5-7b-hf", spec="fastv")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eosdsl.harnesses.answering import Answering


def chat_of(message: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One user turn from VLMEvalKit's message: images and texts `{type, value}` in any order.

    Raises:
        SpecError: E0689 for a video; and where the chat is answered, what is wrong with an image (E062x).
    """
    content: list[dict[str, Any]] = []
    for part in message:
        key = {"image": "image", "text": "text"}.get(str(part["type"]), "value")
        content.append({"type": part["type"], key: part["value"]})
    return [{"role": "user", "content": content}]


def eos_model() -> type[Any]:
    """The class, on VLMEvalKit's `BaseModel`. Raises ImportError where VLMEvalKit is not installed."""
    from vlmeval.vlm.base import BaseModel  # pyright: ignore[reportMissingImports]  # its own package

    return model_on(BaseModel)


def model_on(base: type[Any]) -> type[Any]:
    """The class on a base that has VLMEvalKit's protocol: `generate` checks a message and calls `generate_inner`."""

    class EosModel(base):
        """A model folder or hub id with an operator; arguments as `Answering` takes them, `options` for `generate`."""

        INTERLEAVE = True
        allowed_types = ("image", "text")

        def __init__(self, pretrained: str, spec: str | None = None, **options: Any) -> None:
            super().__init__()
            own = {name: options.pop(name) for name in _OWN if name in options}
            self._answering = Answering(pretrained, spec, **own)
            self._options = options

        def generate_inner(self, message: Sequence[Mapping[str, Any]], dataset: str | None = None) -> str:
            return self._answering.answer([chat_of(message)], self._options)[0]

        def chat_inner(self, message: Sequence[Mapping[str, Any]], dataset: str | None = None) -> str:
            turns = [{**chat_of(turn["content"])[0], "role": turn["role"]} for turn in message]
            return self._answering.answer([turns], self._options)[0]

    return EosModel


_OWN = ("budget", "written_for", "settings", "learned", "dtype", "device")
