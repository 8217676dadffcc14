"""A stand-in for the parts of lmms-eval (0.7) that a chat model meets, written from its documentation (model guide):

`lmms` (the abstract base, `task_dict`, `cache_hook`), `ChatMessages.to_hf_messages`, `ModelManifest`, and requests
whose `args` are (context, doc_to_messages, gen_kwargs, doc_id, task, split).
"""

from __future__ import annotations

import abc
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest


class Hook:
    def __init__(self) -> None:
        self.noted: list[tuple[str, Any, str]] = []

    def add_partial(self, attribute: str, request: Any, answer: str) -> None:
        self.noted.append((attribute, request, answer))


class Lmms(abc.ABC):
    is_simple = True

    def __init__(self) -> None:
        self.cache_hook = Hook()
        self.task_dict: dict[str, Any] = {}

    @abc.abstractmethod
    def generate_until(self, requests: Any) -> Any: ...

    @abc.abstractmethod
    def loglikelihood(self, requests: Any) -> Any: ...

    @abc.abstractmethod
    def generate_until_multi_round(self, requests: Any) -> Any: ...


@dataclass
class ChatMessages:
    messages: list[Any]

    def to_hf_messages(self) -> list[dict[str, Any]]:
        return [
            {
                "role": message["role"],
                "content": [
                    {"type": "image", "image": part["url"]} if part["type"] == "image" else part
                    for part in message["content"]
                ],
            }
            for message in self.messages
        ]


@dataclass(frozen=True)
class ModelManifest:
    model_id: str
    simple_class_path: str | None = None
    chat_class_path: str | None = None


@dataclass(frozen=True)
class Request:
    args: tuple[Any, ...]


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the stand-ins where the plug-in imports from."""
    for name, members in (
        ("lmms_eval", {}),
        ("lmms_eval.api", {}),
        ("lmms_eval.api.model", {"lmms": Lmms}),
        ("lmms_eval.protocol", {"ChatMessages": ChatMessages}),
        ("lmms_eval.models", {}),
        ("lmms_eval.models.registry_v2", {"ModelManifest": ModelManifest}),
    ):
        module = ModuleType(name)
        module.__dict__.update(members)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "eosdsl.harnesses.lmms_eval_model", raising=False)
