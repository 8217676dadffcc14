"""From a schedule and a model to graphs with reducers in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import fx, nn

from eosdsl.ir.nodes import AttentionBias
from eosdsl.ir.quantities import Quantity
from eosdsl.ir.schedule import Schedule, SiteReduction
from eosdsl.lowering.anatomy import Anatomy, CellTower, Tower
from eosdsl.lowering.attending import CAUSAL, Attending
from eosdsl.lowering.cell_layers import CellLayer
from eosdsl.lowering.cell_tower import LoweredCells
from eosdsl.lowering.cells import WHOLE, WINDOW
from eosdsl.lowering.counting import counting
from eosdsl.lowering.images import Wanted
from eosdsl.lowering.insert import FeaturesAt, insert_into_decoder, insert_into_tower
from eosdsl.lowering.placing import place_in_cells, place_in_decoder, place_in_tower
from eosdsl.lowering.refusals import refuse
from eosdsl.lowering.steps import Recount
from eosdsl.lowering.trunk import TowerTrunk, decoder_trunk, trace
from eosdsl.models.facts import ModelFacts
from eosdsl.operators.bound import bind_groups


@dataclass(frozen=True)
class LoweredTower:
    """The graph of the tower's layers with reducers in it; `wanted`: what every image is to have at each of them."""

    graph: fx.GraphModule
    tower: Tower
    wanted: Wanted


@dataclass(frozen=True)
class Lowered:
    """The graph of the decoder's trunk with a reducer at every site that does something.

    first_site: the first reduced layer, None without any; recount: what an image of any size is to have at every
    reduction;
    tower: where there are reductions in it; split: layers that are run in halves; attending: how layers attend;
    reads_grid: whether a reduction in the decoder goes by rows and columns of the image.
    """

    graph: fx.GraphModule
    first_site: int | None
    recount: Recount
    tower: LoweredTower | LoweredCells | None = None
    split: tuple[nn.Module, ...] = ()
    attending: Attending = CAUSAL
    reads_grid: bool = False


def build(
    schedule: Schedule, anatomy: Anatomy, find_tower: Callable[[], Tower | CellTower], networks: nn.ModuleDict
) -> Lowered:
    """Lower a schedule for a model; `find_tower` is called where something is reduced in the vision tower; `networks`:
    of all learned scores.

    Raises:
        SpecError: E0433, E0436 to E0439, E0442 where a schedule asks for what cannot be lowered for a model.
    """
    refuse_model(schedule.model)
    sites = effective(schedule.reductions)
    in_tower = [site for site in sites if site.site.stream != "decoder"]
    in_decoder = [site for site in sites if site.site.stream == "decoder"]
    lowered_tower = _lower_any_tower(schedule, in_tower, find_tower(), networks) if in_tower else None
    placed = place_in_decoder(schedule, in_decoder, in_tower, anatomy, networks)
    trunk = decoder_trunk(anatomy.layers, anatomy.norm, schedule.model.decoder.late_layers, anatomy.attending)
    graph = insert_into_decoder(trace(trunk), placed, anatomy.attending)
    split = [anatomy.layers[index] for index in _in_halves(graph)]
    if isinstance(lowered_tower, LoweredTower):
        split += [lowered_tower.tower.layers[index] for index in _in_halves(lowered_tower.graph)]
    elif lowered_tower is not None:
        split += lowered_tower.tower.layers  # any of them may meet a mask that it does not take
    first = placed[0].boundary if placed else None
    reads_grid = any(one.reducer.plan.reads_grid for one in placed) or any(map(_reads_grid, in_tower))
    return Lowered(graph, first, counting(schedule), lowered_tower, tuple(split), anatomy.attending, reads_grid)


def build_encoder(schedule: Schedule, tower: Tower, networks: nn.ModuleDict) -> Lowered:
    """Lower a schedule for an image encoder that stands alone. Raises SpecError as `build` does."""
    refuse_model(schedule.model)
    sites = effective(schedule.reductions)
    graph = _lower_tower(schedule, sites, tower, networks).graph
    split = tuple(tower.layers[index] for index in _in_halves(graph))
    return Lowered(graph, None, counting(schedule), None, split)


def effective(reductions: Sequence[SiteReduction]) -> list[SiteReduction]:
    """The reductions without those that change nothing: where all is retained and the bookkeeping is plain.

    Behind an effective site another one that retains all may still renumber, reorder or bias.
    """
    kept: list[SiteReduction] = []
    for reduction in reductions:
        plain = reduction.bookkeeping.order == "position" and reduction.bookkeeping.attention_bias == AttentionBias()
        plain = plain and (reduction.bookkeeping.positions == "keep" or not kept)
        if not (plain and _retains_all(reduction)):
            kept.append(reduction)
    return kept


def _lower_tower(
    schedule: Schedule, sites: Sequence[SiteReduction], tower: Tower, networks: nn.ModuleDict
) -> LoweredTower:
    inside, output = place_in_tower(schedule, sites, tower, networks)
    features = FeaturesAt(tower.feature_layer, output, tower.reads)
    graph = insert_into_tower(trace(TowerTrunk(tower.layers)), inside, features)
    return LoweredTower(graph, tower, counting(schedule)(schedule.model.visual_tokens, ()))


def _lower_any_tower(
    schedule: Schedule, sites: Sequence[SiteReduction], tower: Tower | CellTower, networks: nn.ModuleDict
) -> LoweredTower | LoweredCells:
    if isinstance(tower, Tower):
        return _lower_tower(schedule, sites, tower, networks)
    return _lower_cells(schedule, sites, tower, networks)


def _lower_cells(
    schedule: Schedule, sites: Sequence[SiteReduction], tower: CellTower, networks: nn.ModuleDict
) -> LoweredCells:
    layers = [
        CellLayer(layer, WINDOW if index in tower.windowed else WHOLE, packed=tower.packed)
        for index, layer in enumerate(tower.layers)
    ]
    inside, output = place_in_cells(schedule, sites, tower, layers, networks)
    features = FeaturesAt(tower.feature_layer, output, late=tuple(depth + 1 for depth in tower.late_depths))
    graph = insert_into_tower(trace(TowerTrunk(layers)), inside, features)
    return LoweredCells(graph, tower, counting(schedule))


def _reads_grid(reduction: SiteReduction) -> bool:
    return any(operator.reads_grid for group in bind_groups(reduction.groups) for operator in group.operators())


def _in_halves(graph: fx.GraphModule) -> list[int]:
    """The layers that a graph runs in halves."""
    return [int(name.removeprefix("mlp_")) for name, _ in graph.named_children() if name.startswith("mlp_")]


def _retains_all(reduction: SiteReduction) -> bool:
    """Whether a site keeps every token of every image, whatever its size."""
    amounts = [group.amount for group in reduction.groups]
    first = amounts[0].amount.value
    whole = isinstance(first, Quantity) and first.unit == "ratio" and first.value >= 1
    return len(amounts) == 1 and amounts[0].verb == "retain" and whole and reduction.incoming == reduction.retained


def refuse_model(known: ModelFacts) -> None:
    """Raise SpecError (E0442) for a model that cannot be lowered for."""
    if known.unsupported:
        refuse("E0442", f"{known.name} cannot be compiled for yet: {known.unsupported[0]}", "plan works")
