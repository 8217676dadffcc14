"""lmms-eval: `lmms-eval eval --model eosdsl --model_args pretrained=…,spec=…`.

`manifest` is what the entry-point group `lmms_eval.models` loads; the class is made when lmms-eval asks for it, so that
nothing here imports lmms-eval before it is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from eosdsl.diagnostics import SpecError, error

if TYPE_CHECKING:
    from eosdsl.harnesses.answering import Answering

MODEL = "eosdsl"
_CLASS = "eosdsl.harnesses.lmms_eval_model.EosModel"


def manifest() -> Any:
    """The registration that lmms-eval reads. Needs the package lmms-eval, whose entry point calls it."""
    from lmms_eval.models.registry_v2 import ModelManifest  # pyright: ignore[reportMissingImports]  # its own package

    return ModelManifest(model_id=MODEL, chat_class_path=_CLASS)


def answers(
    answering: Answering, requests: Sequence[Any], task_dict: Any, messages_of: Any, batch_size: int, say: Any = None
) -> list[str]:
    """Answers to lmms-eval's requests, in their order.

    Args:
        answering: who answers.
        requests: instances whose `args` end in (doc_to_messages, gen_kwargs, doc_id, task, split).
        task_dict: task → split → documents.
        messages_of: from a task's raw messages to those of Hugging Face's chat templates.
        batch_size: requests with equal options that are answered together.
        say: called with (context, gen_kwargs) and the answer, as each is known.
    """
    asked = [request.args[-5:] for request in requests]
    found: list[str | None] = [None] * len(asked)
    for places in _batches(asked, batch_size):
        chats = []
        for place in places:
            doc_to_messages, _, doc_id, task, split = asked[place]
            chats.append(messages_of(doc_to_messages(task_dict[task][split][doc_id])))
        options = asked[places[0]][1]
        for place, answer in zip(places, answering.answer(chats, options), strict=True):
            found[place] = answer
            if say is not None:
                say((requests[place].args[0], options), answer)
    return [answer for answer in found if answer is not None]


def refuse(what: str) -> SpecError:
    """The error for what is not answered (E0689)."""
    return SpecError(
        [error("E0689", f"{what} is not answered by eosdsl models", helps=("choose generate_until tasks",))]
    )


def _batches(asked: Sequence[Any], size: int) -> list[list[int]]:
    """Places of requests with equal options of one task, so many at a time, in order."""
    groups: dict[str, list[int]] = {}
    for place, (_, options, _, task, split) in enumerate(asked):
        groups.setdefault(f"{task}/{split}/{sorted(options.items(), key=str)}", []).append(place)
    return [places[start : start + size] for places in groups.values() for start in range(0, len(places), size)]
