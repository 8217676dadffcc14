"""`relax`: a space in a frozen model, every open decision a parameter."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import MethodType
from typing import Any, Self

import torch
from torch import Tensor, nn

from eosdsl.cost.learned import asked_at
from eosdsl.ir.genome import Genome
from eosdsl.ir.nodes import DiscreteProgram, RelaxedProgram
from eosdsl.ir.space import Space
from eosdsl.lowering.anatomy import Anatomy, Tower, dissect, dissect_tower, whole_model
from eosdsl.lowering.attach import MARK, is_attached
from eosdsl.lowering.attending import CAUSAL
from eosdsl.lowering.build import refuse_model
from eosdsl.lowering.calls import entering, keywords_of
from eosdsl.lowering.encoder import take_apart
from eosdsl.lowering.halves import divisible
from eosdsl.lowering.insert import FeaturesAt, insert_into_decoder, insert_into_tower
from eosdsl.lowering.learned import SiteNetworks, at_site, networks
from eosdsl.lowering.refusals import refuse, refuse_devices, refuse_without_weights
from eosdsl.lowering.relaxing.decisions import Decisions
from eosdsl.lowering.relaxing.encoder import relaxed_layers
from eosdsl.lowering.relaxing.flow import Flow
from eosdsl.lowering.relaxing.forward import SoftDecoder, relaxed_forward
from eosdsl.lowering.relaxing.place import open_sites, placed_reducer, soft_plan
from eosdsl.lowering.relaxing.reducer import SoftPlan
from eosdsl.lowering.relaxing.session import Session
from eosdsl.lowering.relaxing.temperatures import Temperatures
from eosdsl.lowering.relaxing.tower import SoftTower, relaxed_encoder, relaxed_projector
from eosdsl.lowering.restoring import Restoring
from eosdsl.lowering.trunk import TowerTrunk, decoder_trunk, trace
from eosdsl.models.facts import ModelFacts
from eosdsl.models.profiles import profiles
from eosdsl.models.registry import facts

Patch = Callable[[Session], Restoring]
"""Puts forwards and hooks in their places on the instances, for a session."""


class Relaxed:
    """A model with a space attached. Call it as the model: all rows stay, and fade as the decisions say.

    Attached from the start; leaving the context or `detach()` undoes it. The model's own parameters are frozen
    meanwhile, unless it was asked for otherwise.

    Attributes:
        space: the decision points.
        model: the transformers model, unmodified but for the attachment.
        module: the parameters, by decision point (`eosdsl.lowering.relaxing.decisions`); on the model's device.
        learned: the networks of learned scores, as in `eosdsl.lowering.compile.Compiled`.
        facts: what is known of the model.
    """

    def __init__(
        self,
        space: Space,
        known: ModelFacts,
        model: nn.Module,
        patch: Patch,
        learned: nn.ModuleDict,
        *,
        freeze: bool = True,
    ) -> None:
        self.space = space
        self.facts = known
        self.model: Any = model
        self.module = Decisions(space, next(model.parameters()).device)
        self.learned = learned
        self._session = Session(self.module, Temperatures())
        self._patch = patch
        self._freeze = freeze
        self._patches: Restoring | None = None
        self._frozen: list[nn.Parameter] = []
        self.module.start(space.prior(), self.temperature)
        self.attach()

    @property
    def temperature(self) -> Temperatures:
        """How soft it is."""
        return self._session.temperatures

    @temperature.setter
    def temperature(self, temperatures: Temperatures) -> None:
        self._session.temperatures = temperatures

    @property
    def flow(self) -> Flow | None:
        """Soft tokens through the layers in the last forward, with a gradient; None where it brought no image."""
        return self._session.flow

    def set_genome(self, genome: Genome) -> None:
        """Set the parameters so that the relaxed values at the current temperatures are the genome's, saturated."""
        self.module.set_genome(genome, self.temperature)

    def start(self, genome: Genome, sureness: float = 1.0) -> None:
        """Set the parameters to a genome with gates and choices undecided enough to learn."""
        self.module.start(genome, self.temperature, sureness)

    def genome(self) -> Genome:
        """The most likely member as the parameters are now."""
        return self.module.genome(self.temperature)

    def values(self) -> dict[str, Tensor]:
        """What the parameters say at the current temperatures, by decision point, with a gradient."""
        from eosdsl.lowering.relaxing.decisions import Values

        return Values(self.module, self.temperature).every()

    def attach(self) -> Self:
        """Attach (again). Raises SpecError (E0430) where the model carries an operator."""
        if self._patches is None:
            self._patches = self._patch(self._session)
            self._frozen = [one for one in self.model.parameters() if one.requires_grad and self._freeze]
            for parameter in self._frozen:
                parameter.requires_grad_(False)
        return self

    def detach(self) -> Any:
        """Leave the model as it was and return it. Doing it twice does no harm."""
        if self._patches is not None:
            self._patches.remove()
            self._patches = None
        for parameter in self._frozen:
            parameter.requires_grad_(True)
        self._frozen = []
        return self.model

    @contextmanager
    def off(self) -> Generator[Any]:
        """The model as it is, inside the block."""
        frozen = self._frozen
        if self._patches is not None:
            self._patches.remove()
            self._patches = None
        try:
            yield self.model
        finally:
            self._patches = self._patch(self._session)
            self._frozen = frozen

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As the model; without a cache."""
        return self.model(*args, **{**kwargs, "use_cache": False})

    def __enter__(self) -> Self:
        return self.attach()

    def __exit__(self, *_: object) -> None:
        self.detach()


class Lowering:
    """The graphs of a space: the decoder's, and the tower's where something may be reduced in it."""

    def __init__(self, decoder: SoftDecoder, tower: SoftTower | None, split: tuple[nn.Module, ...]) -> None:
        self.decoder = decoder
        self.tower = tower
        self.split = split


def relax(
    program: RelaxedProgram | DiscreteProgram | Space,
    model: Any,
    *,
    learned: nn.ModuleDict | None = None,
    freeze: bool = True,
) -> Relaxed:
    """Attach a space to a model.

    Args:
        program: a space, as a program or with its decision points; an operator is a space with nothing open.
        model: a transformers vision-language model; or, for an operator, an image encoder.
        learned: networks of learned scores to be used where they are asked; others are drawn.
        freeze: its parameters are frozen while the space is attached.

    Raises:
        SpecError: E0520 for what has no gradient, E03xx and E04xx for what the model does not have or does not offer,
            E0430 where it carries an operator already. The model is then left as it was.
    """
    known = facts(whole_model(model))
    space = _space(program, known)
    refuse_model(known)
    own = learned or nn.ModuleDict()
    if not profiles()[known.family].torch.text_model:
        return Relaxed(space, known, whole_model(model), _encoder_patch(space, known, model, own), own, freeze=freeze)
    anatomy = dissect(model, profiles()[known.family], known)
    refuse_devices(anatomy.layers)
    if is_attached(anatomy.text):
        refuse("E0430", "the model already carries an operator", "detach the first one")
    lowered = _lower(space, known, anatomy, model, own)
    return Relaxed(
        space, known, anatomy.model, lambda session: _attached(anatomy, lowered, session), own, freeze=freeze
    )


def _space(program: RelaxedProgram | DiscreteProgram | Space, known: ModelFacts) -> Space:
    if isinstance(program, Space):
        return program if program.facts is not None else Space.of(program.program, known)
    if isinstance(program, RelaxedProgram):
        return Space.of(program, known)
    every = {name: getattr(program, name) for name in ("language", "name", "family", "steps", "span")}
    return Space.of(RelaxedProgram(**every), known)


def _encoder_patch(space: Space, known: ModelFacts, model: Any, learned: nn.ModuleDict) -> Patch:
    """What attaches a space to an image encoder that stands alone."""
    encoder = take_apart(model, profiles()[known.family].torch, known)
    layers = encoder.tower.feature_layer
    plans = [soft_plan(site, space, known, layers, CAUSAL) for site in open_sites(space, known)]
    graph = _tower_graph(plans, known, encoder.tower, learned)
    split = tuple(encoder.tower.layers[index] for index in _in_halves(graph))
    return lambda session: relaxed_layers(encoder, graph, split, session)


def _lower(space: Space, known: ModelFacts, anatomy: Anatomy, model: Any, learned: nn.ModuleDict) -> Lowering:
    sites = open_sites(space, known)
    features = known.encoder.layers_run if known.encoder else 0
    plans = [soft_plan(site, space, known, features, anatomy.attending) for site in sites]
    in_tower = [plan for plan in plans if plan.in_tower]
    in_decoder = [plan for plan in plans if not plan.in_tower]
    tower = _lower_tower(in_tower, known, model, learned) if in_tower else None
    layers = dict(enumerate(anatomy.layers))
    placed = [placed_reducer(plan, anatomy.config, layers, _asking(plan, known, learned)) for plan in in_decoder]
    trunk = decoder_trunk(anatomy.layers, anatomy.norm, known.decoder.late_layers, anatomy.attending)
    graph = insert_into_decoder(trace(trunk), placed, anatomy.attending)
    last = in_tower[-1] if in_tower else None
    decoder = SoftDecoder(
        graph=graph,
        opens=bool(placed),
        arriving=last.strength if last is not None and last.site.stream == "encoder_output" else None,
        encoder_layers=known.encoder.layers if known.encoder else 0,
        others=known.visual_tokens - known.patches // known.merge_area,
        attending=anatomy.attending,
    )
    split = [anatomy.layers[index] for index in _in_halves(graph)]
    if tower is not None:
        split += [tower.tower.layers[index] for index in _in_halves(tower.graph)]
    return Lowering(decoder, tower, tuple(split))


def _lower_tower(plans: list[SoftPlan], known: ModelFacts, model: Any, learned: nn.ModuleDict) -> SoftTower:
    tower = dissect_tower(model, profiles()[known.family].torch, known)
    return SoftTower(_tower_graph(plans, known, tower, learned), tower)


def _tower_graph(
    plans: list[SoftPlan], known: ModelFacts, tower: Tower, learned: nn.ModuleDict
) -> torch.fx.GraphModule:
    layers = dict(enumerate(tower.layers))
    placed = [placed_reducer(plan, tower.config, layers, _asking(plan, known, learned)) for plan in plans]
    output = placed.pop() if plans and plans[-1].site.stream == "encoder_output" else None
    features = FeaturesAt(tower.feature_layer, output, tower.reads)
    return insert_into_tower(trace(TowerTrunk(tower.layers)), placed, features)


def _asking(plan: SoftPlan, known: ModelFacts, learned: nn.ModuleDict) -> SiteNetworks:
    """The networks that a site asks: those of `learned`, to which others are added as they are drawn."""
    asked = asked_at(plan.site, plan.probes, known)
    for key, network in networks([one for one in asked if one.key not in learned]).items():
        learned[key] = network
    return at_site(learned, asked)


def _in_halves(graph: torch.fx.GraphModule) -> list[int]:
    return [int(name.removeprefix("mlp_")) for name, _ in graph.named_children() if name.startswith("mlp_")]


def _attached(anatomy: Anatomy, lowered: Lowering, session: Session) -> Restoring:
    """Put forwards and hooks in their places, on the instances."""
    if is_attached(anatomy.text):
        refuse("E0430", "the model already carries an operator", "detach the first one")
    known = keywords_of(type(anatomy.vlm))
    patches = Restoring()
    forward = relaxed_forward(lowered.decoder, session)
    setattr(forward, MARK, True)
    patches.replace(anatomy.text, "forward", MethodType(forward, anatomy.text))
    for layer in lowered.split:
        patches.replace(layer, "forward", divisible(layer, layer.forward))
    if lowered.tower is not None:
        stack: Any = lowered.tower.tower.stack
        patches.replace(stack, "forward", relaxed_encoder(lowered.tower, session, stack.forward))
        patches.handles.append(lowered.tower.tower.projector.register_forward_pre_hook(relaxed_projector(session)))

    def inner(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        refuse_without_weights(anatomy.model)
        session.begin()
        return (), entering(anatomy, args, kwargs, noted=False, known=known)

    patches.handles.append(anatomy.vlm.register_forward_pre_hook(inner, with_kwargs=True))
    if callable(getattr(anatomy.model, "generate", None)):
        patches.replace(anatomy.model, "generate", _refuse_generation)
    return patches


def _refuse_generation(*_: Any, **__: Any) -> Any:
    refuse(
        "E0521", "a relaxed program does not generate: it only fades tokens", "fill its genome, compile and generate"
    )
