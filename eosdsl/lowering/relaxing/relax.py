"""`relax`: a space in a frozen model, every open decision a parameter."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from types import MethodType
from typing import Any, Self

import torch
from torch import Tensor, nn

from eosdsl.ir.genome import Genome
from eosdsl.ir.nodes import RelaxedProgram
from eosdsl.ir.space import Space
from eosdsl.lowering.anatomy import Anatomy, dissect, dissect_tower, whole_model
from eosdsl.lowering.attach import MARK, is_attached
from eosdsl.lowering.build import refuse_model
from eosdsl.lowering.calls import entering, keywords_of
from eosdsl.lowering.halves import divisible
from eosdsl.lowering.insert import FeaturesAt, insert_into_decoder, insert_into_tower
from eosdsl.lowering.refusals import refuse, refuse_devices, refuse_without_weights
from eosdsl.lowering.relaxing.decisions import Decisions
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


class Relaxed:
    """A model with a space attached. Call it as the model: all rows stay, and fade as the decisions say.

    Attached from the start; leaving the context or `detach()` undoes it. The model's own parameters are frozen
    meanwhile.

    Attributes:
        space: the decision points.
        model: the transformers model, unmodified but for the attachment.
        module: the parameters, by decision point (`eosdsl.lowering.relaxing.decisions`); on the model's device.
        facts: what is known of the model.
    """

    def __init__(self, space: Space, known: ModelFacts, anatomy: Anatomy, lowered: Lowering) -> None:
        self.space = space
        self.facts = known
        self.model: Any = anatomy.model
        device = next(anatomy.text.parameters()).device
        self.module = Decisions(space, device)
        self._session = Session(self.module, Temperatures())
        self._anatomy = anatomy
        self._lowered = lowered
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

    @property
    def decoder_graph(self) -> torch.fx.GraphModule:
        return self._lowered.decoder.graph

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
            self._patches = _attached(self._anatomy, self._lowered, self._session)
            self._frozen = [one for one in self.model.parameters() if one.requires_grad]
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
            self._patches = _attached(self._anatomy, self._lowered, self._session)
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


def relax(program: RelaxedProgram | Space, model: Any) -> Relaxed:
    """Attach a space to a model.

    Args:
        program: a space, as a program or with its decision points.
        model: a transformers vision-language model; its parameters are frozen while the space is attached.

    Raises:
        SpecError: E0520 for what has no gradient, E03xx and E04xx for what the model does not have or does not offer,
            E0430 where it carries an operator already. The model is then left as it was.
    """
    known = facts(whole_model(model))
    if isinstance(program, RelaxedProgram) or program.facts is None:
        program = Space.of(program if isinstance(program, RelaxedProgram) else program.program, known)
    refuse_model(known)
    anatomy = dissect(model, profiles()[known.family], known)
    refuse_devices(anatomy.layers)
    if is_attached(anatomy.text):
        refuse("E0430", "the model already carries an operator", "detach the first one")
    return Relaxed(program, known, anatomy, _lower(program, known, anatomy, model))


def _lower(space: Space, known: ModelFacts, anatomy: Anatomy, model: Any) -> Lowering:
    sites = open_sites(space, known)
    features = known.encoder.layers_run if known.encoder else 0
    plans = [soft_plan(site, space, known, features, anatomy.attending) for site in sites]
    in_tower = [plan for plan in plans if plan.in_tower]
    in_decoder = [plan for plan in plans if not plan.in_tower]
    tower = _lower_tower(in_tower, known, model) if in_tower else None
    layers = dict(enumerate(anatomy.layers))
    placed = [placed_reducer(plan, anatomy.config, layers) for plan in in_decoder]
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


def _lower_tower(plans: list[SoftPlan], known: ModelFacts, model: Any) -> SoftTower:
    tower = dissect_tower(model, profiles()[known.family].torch, known)
    layers = dict(enumerate(tower.layers))
    placed = [placed_reducer(plan, tower.config, layers) for plan in plans]
    output = placed.pop() if plans[-1].site.stream == "encoder_output" else None
    features = FeaturesAt(tower.feature_layer, output, tower.reads)
    return SoftTower(insert_into_tower(trace(TowerTrunk(tower.layers)), placed, features), tower)


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
