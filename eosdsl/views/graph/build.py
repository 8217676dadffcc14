"""From a program, or its schedule on a model, to a networkx graph.

Nodes have `kind` and `label`:

- `place`: where tokens come from and go to (the image, the projector, the answer);
- `site`: where a step acts (`layer 2`);
- `reducer`: one group of a site: pick and behaviour;
- `score`: a score, shared by all reducers that read it.

Edges have `kind`: `flow` (tokens pass; `tokens` is their number for the model's usual image, None where no model is
named) or `reads` (a reducer reads a score).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx

from eosdsl.ir.nodes import Behaviour, DiscreteProgram, RelaxedProgram, ScoreExpr, Step, Where
from eosdsl.ir.quantities import Call, Open
from eosdsl.ir.schedule import Schedule, SiteReduction
from eosdsl.passes.sites import layer_list, site_name
from eosdsl.rules.support import reads_score
from eosdsl.views import written

Graph = nx.DiGraph


@dataclass(frozen=True)
class _Reducer:
    """One group: how it chooses, what becomes of the rest, what it reads, and how many tokens it keeps."""

    budget: str
    pick: Call | Open
    behaviour: Behaviour
    score: ScoreExpr | None
    kept: int | None


@dataclass(frozen=True)
class _Site:
    """One site, or one statement where no model says which sites it has."""

    label: str
    in_decoder: bool
    statement: int
    incoming: int | None
    reducers: tuple[_Reducer, ...]


def flow_graph(program: DiscreteProgram | RelaxedProgram, schedule: Schedule | None = None) -> Graph:
    """The graph of a program; with a schedule, a node for every site and counts on the edges."""
    sites = _bound(schedule) if schedule is not None else _unbound(program)
    graph: Graph = nx.DiGraph(name=program.name, model=schedule.model.name if schedule is not None else None)
    builder = _Builder(graph, schedule)
    builder.start()
    for site in sites:
        builder.add(site)
    builder.end()
    return graph


class _Builder:
    """Adds sites one after the other: the loose ends are what the next one takes in."""

    def __init__(self, graph: Graph, schedule: Schedule | None) -> None:
        self.graph = graph
        self.schedule = schedule
        self.ends: list[tuple[str, int | None]] = []
        self.in_decoder = False
        self.numbers = {"site": 0, "reducer": 0, "score": 0}
        self.scores: dict[str, str] = {}

    def start(self) -> None:
        facts = self.schedule.model if self.schedule is not None else None
        encoder = facts.patches // facts.merge_area if facts is not None else None
        self._node("image", "place", "image")
        self.ends = [("image", encoder)]

    def add(self, site: _Site) -> None:
        if site.in_decoder and not self.in_decoder:
            self._projector()
        name = self._new("site", site.label, statement=site.statement, incoming=site.incoming)
        self._join(name, site.incoming)
        self.ends = []
        for reducer in site.reducers:
            self._reducer(name, site, reducer)

    def end(self) -> None:
        alone = self.schedule is not None and not self.schedule.decoder_tokens
        if not self.in_decoder and not alone:
            self._projector()
        self._node("answer", "place", "answer")
        self._join("answer", None if self.schedule is None else _leaving(self.schedule))

    def _projector(self) -> None:
        self.in_decoder = True
        self._node("projector", "place", "projector")
        self._join("projector", None)
        first = None if self.schedule is None else _entering_decoder(self.schedule)
        self.ends = [("projector", first)]

    def _reducer(self, site: str, place: _Site, reducer: _Reducer) -> None:
        label = f"{reducer.budget}: {_choice(reducer.pick)}, {written.behaviour(reducer.behaviour)}"
        name = self._new("reducer", label, statement=place.statement, kept=reducer.kept)
        self.graph.add_edge(site, name, kind="flow", tokens=reducer.kept)
        if reducer.score is not None and reads_score(reducer.pick):
            self.graph.add_edge(self._score(written.score(reducer.score)), name, kind="reads", tokens=None)
        self.ends.append((name, reducer.kept))

    def _score(self, label: str) -> str:
        if label not in self.scores:
            self.scores[label] = self._new("score", label)
        return self.scores[label]

    def _join(self, name: str, tokens: int | None) -> None:
        """Let everything that is loose flow into a node."""
        for end, count in self.ends:
            passing = count if count is not None else tokens
            self.graph.add_edge(end, name, kind="flow", tokens=passing)
        self.ends = [(name, tokens)]

    def _new(self, kind: str, label: str, **attributes: Any) -> str:
        self.numbers[kind] += 1
        name = f"{kind}{self.numbers[kind]}"
        self._node(name, kind, label, **attributes)
        return name

    def _node(self, name: str, kind: str, label: str, **attributes: Any) -> None:
        self.graph.add_node(name, kind=kind, label=label, **attributes)


def _leaving(schedule: Schedule) -> int:
    """Tokens that the last layer sees, or that an encoder which stands alone gives."""
    if schedule.decoder_tokens or not schedule.reductions:
        return schedule.main_tokens[-1]
    return schedule.reductions[-1].retained


def _entering_decoder(schedule: Schedule) -> int:
    """Visual tokens that the projector gives: what arrives at the first decoder site, or at layer 0."""
    first = next((r for r in schedule.reductions if r.site.stream == "decoder"), None)
    return first.incoming if first is not None else schedule.main_tokens[0]


def _bound(schedule: Schedule) -> list[_Site]:
    return [
        _Site(
            site_name(reduction.site),
            reduction.site.stream == "decoder",
            reduction.statement,
            reduction.incoming,
            tuple(
                _Reducer(_kept(group.count), group.pick, group.behaviour, group.score, group.count)
                for group in reduction.groups
            ),
        )
        for reduction in schedule.reductions
        if _acts(reduction)
    ]


def _acts(reduction: SiteReduction) -> bool:
    return reduction.retained < reduction.incoming or any(group.count is None for group in reduction.groups)


def _kept(count: int | None) -> str:
    return f"keep {count}" if count is not None else "keep as many as the image asks for"


def _unbound(program: DiscreteProgram | RelaxedProgram) -> list[_Site]:
    """Statements in forward order, as far as it is known without a model: tower first."""
    order = ("encoder", "encoder_output", "decoder")
    steps = sorted(enumerate(program.steps), key=lambda item: (order.index(item[1].where.stream), _first(item[1])))
    return [
        _Site(where_words(step.where), step.where.stream == "decoder", number, None, _reducers(step))
        for number, step in steps
    ]


def _first(step: Step) -> float:
    if not step.where.layers:
        return 0
    first = step.where.layers[0]
    return first.index if first.index is not None else float(first.depth or 0) * 1000


def _reducers(step: Step) -> tuple[_Reducer, ...]:
    return tuple(
        _Reducer(written.budget(group.budget), group.pick, group.behaviour, group.score, None) for group in step.groups
    )


def where_words(where: Where) -> str:
    """The sites of a statement, as they are written after `at`."""
    if where.stream == "encoder_output":
        return "encoder output"
    stack = "encoder layer" if where.stream == "encoder" else "layer"
    text = f"{stack}{'' if _single(where) else 's'} {_layers(where)}"
    if where.choose is not None:
        low, high = where.choose
        text = f"any {low if low == high else f'{low}..{high}'} of {text}"
    if text == "layer 0" and not where.after_attention:
        return "input"
    return text + (" after attention" if where.after_attention else "")


def _single(where: Where) -> bool:
    return where.gradual or len(where.layers) == 1


def _layers(where: Where) -> str:
    depths: Sequence[str] = [f"depth {written.ratio(ref.depth)}" for ref in where.layers if ref.depth is not None]
    if depths:
        return ("..".join if where.gradual else ", ".join)(depths)
    indices = [ref.index for ref in where.layers if ref.index is not None]
    return f"{indices[0]}..{indices[-1]}" if where.gradual else layer_list(indices)


def _choice(pick: Call | Open) -> str:
    return written.value(pick)
