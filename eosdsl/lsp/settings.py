"""What a user can choose: sent with the initialisation, or as the section `eosdsl` of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Settings:
    """Args:
    model: what `--model` takes; None checks what holds for any model.
    params: values for the specs' params, as text.
    allow_outside: let `use` take in files outside the spec's own folder.
    text_tokens: text tokens of the prompt that costs are counted for.
    """

    model: str | None = "llava"
    params: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    allow_outside: bool = False
    text_tokens: int = 64


DEFAULTS = Settings()


def updated(settings: Settings, given: Any) -> Settings:
    """The settings with what a client sent; values that are not of the right kind are passed over."""
    if not isinstance(given, Mapping):
        return settings
    sent: Mapping[str, Any] = given.get("eosdsl", given) if isinstance(given.get("eosdsl"), Mapping) else given
    changes: dict[str, Any] = {}
    if "model" in sent and (sent["model"] is None or isinstance(sent["model"], str)):
        changes["model"] = sent["model"] or None
    if isinstance(sent.get("params"), Mapping):
        changes["params"] = {str(name): str(value) for name, value in sent["params"].items()}
    if isinstance(sent.get("allowOutside"), bool):
        changes["allow_outside"] = sent["allowOutside"]
    if _is_count(sent.get("textTokens")):
        changes["text_tokens"] = sent["textTokens"]
    return replace(settings, **changes)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
