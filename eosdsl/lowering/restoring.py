"""Changes to a model's instances that can be undone."""

from __future__ import annotations

from typing import Any

from torch import nn


class Restoring:
    """Attributes put over those of a module's class, and hooks; `remove` leaves every module as it was."""

    def __init__(self) -> None:
        self.handles: list[Any] = []
        self._replaced: list[tuple[nn.Module, str, Any]] = []

    def remove(self) -> None:
        """Restore the model. Safe to call twice."""
        for handle in self.handles:
            handle.remove()
        for module, name, own in self._replaced:
            _restore(module, name, own)
        self.handles, self._replaced = [], []

    def replace(self, module: nn.Module, name: str, value: Any) -> None:
        """Give the instance an attribute of its own, over that of its class (or over a part of the module)."""
        self._replaced.append((module, name, module.__dict__.get(name)))
        module.__dict__[name] = value


def _restore(module: nn.Module, name: str, own: Any) -> None:
    """Give a module its own attribute back, or none where it had none (then its class's shows again)."""
    if own is not None:
        module.__dict__[name] = own
        return
    module.__dict__.pop(name, None)
