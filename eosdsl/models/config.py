"""Reading a Hugging Face config: a nested mapping in which keys may be missing (then their type's default holds)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eosdsl.diagnostics import SpecError, error


@dataclass(frozen=True)
class Config:
    """One section of a config. `model` and `path` say where it is; `defaults` hold where a key is missing."""

    values: Mapping[str, Any]
    model: str
    path: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or its default. A null counts as missing."""
        value = self.values.get(key)
        if value is not None:
            return value
        return self.defaults.get(key, default)

    def section(self, key: str, default_type: str) -> Config:
        """The nested config `key`; an absent one is empty, with `model_type: default_type`."""
        values = self.get(key, {})
        if not isinstance(values, Mapping):
            raise self.problem(key, f"is {values!r}, not an object")
        return Config({"model_type": default_type, **values}, self.model, f"{self.path}{key}.")

    def with_defaults(self, defaults: Mapping[str, Any]) -> Config:
        return Config(self.values, self.model, self.path, defaults)

    def count(self, key: str, default: int | None = None) -> int:
        """A positive whole number."""
        value = self.get(key, default)
        if value is None:
            raise self.problem(key, "is missing")
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self.problem(key, f"is {value!r}, not a positive whole number")
        return value

    def side(self, key: str) -> tuple[int, int]:
        """A size in pixels, height and width: one number or a pair."""
        value = self.get(key)
        pair = (value, value) if isinstance(value, int) else value
        if not (isinstance(pair, (list, tuple)) and len(pair) == 2):
            raise self.problem(key, f"is {value!r}, not a size in pixels")
        height, width = (Config({key: one}, self.model, self.path).count(key) for one in pair)
        return height, width

    def word(self, key: str, choices: tuple[str, ...], default: str) -> str:
        """One of a few words."""
        value = self.get(key, default)
        if value not in choices:
            raise self.problem(key, f"is {value!r}, not one of {', '.join(choices)}")
        return value

    def token(self, *keys: str) -> int | None:
        """A token id under the first of these keys that is there."""
        for key in keys:
            value = self.get(key)
            if isinstance(value, int) and not isinstance(value, bool):
                return value
        return None

    def bytes_per_value(self) -> int:
        """Width of the checkpoint's numbers; half precision where the config does not say."""
        dtype = str(self.get("dtype", self.get("torch_dtype", "float16"))).removeprefix("torch.")
        return {"float32": 4, "float": 4, "float64": 8, "double": 8}.get(dtype, 2)

    def problem(self, key: str, what: str) -> SpecError:
        """The error that `key` of this section `what`."""
        return SpecError([error("E0645", f"the config of {self.model} cannot be used: `{self.path}{key}` {what}")])
