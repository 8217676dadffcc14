"""The reducer modules that stand in the graphs of decoder and tower. They keep no state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from eosdsl.lowering.arrivals import arrive
from eosdsl.lowering.devices import on
from eosdsl.lowering.halves import Kept
from eosdsl.lowering.learned import SiteNetworks
from eosdsl.lowering.probes import Reach, View, read
from eosdsl.lowering.segments import ahead, open_decoder, open_tower
from eosdsl.lowering.static_cache import is_static, slots_filled
from eosdsl.lowering.steps import Plan, does_nothing, reduce
from eosdsl.lowering.stream import Stream


class Entered(NamedTuple):
    """What entered a layer that has run: rows [B, L, D], the stream there, and in the tower the keys that it kept."""

    hidden: Tensor
    stream: Stream
    kept: Kept | None = None

    def beside(self, rows: Tensor) -> Entered:
        """The same on the device of `rows`."""
        there = self.hidden.device == rows.device and self.stream.positions.device == rows.device
        return self if there else on(self, rows.device)


Past = Mapping[int, tuple[Any, ...]]
"""By layer, the fields of `Entered`."""


class Reducer(nn.Module):
    """Reduces the images of a forward at a site of the decoder, and opens the segment of layers behind it.

    A forward that brings no image (decoding, a second turn) only passes: its rows meet the cache of this segment, so
    mask and positions are made anew.
    """

    def __init__(
        self, plan: Plan, config: Any, rotary: nn.Module, layers: Mapping[int, nn.Module], networks: SiteNetworks
    ) -> None:
        super().__init__()
        self.plan = plan
        self.config = config
        self.rotary = rotary
        self.networks = networks
        self.looked_at = nn.ModuleDict({str(layer): layers[layer] for layer in plan.inputs_read})

    def extra_repr(self) -> str:
        return f"layer={self.plan.layer}, retains={self.plan.site.retained} of {self.plan.site.incoming}"

    def forward(self, stream: Stream, hidden: Tensor, past: Past, past_key_values: Any) -> Stream:
        """hidden [B, L, D] at the site → the stream of the segment, with its `hidden` [B, L', D]."""
        entering = stream.beside(hidden)
        reduced = self._reduce(entering, past, past_key_values)
        return open_decoder(self.plan, entering, reduced, past_key_values, self.config, self.rotary)

    def _reduce(self, stream: Stream, past: Past, cache: Any) -> Stream:
        if stream.images is None or does_nothing(self.plan, stream.images):
            return stream
        views = {layer: self._view(layer, stream, past, cache) for layer in self.plan.inputs_read}
        readings = read(self.plan.probes, views, self.plan.boundary, stream, views.get(0))
        return reduce(self.plan, stream, readings, self.networks)

    def _view(self, layer: int, stream: Stream, past: Past, cache: Any) -> View:
        state = None if cache is None else cache.layers[layer]
        ran = layer in past
        entered = Entered(*past[layer]) if ran else Entered(stream.hidden, ahead(self.plan, stream, state))
        entered = entered.beside(stream.hidden)
        then = self.plan.attending.seen_by(layer, entered.stream)
        held = None
        if state is not None and state.is_initialized:
            held = (state.keys.to(stream.hidden.device), state.values.to(stream.hidden.device))
        reach = Reach(self.plan.attending.window_of(layer), self.plan.attending.window_first)
        view = View(self.looked_at[str(layer)], entered.hidden, then, held, ran, then.keys_valid, then.keys_bias, reach)
        return view.up_to(slots_filled(state, stream, ran=ran)) if is_static(state) else view


class TowerReducer(nn.Module):
    """Reduces images inside the vision tower, or at its output. Every image is a sequence; there is no cache."""

    def __init__(self, plan: Plan, config: Any, layers: Mapping[int, nn.Module], networks: SiteNetworks) -> None:
        super().__init__()
        self.plan = plan
        self.config = config
        self.networks = networks
        self.looked_at = nn.ModuleDict({str(layer): layers[layer] for layer in plan.inputs_read})

    def extra_repr(self) -> str:
        return f"retains={self.plan.site.retained} of {self.plan.site.incoming}"

    def forward(self, stream: Stream, hidden: Tensor, past: Past) -> Stream:
        """hidden [G, L, D] at the site → the stream behind it."""
        entering = stream.beside(hidden)
        assert entering.images is not None
        if does_nothing(self.plan, entering.images):
            return open_tower(self.plan, entering, self.config)
        views = {layer: self._view(layer, entering, past) for layer in self.plan.inputs_read}
        readings = read(self.plan.probes, views, self.plan.boundary, entering, None)
        return open_tower(self.plan, reduce(self.plan, entering, readings, self.networks), self.config)

    def _view(self, layer: int, stream: Stream, past: Past) -> View:
        entered = Entered(*past[layer]) if layer in past else Entered(stream.hidden, stream)
        entered = entered.beside(stream.hidden)
        kept, then = entered.kept, entered.stream
        held = None if kept is None else (kept.keys, kept.values)
        return View(
            self.looked_at[str(layer)], entered.hidden, then, held, kept is not None, then.keys_valid, then.keys_bias
        )


class Arriving(nn.Module):
    """Takes what the tower left of the images into the decoder: surplus placeholders go, and rows get positions."""

    def __init__(self, plan: Plan, config: Any, rotary: nn.Module) -> None:
        super().__init__()
        self.plan = plan
        self.config = config
        self.rotary = rotary

    def forward(self, stream: Stream, hidden: Tensor, past: Past, past_key_values: Any) -> Stream:
        """hidden [B, L, D], features at their placeholders → the stream of the first segment."""
        entering = stream.beside(hidden)
        arrived = entering if entering.arrival is None else arrive(self.plan, entering, entering.arrival)
        return open_decoder(self.plan, entering, arrived, past_key_values, self.config, self.rotary)
