"""The optimisers that a space can name, over its decision points and what its scores learn."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn, optim

from eosdsl.searching.settings import Settings

LEARNED_SHARE = 0.1
"""Of the rate of decision points, which are single numbers, that of the weights of networks."""


def optimiser(
    settings: Settings, parameters: Iterable[nn.Parameter], learned: Iterable[nn.Parameter] = ()
) -> optim.Optimizer:
    """The optimiser that the settings ask for; AdamW forgets fast, since a search has few steps. Each of its groups
    has its `share` of the rate.
    """
    groups = [{"params": list(parameters), "share": 1.0}, {"params": list(learned), "share": LEARNED_SHARE}]
    chosen = [group for group in groups if group["params"]]
    if settings.optimiser == "sgd":
        return optim.SGD(chosen, lr=settings.rate, momentum=0.9, weight_decay=settings.weight_decay)
    kind = optim.Adam if settings.optimiser == "adam" else optim.AdamW
    return kind(chosen, lr=settings.rate, betas=(0.9, 0.95), weight_decay=settings.weight_decay)
