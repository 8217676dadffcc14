"""What a latency profile predicts against what is measured, for specs that the profile was not made of.

`eosdsl profile` is run first, in the same process; then every spec's prefill, vision tower included, is measured in
turns and held against the milliseconds that its plan says.

    python benchmarks/latency.py
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from typing import Any

import torch
from random_llava import TEXT, build_shape, prompt, shape_of, twin
from recording import Bound, Results, options, settings, start, write
from timing import in_turns, spread

import eosdsl
from eosdsl.cost.latency import LatencyProfile
from eosdsl.cost.plan import bound_schedule, plan_schedule
from eosdsl.run.profiling import measure

NAME = "latency"
LAST = "by attention(query: last)"
SPECS = {
    "prune at one site": f"at layer 2: retain 50% {LAST}",
    "prune hard at one site": f"at layer 2: retain 1/9 {LAST}",
    "prune late": f"at layer {{late}}: retain 25% {LAST}",
    "prune by norm": "at layer 1: retain 40% by norm(hidden)",
    "prune at three sites": f"at layers 2, {{half}}, {{late}}: retain 50%, 25%, 12.5% {LAST}",
    "prune over a range": f"at layer 1..{{late}}: retain 15% {LAST}",
    "merge at one site": f"at layer 2: retain 25% {LAST} via merge",
    "merge at three sites": f"at layers 2, {{half}}, {{late}}: retain 50%, 25%, 12.5% {LAST} via merge",
    "mix at two sites": f"at layers 1, {{half}}: retain 60%, 20% {LAST} via mix(merge, pool, prune)",
    "pool": "at layer 2: retain 25% pick grid(2x2) via pool",
    "diverse": "at layer 2: retain 20% pick diverse via prune",
    "after attention": f"at layer 2 after attention: retain 30% {LAST} via prune",
    "prune at the input": "at input: retain 1/9 by norm(hidden)",
    "prune behind the tower": "at encoder output: retain 1/9 by attention(query: cls)",
    "merge in every tower layer": "at encoder layers 0..{tower} after attention: remove {each} tokens "
    "pick bipartite(on: keys) via merge with proportional_attention",
}


def predict(spec: str, model: Any, profile: LatencyProfile) -> float:
    """Milliseconds, by the plan."""
    schedule, _ = bound_schedule(spec, model)
    made = plan_schedule(schedule, text_tokens=TEXT, profile=profile)
    assert made.milliseconds is not None
    return made.milliseconds


def main(words: Sequence[str] | None = None) -> int:
    given = start(options(__doc__, NAME), words)
    shape = shape_of(given, small="half")
    model = build_shape(shape, given.dtype, given.device)
    inputs = prompt(model, shape.tokens)
    rounds = 1 if given.tiny else given.rounds
    profile = measure(twin(model), inputs, rounds=rounds)
    each = shape.tokens * 7 // 9 // (shape.tower_layers - 1)
    places = {"half": shape.layers // 2, "late": 3 * shape.layers // 4, "tower": shape.tower_layers - 2, "each": each}
    specs = {name: spec.format(**places) for name, spec in SPECS.items()}
    with torch.no_grad():
        compiled = {name: eosdsl.compile(spec, twin(model)) for name, spec in specs.items()}
        runs: dict[str, Any] = {"full": lambda: model(**inputs, logits_to_keep=1)}
        runs |= {name: (lambda one=one: one(**inputs, logits_to_keep=1)) for name, one in compiled.items()}
        times = in_turns(runs, rounds)
    rows: list[dict[str, Any]] = []
    for name, spec in specs.items():
        predicted, measured = predict(spec, model, profile), 1000 * spread(times[name]).median
        error = predicted / measured - 1
        rows.append({"case": name, "spec": spec, "predicted_ms": predicted, "measured_ms": measured, "error": error})
        print(f"{name:28}{predicted:9.2f} ms predicted{measured:9.2f} ms measured{error:8.1%}")
    off = [abs(row["error"]) for row in rows]
    print(f"median {statistics.median(off):.1%}, largest {max(off):.1%}")
    bounds = [Bound("error of predicted prefill, median", statistics.median(off), "at most", 0.10)]
    told = {**settings(given), "shape": vars(shape), "profile": profile.model_dump(mode="json")}
    write(Results(NAME, told, rows, bounds), given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
