"""Every registered operator as the texts that the language takes for it, from its parameters alone.

A new operator is covered by being registered: its required parameters are filled in, and every word that a parameter
takes is written once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from eosdsl.operators.base import Operator
from eosdsl.operators.parameters import Parameter, parameters
from eosdsl.operators.registry import Kind, operators

ROWS, COLUMNS, WIDTH, HEADS = 5, 7, 6, 3
LENGTH = ROWS * COLUMNS  # odd, and no multiple of four: matrix products round their last columns in another way
SHARED = ("similarity", "within", "weight", "combine")  # of behaviours: walked by tests of their own


def texts(kind: Kind, *, without: tuple[str, ...] = ()) -> list[str]:
    """All of a kind, each with its defaults and with each of its parameters' words."""
    return [text for name in operators(kind) for text in variants(operators(kind)[name], name, without)]


def variants(operator: type[Operator], name: str, without: tuple[str, ...] = ()) -> Iterator[str]:
    """`repel`, `repel(on: keys)`, `repel(text: yes)` …"""
    known = [one for one in parameters(operator) if one.name not in without]
    needed = [f"{one.name}: {_fill(one)}" for one in known if one.required]
    yield _written(name, needed)
    for one in known:
        for word in _words(one):
            if word != one.default:
                yield _written(
                    name, [*(text for text in needed if not text.startswith(one.name)), f"{one.name}: {word}"]
                )


def _written(name: str, given: list[str]) -> str:
    return f"{name}({', '.join(given)})" if given else name


def _words(one: Parameter) -> list[str]:
    takes = one.accepts
    nested = [f"{inner.only.name}(2)" for inner in takes.nested if inner.only is not None]
    return [*takes.words, *(["yes"] if takes.switch else []), *nested]


def _fill(one: Parameter) -> str:
    """A value for a parameter that has no default."""
    takes = one.accepts
    if takes.words:
        return takes.words[0]
    if takes.dims:
        return "2x3"
    if takes.number == "int":
        return "3"
    if takes.number == "real":
        return "30%" if takes.exact else "0.9"
    if takes.nested:
        return "norm(hidden)"
    raise AssertionError(f"the parameter {one.name} takes {takes.describe()}: say here what to write for it")


def given(seed: int, images: int = 2, dtype: torch.dtype = torch.float32, *, equal: bool = False) -> dict[str, Any]:
    """All inputs of `apply_step` that a step may read; with `equal` every token of an image is the same."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    def over_tokens(*shape: int) -> Tensor:
        return (
            normal(images, 1, *shape).expand(images, LENGTH, *shape).clone()
            if equal
            else normal(images, LENGTH, *shape)
        )

    rows = {"last": 1, "cls": 1, "text": 4, "raters": 4, "visual": LENGTH, "all": LENGTH + 4}
    looks = {query: 2 * over_tokens(HEADS, count).movedim(1, 3) for query, count in rows.items()}
    return {
        "hidden": over_tokens(WIDTH).to(dtype),
        "keys": over_tokens(WIDTH).to(dtype),
        "values": over_tokens(WIDTH).to(dtype),
        "attention": {query: logits.softmax(dim=3).to(dtype) for query, logits in looks.items()},
        "text": normal(images, 3, WIDTH).to(dtype),
        "sizes": torch.ones(images, LENGTH) if equal else torch.randint(1, 4, (images, LENGTH), generator=generator),
        "grid": (ROWS, COLUMNS),
        "frame": torch.arange(LENGTH).div(10, rounding_mode="floor").expand(images, LENGTH),
        "learned": {"predictor": over_tokens()},
    }


def images_of(inputs: dict[str, Any], rows: list[int]) -> dict[str, Any]:
    """The same inputs for some images of the batch, in that order."""

    def cut(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value[rows]
        return {name: cut(one) for name, one in value.items()} if isinstance(value, dict) else value

    return {name: cut(value) for name, value in inputs.items()}
