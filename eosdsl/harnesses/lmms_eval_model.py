"""The class that lmms-eval makes. Importing it needs lmms-eval."""

from __future__ import annotations

from typing import Any

from lmms_eval.api.model import lmms  # pyright: ignore[reportMissingImports]  # its own package
from lmms_eval.protocol import ChatMessages  # pyright: ignore[reportMissingImports]

from eosdsl.harnesses.answering import Answering
from eosdsl.harnesses.lmms_eval import answers, refuse


class EosModel(lmms):  # pyright: ignore[reportUntypedBaseClass]
    """A chat model of lmms-eval with an operator. `model_args`: pretrained, spec, budget, written_for,
    learned, dtype."""

    is_simple = False

    def __init__(
        self,
        pretrained: str,
        spec: str | None = None,
        budget: str | int | None = None,
        written_for: str | None = None,
        learned: str | None = None,
        dtype: str | None = None,
        device: str | None = None,
        batch_size: int | str = 1,
        max_batch_size: int | None = None,
    ) -> None:
        super().__init__()
        self._answering = Answering(
            pretrained,
            spec,
            budget=None if budget is None else str(budget),
            written_for=written_for,
            learned=learned,
            dtype=dtype,
            device=device,
        )
        self.batch_size = int(batch_size)

    @property
    def model(self) -> Any:
        return self._answering.model

    def generate_until(self, requests: Any) -> list[str]:
        def messages_of(raw: Any) -> Any:
            return ChatMessages(messages=raw).to_hf_messages()

        def say(request: Any, answer: str) -> None:
            self.cache_hook.add_partial("generate_until", request, answer)

        return answers(self._answering, requests, self.task_dict, messages_of, self.batch_size, say)

    def loglikelihood(self, requests: Any) -> Any:
        raise refuse("the log-likelihood of given answers")

    def generate_until_multi_round(self, requests: Any) -> Any:
        raise refuse("a task of several rounds")
