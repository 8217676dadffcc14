"""A relaxed step against plain forward and backward of the frozen model, side by side in one run, as ratios.

One active site is to cost at most 1.25 times the time and 1.3 times the memory of a plain step, and steps are to grow
no worse than linearly with the number of open sites. A plain step carries gradients from the loss to the embeddings; a
relaxed one to the decision points.

    python benchmarks/search.py                     d = 512, 8 layers, 576 visual tokens: a minute or two on two cores
    python benchmarks/search.py --layers 33 --sites 1 4 16 32 --width 128
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from random_llava import IMAGE, build

from eosdsl.ir.nodes import RelaxedProgram
from eosdsl.lowering.relaxing.relax import relax
from eosdsl.parsing import parse

TEXT = 64
SCORE = "by ? * attention(query: last) + ? * norm(hidden)"
BIAS = "with attention_bias: ? * log_size"
SITES = {
    "prune": f"retain ? 5%..60% {SCORE} via prune",
    "merge": f"retain ? 5%..60% {SCORE} via mix(? merge, ? prune) {BIAS}",
    "all": f"retain ? 5%..60% {SCORE} pick ? {{top, uniform, grid(2x2)}} "
    f"via mix(? prune, ? merge, ? pool, ? reweight(temperature: ?)) {BIAS}",
}


def inputs_of(model: Any, tokens: int, batch: int) -> dict[str, Any]:
    """A batch of prompts with one image each, and labels for the last rows."""
    side = round(tokens**0.5)
    device, dtype = model.device, model.dtype
    ids = torch.randint(0, IMAGE, (batch, TEXT), device=device)
    ids = torch.cat([ids[:, :8], torch.full((batch, tokens), IMAGE, device=device), ids[:, 8:]], dim=1)
    labels = torch.where(torch.arange(ids.shape[1], device=device) < ids.shape[1] - 8, -100, ids)
    pixels = torch.randn(batch, 3, 14 * side, 14 * side, device=device, dtype=dtype)
    return {"input_ids": ids, "pixel_values": pixels, "labels": labels, "logits_to_keep": 0}


def plain_step(model: Any, inputs: dict[str, Any]) -> Callable[[], None]:
    """Forward and backward of the frozen model, from the loss to the embeddings."""

    def leaf(_: Any, __: Any, output: torch.Tensor) -> torch.Tensor:
        return output.detach().requires_grad_()

    model.get_input_embeddings().register_forward_hook(leaf)

    def step() -> None:
        model(**inputs, use_cache=False).loss.backward()

    return step


def relaxed_step(model: Any, inputs: dict[str, Any], kind: str, sites: list[int]) -> Callable[[], None]:
    """Forward and backward of the relaxed program, from the loss to its decision points."""
    listed = ", ".join(map(str, sites))
    program = parse(f"space s\nat any 1..{len(sites)} of layers {listed}: {SITES[kind]}")
    assert isinstance(program, RelaxedProgram)
    relaxed = relax(program, model)

    def step() -> None:
        relaxed.module.zero_grad()
        relaxed(**inputs).loss.backward()

    return step


def measure(step: Callable[[], None], repeats: int, device: str) -> float:
    """The median time of a step, in seconds."""
    times: list[float] = []
    for _ in range(repeats):
        if device == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        step()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def peak(device: str) -> float:
    """Peak memory of this process (or of the device) so far, in MiB."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def places(layers: int, number: int) -> list[int]:
    """So many layers, evenly apart, from layer 1 on; one site is early, where it costs most."""
    return [1 + i * (layers - 1) // number for i in range(number)]


def run_one(args: argparse.Namespace, what: str) -> dict[str, float]:
    """Time and memory of one kind of step, in this process."""
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    model = build(args.width, args.layers, args.tokens, getattr(torch, args.dtype), args.device).requires_grad_(False)
    inputs = inputs_of(model, args.tokens, args.batch)
    before = peak(args.device)
    if what == "plain":
        step = plain_step(model, inputs)
    else:
        kind, number = what.split(":")
        step = relaxed_step(model, inputs, kind, places(args.layers, int(number)))
    step()
    return {"seconds": measure(step, args.repeats, args.device), "mib": peak(args.device) - before}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=576, help="visual tokens, a square")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--sites", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--kinds", nargs="+", default=list(SITES), choices=list(SITES))
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="write the results as JSON")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(run_one(args, args.one)))
        return
    # each kind in a process of its own: peak memory never goes down
    own = [word for word in sys.argv[1:] if not word.startswith("--out")]
    kinds = ["plain", *(f"{kind}:{number}" for number in args.sites for kind in args.kinds), "plain"]
    found: dict[str, list[dict[str, float]]] = {}
    for kind in kinds:
        command = [sys.executable, __file__, *own, "--one", kind]
        told = subprocess.run(command, check=True, capture_output=True, text=True)
        found.setdefault(kind, []).append(json.loads(told.stdout.splitlines()[-1]))
    plain = {key: statistics.mean(one[key] for one in found["plain"]) for key in ("seconds", "mib")}
    print(
        f"plain step: {plain['seconds']:.3f} s, {plain['mib']:.0f} MiB (two runs: "
        f"{', '.join(format(one['seconds'], '.3f') for one in found['plain'])} s)"
    )
    print(f"{'open sites':<12}{'kind':<8}{'time':>8}{'memory':>8}")
    for kind in kinds[1:-1]:
        name, number = kind.split(":")
        one = found[kind][0]
        print(f"{number:<12}{name:<8}{one['seconds'] / plain['seconds']:>7.2f}x{one['mib'] / plain['mib']:>7.2f}x")
    if args.out:
        machine = {"machine": platform.machine(), "torch": torch.__version__, "transformers": transformers.__version__}
        settings = {key: str(value) for key, value in vars(args).items() if key not in ("out", "one")}
        args.out.write_text(json.dumps({**machine, **settings, "steps": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
