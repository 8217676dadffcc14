"""Prefill of a reduced LLaVA against the full model and against the limit, side by side in one run.

The limit is an oracle: the same layers run on rows that were taken out beforehand, for free (`oracle.py`). What a
compiled operator reaches of the oracle's speed-up is what masks, scores, gathering and Python between layers leave.
Both speed-ups are over the same full model, which cancels: full / reduced to full / oracle is oracle / reduced. So that
is measured, in pairs of neighbours that change sides from round to round, and the median of the pairs is what counts.
The oracle does less than any operator could: it neither embeds the prompt nor puts features in their places.

    python benchmarks/prefill.py                     d = 1024, 16 layers, 576 visual tokens: minutes on one core
    python benchmarks/prefill.py --short             without the cases of which no bound is named in issue 8
    python benchmarks/prefill.py --dtype bfloat16 --out benchmarks/results/prefill_bfloat16.json
    python benchmarks/prefill.py --size 7b           on a GPU: the shape of LLaVA-1.5-7B, random weights
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from oracle import costs_of, decoder_oracle, whole_oracle
from random_llava import TEXT, Shape, build_shape, encoded, prompt, shape_of, twin
from recording import Bound, Results, options, settings, start, write
from timing import Work, clock, in_turns, quotients, spread

import eosdsl
from eosdsl.lowering.compile import Compiled

NAME = "prefill"
SCORE = "by attention(query: last)"
THREE = f"at layers {{early}}, {{half}}, {{late}}: retain 50%, 25%, 12.5% {SCORE}"


@dataclass(frozen=True)
class Case:
    """A spec, and the share of the oracle's speed-up that it is to reach.

    tower: prefill includes the tower; long: left out by `--short`.
    """

    name: str
    spec: str
    bound: float
    tower: bool = False
    long: bool = False


CASES = (
    Case("prune at one site", f"at layer {{early}}: retain 50% {SCORE}", 0.97),
    Case("prune hard at one site", f"at layer {{early}}: retain 1/9 {SCORE}", 0.97, long=True),
    Case("prune at three sites", THREE, 0.95, long=True),
    Case("merge at three sites", f"{THREE} via merge", 0.95),
    Case("mix at three sites", f"{THREE} via mix(merge, pool, prune) with attention_bias: log_size", 0.95),
    Case("prune at the input", "at input: retain 1/9 by norm(hidden)", 0.95, long=True),
    Case("prune behind the tower", "at encoder output: retain 1/9 by attention(query: cls)", 0.95, tower=True),
    Case(
        "prune and merge behind the tower",
        "at encoder output: retain 3/32 by attention(query: cls) via prune "
        "and retain 1/57 pick uniform via merge(similarity: cosine(keys))",
        0.95,
        tower=True,
    ),
    Case(
        "merge in every tower layer",
        "at encoder layers 0..{tower} after attention: remove {each} tokens pick bipartite(on: keys) via merge "
        "with proportional_attention",
        0.95,
        tower=True,
    ),
)


@dataclass(frozen=True)
class Sides:
    """What is run for a case: under the operator and as an oracle. `plan`: multiply-accumulates, as a share."""

    case: Case
    spec: str
    compiled: Compiled
    reduced: Work
    oracle: Work
    plan: float


def filled(case: Case, shape: Shape) -> str:
    """The spec of a case for a model of this shape: a seventh of the way, in the middle, three quarters of the way."""
    each = shape.tokens * 7 // 9 // (shape.tower_layers - 1)
    places = {"early": 2, "half": shape.layers // 2, "late": 3 * shape.layers // 4}
    return case.spec.format(**places, tower=shape.tower_layers - 2, each=each)


def sides_of(case: Case, shape: Shape, model: Any, whole: dict[str, Any], decoder: dict[str, Any]) -> Sides:
    """The operator of a case attached to a twin of the model, and its oracle."""
    spec = filled(case, shape)
    compiled = eosdsl.compile(spec, twin(model))
    cost, _ = costs_of(compiled, TEXT)
    if case.tower:
        limit = whole_oracle(model, cost, TEXT, whole["pixel_values"])
        ratio = compiled.plan.macs.total / compiled.plan.full_macs.total
    else:
        limit = decoder_oracle(model, cost.decoder, TEXT)
        ratio = compiled.plan.prefill_ratio
    inputs = whole if case.tower else decoder
    return Sides(case, spec, compiled, lambda: compiled(**inputs), limit, ratio)


def measure(model: Any, shape: Shape, cases: Sequence[Case], rounds: int) -> list[dict[str, Any]]:
    """A row for every case. All sides of all cases are run in turns, an operator and its oracle as neighbours."""
    whole: dict[str, Any] = {**prompt(model, shape.tokens), "logits_to_keep": 1}
    decoder = encoded(model, whole)
    with torch.no_grad():
        every = [sides_of(case, shape, model, whole, decoder) for case in cases]
        runs: dict[str, Work] = {
            f"full {tower}": lambda inputs=whole if tower else decoder: model(**inputs)
            for tower in sorted({case.tower for case in cases})
        }
        for sides in every:
            runs[f"reduced {sides.case.name}"] = sides.reduced
            runs[f"oracle {sides.case.name}"] = sides.oracle
        times = in_turns(runs, rounds)
        return [{**row_of(sides, times), "in_reducers": in_reducers(sides)} for sides in every]


def in_reducers(sides: Sides) -> float:
    """The share of a prefill that is spent in reducers, taken by hooks in one more run."""
    graphs = [graph for graph in (sides.compiled.graph, sides.compiled.tower_graph) if graph is not None]
    reducers = [module for graph in graphs for name, module in graph.named_children() if name.startswith("at_")]
    since: list[float] = []
    taken: list[float] = []
    handles = [
        *(one.register_forward_pre_hook(lambda *_: since.append(clock())) for one in reducers),
        *(one.register_forward_hook(lambda *_: taken.append(clock() - since[-1])) for one in reducers),
    ]
    began = clock()
    sides.reduced()
    whole = clock() - began
    for handle in handles:
        handle.remove()
    return sum(taken) / whole


def row_of(sides: Sides, times: dict[str, list[float]]) -> dict[str, Any]:
    """Times in seconds, the speed-up over the full model, the oracle's over the same, and the share reached."""
    name = sides.case.name
    full, reduced, oracle = (times[one] for one in (f"full {sides.case.tower}", f"reduced {name}", f"oracle {name}"))
    return {
        "case": name,
        "spec": sides.spec,
        "full_s": spread(full).median,
        "reduced_s": spread(reduced).median,
        "oracle_s": spread(oracle).median,
        "macs": sides.plan,
        "speedup": quotients(full, reduced),
        "limit": quotients(full, oracle),
        "reached": quotients(oracle, reduced),
    }


def show(row: dict[str, Any]) -> str:
    times = "".join(f"{1000 * row[f'{key}_s']:8.1f}ms" for key in ("full", "reduced", "oracle"))
    share = row["reached"]
    return (
        f"{row['case']:34}{times}{row['speedup'].median:9.2f}x{row['limit'].median:7.2f}x{share.median:8.1%} "
        f"({share.low:.1%} to {share.high:.1%}){row['in_reducers']:8.2%}"
    )


def main(words: Sequence[str] | None = None) -> int:
    parser = options(__doc__, NAME)
    parser.add_argument("--cases", nargs="+", choices=[case.name for case in CASES], help="some of them only")
    parser.add_argument("--short", action="store_true", help="without the cases of which no bound is named")
    given = start(parser, words)
    shape = shape_of(given)
    model = build_shape(shape, given.dtype, given.device)
    cases = [case for case in CASES if (case.name in given.cases if given.cases else not (given.short and case.long))]
    given.cases = [case.name for case in cases]
    rows = measure(model, shape, cases, 1 if given.tiny else given.rounds)
    print(
        f"{'':34}{'full':>10}{'reduced':>10}{'oracle':>10}{'speed-up':>10}{'limit':>8}{'reached':>9}{'in reducers':>30}"
    )
    for row in rows:
        print(show(row))
    bounds = [
        Bound(f"share of the oracle's speed-up: {case.name}", row["reached"].median, "at least", case.bound)
        for case, row in zip(cases, rows, strict=True)
    ]
    write(Results(NAME, {**settings(given), "shape": vars(shape)}, rows, bounds), given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
