"""The optimisers that a space can name, over its decision points."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn, optim

from eosdsl.searching.settings import Settings


def optimiser(settings: Settings, parameters: Iterable[nn.Parameter]) -> optim.Optimizer:
    """The optimiser that the settings ask for; AdamW forgets fast, since a search has few steps."""
    chosen = list(parameters)
    if settings.optimiser == "sgd":
        return optim.SGD(chosen, lr=settings.rate, momentum=0.9, weight_decay=settings.weight_decay)
    kind = optim.Adam if settings.optimiser == "adam" else optim.AdamW
    return kind(chosen, lr=settings.rate, betas=(0.9, 0.95), weight_decay=settings.weight_decay)
