"""A model with an operator that answers chats: what every harness's plug-in is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eosdsl.diagnostics import SpecError, error
from eosdsl.evaluating.loading import load

_SAMPLING = ("temperature", "top_p", "top_k", "num_beams", "max_new_tokens", "repetition_penalty")
_LONGEST = 128
"""Tokens of an answer, where a harness names no number."""


class Answering:
    """A model folder or hub id, answering as it is or with a spec.

    Args:
        pretrained: the model.
        spec: a file, or the name of a spec in `specs/methods`; None: the model as it is.
        budget: as `eosdsl eval --budgets` takes it: the spec is turned to meet it; None: as it is written.
        written_for: the model whose layers and tokens the spec counts; None: this one.
        settings: values for the spec's params.
        learned: a file or folder with the numbers of its learned scores.
        dtype, device: of the model.

    Raises:
        SpecError: what is wrong with the spec, the model or their match; E0688 where the budget cannot be met.
    """

    def __init__(
        self,
        pretrained: str,
        spec: str | None = None,
        *,
        budget: str | None = None,
        written_for: str | None = None,
        settings: Mapping[str, str] | None = None,
        learned: str | None = None,
        dtype: str | None = None,
        device: str | None = None,
    ) -> None:
        self.source, self.facts, self.model, self.processor = load(pretrained, dtype, device)
        self.compiled: Any = None
        if spec is not None:
            from eosdsl.lowering.compile import compile_program

            program = self._program(spec, budget, written_for, settings or {}, learned)
            self.compiled = compile_program(program, self.model, learned=learned)

    def answer(self, chats: Sequence[Sequence[Mapping[str, Any]]], options: Mapping[str, Any]) -> list[str]:
        """Answers to a batch of chats, each cut at the first of the strings in `until`.

        Args:
            chats: messages in the form of Hugging Face's chat templates; content is a list of
                `{type: image, image: PIL image or path}` and `{type: text, text: …}`.
            options: `until`, and what `generate` takes: `max_new_tokens`, `temperature`, `top_p`, `num_beams`.
        """
        seen = [chat for chat in chats if _pictures(chat)]
        if 0 < len(seen) < len(chats):  # a processor takes a batch with images, or one without
            return [self.answer([chat], options)[0] for chat in chats]
        pictures = [_pictures(chat) for chat in chats]
        texts = [self.processor.apply_chat_template(_bare(chat), add_generation_prompt=True) for chat in chats]
        inputs = self.processor(text=texts, images=pictures if seen else None, return_tensors="pt", padding=True).to(
            self.model.device, self.model.dtype
        )
        tokens = self.model.generate(**inputs, **_generation(options))
        new = tokens[:, inputs["input_ids"].shape[1] :]
        answers = self.processor.tokenizer.batch_decode(new, skip_special_tokens=True)
        return [cut(answer, options.get("until")) for answer in answers]

    def _program(
        self, spec: str, budget: str | None, written_for: str | None, settings: Mapping[str, str], learned: str | None
    ) -> Any:
        from eosdsl.evaluating.budgets import parse_budgets
        from eosdsl.evaluating.operators import operator_of
        from eosdsl.evaluating.retarget import Unreached
        from eosdsl.evaluating.suites import candidate_of

        candidate = candidate_of(_spec_path(spec), written_for, learned)
        if settings:
            return operator_of(candidate.source, settings)
        found = candidate.at(None if budget is None else parse_budgets(budget)[0], self.facts)
        if isinstance(found, Unreached):
            raise SpecError([error("E0688", f"{candidate.name} cannot be run: {found.reason}")])
        return found.program


def _spec_path(spec: str) -> Path:
    """A file, or else a shipped method of this name."""
    from eosdsl.resources import resource

    path = Path(spec)
    shipped = resource("specs") / "methods" / f"{spec}.eos"
    return shipped if not path.exists() and shipped.is_file() else path


def cut(answer: str, until: Any) -> str:
    """The answer before the first of the strings that end it."""
    stops = [until] if isinstance(until, str) else list(until or ())
    for stop in stops:
        if stop:
            answer = answer.split(stop, 1)[0]
    return answer.strip()


def _generation(options: Mapping[str, Any]) -> dict[str, Any]:
    """What `generate` is told: greedy, unless a temperature above zero is asked for."""
    chosen = {name: options[name] for name in _SAMPLING if options.get(name) is not None}
    chosen.setdefault("max_new_tokens", _LONGEST)
    sampled = float(chosen.get("temperature", 0.0)) > 0 and options.get("do_sample", True)
    if not sampled:
        for name in ("temperature", "top_p", "top_k"):
            chosen.pop(name, None)
    return {**chosen, "do_sample": sampled}


def _pictures(chat: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [_opened(part["image"]) for message in chat for part in _parts(message) if part["type"] == "image"]


def _opened(image: Any) -> Any:
    from eosdsl.run.images import open_image

    return open_image(Path(image)) if isinstance(image, str) else image.convert("RGB")


def _bare(chat: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The chat with places for its images only, which is what templates read."""
    return [
        {
            "role": message["role"],
            "content": [{"type": "image"} if part["type"] == "image" else dict(part) for part in _parts(message)],
        }
        for message in chat
    ]


def _parts(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content = message["content"]
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    other = next((part["type"] for part in content if part["type"] not in ("image", "text")), None)
    if other is not None:
        raise SpecError([error("E0689", f"a message holds a {other}: only images and text are answered")])
    return list(content)
