"""The vision tower's work, done once for a batch: sides that leave the tower alone share what it sees."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from eosdsl.lowering.anatomy import dissect
from eosdsl.models.facts import ModelFacts
from eosdsl.models.profiles import profiles


class SharedTower:
    """Remembers the image features of one batch at a time. `forget` before another batch is asked."""

    def __init__(self, model: Any, facts: ModelFacts) -> None:
        self._vlm: Any = dissect(model, profiles()[facts.family], facts).vlm
        self._features: Any = None

    def forget(self) -> None:
        self._features = None

    @contextmanager
    def remembered(self) -> Generator[None]:
        """Within, the first call of `get_image_features` is computed and every later one is given the same."""

        def wrapped(own: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(own)  # `generate` reads the signature
            def features(*args: Any, **kwargs: Any) -> Any:
                if self._features is None:
                    self._features = own(*args, **kwargs)
                return self._features

            return features

        with self._in_place(wrapped):
            yield

    @contextmanager
    def small_images(self) -> Generator[None]:
        """Within, the tower takes images of another size: its position embeddings are interpolated."""

        def wrapped(own: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(own)
            def features(*args: Any, **kwargs: Any) -> Any:
                return own(*args, **{**kwargs, "interpolate_pos_encoding": True})

            return features

        with self._in_place(wrapped):
            yield

    @contextmanager
    def _in_place(self, wrapped: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Generator[None]:
        before = self._vlm.__dict__.get("get_image_features")
        self._vlm.__dict__["get_image_features"] = wrapped(self._vlm.get_image_features)
        try:
            yield
        finally:
            self._vlm.__dict__.pop("get_image_features")
            if before is not None:
                self._vlm.__dict__["get_image_features"] = before
