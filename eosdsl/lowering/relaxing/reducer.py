"""The relaxed reducer modules: they stand in the graphs of decoder and tower where the discrete ones do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from eosdsl.ir.schedule import Site
from eosdsl.lowering.attending import CAUSAL, Attending
from eosdsl.lowering.discrete import Entered, Past
from eosdsl.lowering.learned import SiteNetworks
from eosdsl.lowering.probes import Reach, Readings, View, inputs_of, layers_of, read
from eosdsl.lowering.relaxing.amounts import soft_counts
from eosdsl.lowering.relaxing.decisions import Values
from eosdsl.lowering.relaxing.groups import SoftGroup
from eosdsl.lowering.relaxing.key_bias import biased_masks
from eosdsl.lowering.relaxing.numbers import Number
from eosdsl.lowering.relaxing.reduce import LEAST, fade
from eosdsl.lowering.relaxing.stream import SoftStream
from eosdsl.operators.base import Probe, Tokens

_NO_BIAS = 0.005  # a strength that is written as zero leaves the one in force as it is


@dataclass(frozen=True)
class SoftPlan:
    """What a relaxed reducer knows ahead. `statement`: of the program; `gate`: the decision point of its place, None
    where it is fixed; `strength` of the bias by log size, None where the site names none; `grid` of an unreduced image;
    `attending`: how the decoder's layers attend.
    """

    site: Site
    statement: int
    boundary: int
    groups: tuple[SoftGroup, ...]
    gate: str | None
    strength: Number | None
    grid: tuple[int, int] | None
    attending: Attending = CAUSAL

    @cached_property
    def reads_grid(self) -> bool:
        """Whether choosing or absorbing goes by rows and columns of the image."""
        return any(one.reads_grid for group in self.groups for one in group.operators())

    @cached_property
    def probes(self) -> tuple[Probe, ...]:
        every = {probe for group in self.groups for one in group.operators() for probe in one.probes()}
        return tuple(sorted(every, key=repr))

    @cached_property
    def layers_read(self) -> tuple[int, ...]:
        return tuple(sorted({layer for probe in self.probes for layer in layers_of(probe, self.boundary)}))

    @cached_property
    def inputs_read(self) -> tuple[int, ...]:
        return tuple(sorted({layer for probe in self.probes for layer in inputs_of(probe, self.boundary)}))

    @property
    def in_tower(self) -> bool:
        return self.site.stream != "decoder"


class RelaxedReducer(nn.Module):
    """Fades rows at a site. Shapes never change; a forward that brings no image passes."""

    def __init__(self, plan: SoftPlan, config: Any, layers: Mapping[int, nn.Module], networks: SiteNetworks) -> None:
        super().__init__()
        self.plan = plan
        self.config = config
        self.networks = networks
        self.looked_at = nn.ModuleDict({str(layer): layers[layer] for layer in plan.inputs_read})

    def forward(self, stream: SoftStream, hidden: Tensor, past: Past, past_key_values: Any = None) -> SoftStream:
        """hidden [B, L, D] at the site → the stream behind it, its `hidden` of the same shape."""
        entering = replace(stream, hidden=hidden)
        if entering.images is None or entering.values is None:
            return entering
        views = {layer: self._view(layer, entering, past) for layer in self.plan.inputs_read}
        embedded = None if self.plan.in_tower else views.get(0)
        readings = read(self.plan.probes, views, self.plan.boundary, entering, embedded)
        return _faded(self.plan, entering, readings, self.config, self.networks)

    def _view(self, layer: int, stream: SoftStream, past: Past) -> View:
        module = self.looked_at[str(layer)]
        entered = Entered(*past[layer]) if layer in past else Entered(stream.hidden, stream)
        attending = self.plan.attending
        kept, then = entered.kept, attending.seen_by(layer, entered.stream)
        held = None if kept is None else (kept.keys, kept.values)
        reach = Reach(attending.window_of(layer), attending.window_first)
        return View(module, entered.hidden, then, held, kept is not None, then.keys_valid, then.keys_bias, reach)


def _faded(plan: SoftPlan, stream: SoftStream, readings: Readings, config: Any, networks: SiteNetworks) -> SoftStream:
    images, values = stream.images, stream.values
    assert images is not None and values is not None
    assert stream.log_presence is not None and stream.sizes is not None
    gate = None if plan.gate is None else values.gate_logit(plan.gate)
    entered = dict(stream.entered)

    def counts(incoming: Tensor) -> list[Tensor]:
        if plan.groups[0].amount.index == 1:
            entered[plan.statement] = incoming
        unreduced = incoming.new_tensor([float(original) for original in stream.unreduced])
        return soft_counts(
            [group.amount for group in plan.groups], values, unreduced, incoming, entered[plan.statement]
        )

    tokens = soft_tokens(plan, stream, readings, networks)
    faded = fade(plan.groups, tokens, stream.log_presence, counts, values, gate, images.later)
    hidden = stream.hidden
    if faded.hidden is not None:
        hidden = _put(hidden, stream, faded.hidden)
    behind = replace(
        stream,
        hidden=hidden,
        images=replace(images, later=faded.later),
        log_presence=faded.log_presence,
        sizes=faded.sizes,
        bias_strength=_strength(plan, stream, gate, values),
        entered=entered,
    )
    if plan.site.stream != "encoder_output":  # behind it are no layers; what it leaves is what arrives in the decoder
        note(behind, plan.boundary, middle=plan.site.after_attention)
    return biased(behind, config)


def soft_tokens(plan: SoftPlan, stream: SoftStream, readings: Readings, networks: SiteNetworks) -> Tokens:
    """The tokens of the images as operators see them; networks count a row as far as it is there."""
    images, grid = stream.images, plan.grid
    assert images is not None and stream.sizes is not None and stream.log_presence is not None
    whole = grid is not None and all(original == grid[0] * grid[1] for original in stream.unreduced)
    valid = images.valid
    if valid is None:
        valid = torch.ones(images.rows.shape, dtype=torch.bool, device=images.rows.device)
    hidden = stream.hidden[images.batch[:, None], images.rows]
    return Tokens(
        hidden=hidden,
        sizes=stream.sizes,
        index=images.index,
        valid=valid,
        keys=readings.keys,
        values=readings.values,
        attention=readings.attention,
        text=readings.text,
        text_valid=readings.text_valid,
        grid=grid if whole else None,
        learned=networks(hidden, stream.log_presence.exp() * valid),
        ascending=images.ascending,
    )


def note(stream: SoftStream, boundary: int, *, middle: bool) -> None:
    """Write down how many tokens there are from here on."""
    images = stream.images
    assert images is not None and stream.log_presence is not None
    presence = stream.log_presence.exp()
    presence = presence if images.valid is None else presence * images.valid
    stream.ledger.entries.append((boundary, middle, presence.sum(dim=1)))


def biased(stream: SoftStream, config: Any) -> SoftStream:
    """The stream with log p + β log m on the keys of the layers behind it."""
    images = stream.images
    assert images is not None and stream.log_presence is not None and stream.sizes is not None
    strength = stream.bias_strength
    own = stream.log_presence
    if stream.values is not None and stream.values.temperatures.faintness != 1:
        own = (own * stream.values.temperatures.faintness).clamp(min=LEAST)
    if isinstance(strength, Tensor):
        own = own + strength.to(own.dtype) * stream.sizes.log()
    elif strength:
        own = own + strength * stream.sizes.log()
    rows = own.new_zeros(stream.hidden.shape[:2])
    bias = _scattered(rows, stream, own)
    mask = biased_masks(config, stream.base_mask, bias, stream.hidden.dtype, causal=not stream.tower)
    return replace(stream, keys_bias=bias, attention_mask=mask)


def _strength(plan: SoftPlan, stream: SoftStream, gate: Tensor | None, values: Values) -> Tensor | float:
    """β from here on: the site's own where it has one that is not zero, as far as its gate is open."""
    before = stream.bias_strength
    if plan.strength is None:
        return before
    own = plan.strength(values)
    if not isinstance(own, Tensor):
        now: Tensor | float = own or before
    else:
        now = torch.where(own < _NO_BIAS, torch.zeros_like(own) + before, own)
    return now if gate is None else before + gate.sigmoid() * (now - before)


def _put(hidden: Tensor, stream: SoftStream, content: Tensor) -> Tensor:
    return _scattered(hidden, stream, content.to(hidden.dtype))


def _scattered(into: Tensor, stream: SoftStream, values: Tensor) -> Tensor:
    """into [B, L, …] with values [G, N, …] at the rows of the images; padding is left out."""
    images = stream.images
    assert images is not None
    own = images.batch[:, None]
    if images.valid is None:
        return into.index_put((own, images.rows), values)
    spare = torch.cat([into, into[:, :1]], dim=1)
    return spare.index_put((own, images.rows.where(images.valid, into.shape[1])), values)[:, :-1]
