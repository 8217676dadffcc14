"""A relaxed step against plain forward and backward of the frozen model, side by side in one run, as ratios.

One active site is to cost at most 1.25 times the time and 1.3 times the memory of a plain step, and what steps cost
beyond it is to grow no worse than linearly with the number of open sites, and than quadratically with that of tokens.
A plain step carries gradients from the loss to the embeddings; a relaxed one to the decision points. Times are taken in
turns in one process; memory is what the tensors of a step hold at most, beyond what there was before it (`meter.py`).

    python benchmarks/search.py                                 d = 512, 8 layers, 576 tokens: one site, four
    python benchmarks/search.py --part sites                    1, 4, 16, 32 sites of 33 layers
    python benchmarks/search.py --part tokens                   144 to 2916 visual tokens
    python benchmarks/search.py --part step --part sites --part tokens --short         all in a minute and a half

Parts that a run does not measure stay in the results that are there. A bound that is missed makes the run end with 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from meter import Meter
from random_llava import IMAGE, build
from recording import Bound, Results, options, read, settings, start, write
from timing import in_turns, quotients, slope, spread

from eosdsl.ir.nodes import RelaxedProgram
from eosdsl.lowering.relaxing.relax import relax
from eosdsl.parsing import parse

TEXT = 64
SCORE = "by ? * attention(query: last) + ? * norm(hidden)"
BIAS = "with attention_bias: ? * log_size"
KINDS = {
    "prune": f"retain ? 5%..60% {SCORE} via prune",
    "merge": f"retain ? 5%..60% {SCORE} via mix(? merge, ? prune) {BIAS}",
    "all": f"retain ? 5%..60% {SCORE} pick ? {{top, uniform, grid(2x2)}} "
    f"via mix(? prune, ? merge, ? pool, ? reweight(temperature: ?)) {BIAS}",
}
PLAIN = "plain"


@dataclass(frozen=True)
class Case:
    """A model and the open sites in it; `kind` of KINDS, or plain."""

    kind: str
    sites: int
    tokens: int
    width: int
    layers: int

    @property
    def program(self) -> RelaxedProgram:
        """The sites evenly apart, from layer 1 on: one site is early, where it costs most."""
        listed = ", ".join(str(1 + i * (self.layers - 1) // self.sites) for i in range(self.sites))
        program = parse(f"space s\nat any 1..{self.sites} of layers {listed}: {KINDS[self.kind]}")
        assert isinstance(program, RelaxedProgram)
        return program


PARTS = ("step", "sites", "tokens")


def cases(part: str, *, tiny: bool = False, short: bool = False) -> list[Case]:
    """What a part measures; `short`: fewer tokens, and the ends of what it goes through."""
    if part == "sites":
        sites = (1, 2) if tiny else (1, 4, 16, 32)
        shape = (16, 64, 3) if tiny else (144 if short else 576, 128, 33)
        return [Case("all", number, *shape) for number in sites]
    if part == "tokens":
        counts = (16, 64) if tiny else (144, 2916) if short else (144, 576, 1296, 2916)
        return [Case("all", 1, tokens, *((64, 3) if tiny else (256, 4))) for tokens in counts]
    if tiny:
        return [Case("merge", number, 16, 64, 3) for number in (1, 2)]
    return [Case(kind, number, 576, 512, 8) for number in ((1,) if short else (1, 4)) for kind in KINDS]


def inputs_of(model: Any, tokens: int) -> dict[str, Any]:
    """A prompt with one image, and labels for the last rows."""
    side = round(tokens**0.5)
    device, dtype = model.device, model.dtype
    ids = torch.randint(0, IMAGE, (1, TEXT), device=device)
    ids = torch.cat([ids[:, :8], torch.full((1, tokens), IMAGE, device=device), ids[:, 8:]], dim=1)
    labels = torch.where(torch.arange(ids.shape[1], device=device) < ids.shape[1] - 8, -100, ids)
    pixels = torch.randn(1, 3, 14 * side, 14 * side, device=device, dtype=dtype)
    return {"input_ids": ids, "pixel_values": pixels, "labels": labels, "logits_to_keep": 0}


def plain_step(model: Any, inputs: Mapping[str, Any]) -> Callable[[], None]:
    """Forward and backward of the frozen model, from the loss to the embeddings."""

    def leaf(_: Any, __: Any, output: torch.Tensor) -> torch.Tensor:
        return output.detach().requires_grad_()

    def step() -> None:
        handle = model.get_input_embeddings().register_forward_hook(leaf)
        model(**inputs, use_cache=False).loss.backward()
        handle.remove()

    return step


def relaxed_step(model: Any, inputs: Mapping[str, Any], case: Case) -> Callable[[], None]:
    """Forward and backward of the relaxed program, from the loss to its decision points; detached in between."""
    relaxed = relax(case.program, model)
    relaxed.detach()

    def step() -> None:
        with relaxed:
            relaxed.module.zero_grad()
            relaxed(**inputs).loss.backward()

    return step


def measured(part: str, given: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows of a part."""
    wanted = cases(part, tiny=given.tiny, short=given.short)
    rows: list[dict[str, Any]] = []
    for tokens in dict.fromkeys(case.tokens for case in wanted):
        for row in of_one_model([case for case in wanted if case.tokens == tokens], given):
            rows.append({"part": part, **row})
            print(line(rows[-1]), flush=True)
    return rows


def of_one_model(group: Sequence[Case], given: argparse.Namespace) -> list[dict[str, Any]]:
    """Time and memory of the steps of cases on one model: in turns with plain ones, and once more for the memory."""
    first = group[0]
    model = build(first.width, first.layers, first.tokens, getattr(torch, given.dtype), given.device)
    model.requires_grad_(False)
    inputs = inputs_of(model, first.tokens)
    steps = {PLAIN: plain_step(model, inputs)}
    steps |= {name_of(case): relaxed_step(model, inputs, case) for case in group}
    times = in_turns(steps, 1 if given.tiny else given.rounds)
    held = {name: held_by(step) for name, step in steps.items()}
    return [
        {
            **vars(case),
            "plain_seconds": spread(times[PLAIN]),
            "times": quotients(times[name_of(case)], times[PLAIN]),
            "plain_mib": held[PLAIN] / 2**20,
            "memory": held[name_of(case)] / held[PLAIN],
        }
        for case in group
    ]


def name_of(case: Case) -> str:
    return f"{case.kind}:{case.sites}"


def held_by(step: Callable[[], None]) -> int:
    """Bytes of tensors that a step holds at most, beyond what there was before it."""
    with Meter() as meter:
        step()
    return meter.most


def bounds(rows: Sequence[Mapping[str, Any]]) -> list[Bound]:
    """What the rows show of what was to be reached."""
    one = [row for row in rows if row["part"] == "step" and row["sites"] == 1]
    found: list[Bound] = []
    for row in one:
        found.append(Bound(f"time of a step, one site, {row['kind']}", _median(row), "at most", 1.25))
        found.append(Bound(f"memory of a step, one site, {row['kind']}", row["memory"], "at most", 1.3))
    several = [row for row in rows if row["part"] == "sites"]
    if len(several) > 1:
        grown = slope([row["sites"] for row in several], [max(_median(row) - 1, 1e-3) for row in several])
        found.append(Bound("growth of what sites add to a step with their number, exponent", grown, "at most", 1.1))
    longer = [row for row in rows if row["part"] == "tokens"]
    if len(longer) > 1:
        beyond = slope([row["tokens"] for row in longer], [_median(row) for row in longer])
        found.append(Bound("growth of a step with tokens beyond a plain one's, exponent", beyond, "at most", 0.2))
    return found


def line(row: Mapping[str, Any]) -> str:
    return (
        f"{row['tokens']:>5} tokens, {row['layers']:>2} layers of {row['width']}, {row['sites']:>2} open sites, "
        f"{row['kind']:<6} {_median(row):.2f} times the time, {row['memory']:.2f} times the memory"
    )


def _median(row: Mapping[str, Any]) -> float:
    times: Any = row["times"]
    return float(times["median"] if isinstance(times, dict) else times.median)


def main(words: Sequence[str] | None = None) -> int:
    parser = options(__doc__, "search")
    parser.add_argument("--part", action="append", choices=PARTS, help="step where none is named; several may be")
    parser.add_argument("--short", action="store_true", help="fewer sites and numbers of tokens: half a minute a part")
    given = start(parser, words)
    given.part = list(dict.fromkeys(given.part or ["step"]))
    rows = [row for row in read(given.out).rows if row["part"] not in given.part] if given.out.exists() else []
    for part in given.part:
        rows += measured(part, given)
        rows.sort(key=lambda row: PARTS.index(row["part"]))
        write(Results("search", settings(given), rows, bounds(rows)), given.out)
    missed = [bound for bound in bounds(rows) if not bound.met]
    for bound in bounds(rows):
        print(f"{bound.what}: {bound.found:.3g}, {bound.way} {bound.limit:g}{' (missed)' if bound in missed else ''}")
    return int(bool(missed) and not given.tiny)


if __name__ == "__main__":
    sys.exit(main())
