"""The differentiable twin of the plan: the formulas of `eosdsl.cost` on soft counts.

At counts that are whole, with gates and shares that are 0 or 1, it gives what `eosdsl.plan` gives, reducers included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from eosdsl.cost.account import decoder_cost
from eosdsl.cost.counts import total
from eosdsl.cost.flops import Rows, head_macs, projector_macs, tower_macs
from eosdsl.cost.latency import LatencyProfile
from eosdsl.cost.measures import Amounts
from eosdsl.cost.reducers import site_context
from eosdsl.models.facts import ModelFacts
from eosdsl.operators.base import Operator
from eosdsl.passes.infer_tokens import usual_image


@dataclass(frozen=True)
class Charge:
    """An operator and the share in [0, 1] in which it is used."""

    operator: Operator
    share: Tensor


@dataclass(frozen=True)
class SoftGroup:
    """The operators of a group, and the anchors that it keeps of an image: []."""

    kept: Tensor
    charges: tuple[Charge, ...]


@dataclass(frozen=True)
class SoftSite:
    """A site, in the decoder or not: its gate in [0, 1], the tokens of an image that arrive at it, and its groups."""

    gate: Tensor
    in_decoder: bool
    incoming: Tensor
    groups: tuple[SoftGroup, ...]


@dataclass(frozen=True)
class SoftTokens:
    """Visual tokens of the usual image in every decoder layer [L]: entering it, and entering its MLP; patches in every
    layer of the tower, likewise; visual tokens that arrive in front of the decoder []."""

    entering: Tensor
    in_mlp: Tensor
    patches: Tensor
    patches_in_mlp: Tensor
    arriving: Tensor

    @classmethod
    def whole(cls, facts: ModelFacts) -> SoftTokens:
        """Of the model without reduction."""
        image = usual_image(facts)
        decoder = torch.full((facts.decoder.layers,), float(image.original))
        tower = torch.full((facts.encoder.layers if facts.encoder else 0,), float(image.patches))
        return cls(decoder, decoder, tower, tower, torch.tensor(float(image.original)))


def soft_amounts(
    facts: ModelFacts,
    tokens: SoftTokens,
    sites: Sequence[SoftSite],
    text_tokens: int = 64,
    images: int = 1,
    profile: LatencyProfile | None = None,
) -> Amounts[Tensor]:
    """What constraints look at, as tensors that a gradient goes through."""
    entering = list(tokens.entering.double().unbind())
    decoder = decoder_cost(facts, _rows(tokens.entering, tokens.in_mlp), text_tokens, images)
    reducers = _reducers_macs(sites, facts, text_tokens, images, decoder.macs)
    before = images * (_tower(facts, tokens) + projector_macs(facts, tokens.arriving.double()))
    latency = None
    if profile is not None:
        gates = total([decoder.macs * 0, *(_acting(site) for site in sites)])
        counts = (entering, tokens.in_mlp.double().unbind())
        seen, mlps = ([text_tokens + images * one for one in own] for own in counts)
        latency = profile.prefill(seen, gates, reducers, mlps, _left_before(facts, tokens))
    return Amounts(
        entering=entering,
        prefill_flops=2 * decoder.macs,
        flops=2 * (decoder.macs + reducers + before + head_macs(facts.decoder)),
        kv_cache=decoder.kv_cache_bytes,
        latency=latency,
    )


def _acting(site: SoftSite) -> Tensor:
    """How much a site is one that reduces []: a plan does not count those that keep all that arrives."""
    kept = torch.stack([group.kept.double() for group in site.groups]).sum()
    return site.gate.double() * (site.incoming.double() - kept).clamp(0, 1)


def _left_before(facts: ModelFacts, tokens: SoftTokens) -> Tensor | None:
    """The share of the work in front of the decoder that is left; None where there is none."""
    left, full = (
        _tower(facts, one) + projector_macs(facts, one.arriving.double()) for one in (tokens, SoftTokens.whole(facts))
    )
    return left / full if float(full) else None


def _reducers_macs(sites: Sequence[SoftSite], facts: ModelFacts, text_tokens: int, images: int, like: Tensor) -> Tensor:
    """Multiply-accumulates of all reducers."""
    added = torch.zeros_like(like)
    for site in sites:
        gate = site.gate.double()
        for group in site.groups:
            # a context holds whole numbers for a plan; the operators' formulas hold for soft ones just as well
            incoming: Any = site.incoming.double()
            kept: Any = group.kept.double()
            context = site_context(facts, site.in_decoder, incoming, kept, text_tokens, images)
            for charge in group.charges:
                added = added + images * gate * charge.share.double() * charge.operator.macs(context)
    return added


def _tower(facts: ModelFacts, tokens: SoftTokens) -> Tensor | int:
    if facts.encoder is None:
        return 0
    return tower_macs(facts.encoder, usual_image(facts).patches, _rows(tokens.patches, tokens.patches_in_mlp))


def _rows(attention: Tensor, mlp: Tensor) -> list[Rows[Tensor]]:
    return [Rows(one, other) for one, other in zip(attention.double(), mlp.double(), strict=True)]
