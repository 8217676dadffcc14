"""Prefill of a reduced LLaVA against the full model and against the limit, side by side in one run.

The limit is an oracle: the same layers run on rows that were taken out beforehand, for free. What a compiled operator
reaches of the oracle's speed-up is what masks, scores, gathering and Python between layers leave of it.

    python benchmarks/prefill.py                          d = 1024, 16 layers, 576 visual tokens: some minutes on two
    cores python benchmarks/prefill.py --width 256 --layers 8   a look in seconds
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from random_llava import IMAGE, build

import eosdsl
from eosdsl.lowering.compile import Compiled

TEXT = 64
SPECS = {
    "prune at one site": "at layer {early}: retain 50% by attention(query: last)",
    "prune hard at one site": "at layer {early}: retain 1/9 by attention(query: last)",
    "prune at three sites": "at layers {early}, {half}, {late}: retain 50%, 25%, 12.5% by attention(query: last)",
    "merge at three sites": "at layers {early}, {half}, {late}: retain 50%, 25%, 12.5% by attention(query: last) "
    "via merge",
    "mix at three sites": "at layers {early}, {half}, {late}: retain 50%, 25%, 12.5% by attention(query: last) "
    "via mix(merge, pool, prune) with attention_bias: log_size",
    "prune at the input": "at input: retain 1/9 by norm(hidden)",
}


def oracle(model: Any, lengths: list[int], text: int) -> Callable[[], Any]:
    """The decoder on rows cut to so many visual tokens at each layer, the cut itself for free."""
    decoder = model.model.language_model
    device, dtype = model.device, model.dtype
    rows = {n: torch.randn(1, n + text, decoder.config.hidden_size, device=device, dtype=dtype) for n in set(lengths)}
    ropes = {n: decoder.rotary_emb(rows[n], torch.arange(n + text, device=device)[None]) for n in rows}

    def run() -> Any:
        cache = transformers.DynamicCache(config=decoder.config)
        hidden, before = rows[lengths[0]], lengths[0]
        for layer, now in zip(decoder.layers, lengths, strict=True):
            hidden = hidden if now == before else rows[now]
            before = now
            hidden = layer(
                hidden, attention_mask=None, position_embeddings=ropes[now], past_key_values=cache, use_cache=True
            )
        return model.lm_head(decoder.norm(hidden)[:, -1:])

    return run


def clock() -> float:
    """Seconds, once the device has done what it was given. On one CPU thread those of this process alone."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


def medians(runs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median seconds of each, taken in turns so that what else the machine does falls on all alike."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            start = clock()
            run()
            if number:  # the first round warms up
                times[name].append(clock() - start)
    return {name: statistics.median(own) for name, own in times.items()}


def measure(model: Any, spec: str, inputs: dict[str, Any], rounds: int, *, compiled_graph: bool) -> dict[str, Any]:
    """Seconds of the full model, of the reduced one and of the oracle, and the share of its speed-up reached."""
    compiled: Compiled = eosdsl.compile(spec, model)
    if compiled_graph:
        compiled.graph.compile()
    lengths = list(compiled.plan.tokens_per_layer)
    full_lengths = [compiled.plan.visual_tokens] * len(lengths)
    compiled.detach()

    def reduced() -> Any:
        with compiled:
            return compiled(**inputs)

    runs = {
        "full": lambda: model(**inputs),
        "reduced": reduced,
        "oracle": oracle(model, lengths, TEXT),
        "oracle_full": oracle(model, full_lengths, TEXT),
    }
    with torch.no_grad():
        seconds = medians(runs, rounds)
    speedup, limit = seconds["full"] / seconds["reduced"], seconds["oracle_full"] / seconds["oracle"]
    return {
        "spec": spec,
        **seconds,
        "speedup": speedup,
        "limit": limit,
        "reached": speedup / limit,
        "plan": compiled.plan.prefill_ratio,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--layers", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=576)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--compile", action="store_true", help="torch.compile the reduced graph")
    parser.add_argument("--out", type=Path, help="write the results as JSON")
    given = parser.parse_args()
    torch.manual_seed(0)
    model = build(given.width, given.layers, given.tokens, getattr(torch, given.dtype), given.device)
    ids = torch.cat([torch.full((given.tokens,), IMAGE), torch.randint(5, IMAGE - 1, (TEXT,))])[None].to(given.device)
    pixels = torch.randn(1, 3, *[model.config.vision_config.image_size] * 2, device=given.device, dtype=model.dtype)
    with torch.no_grad():
        features = model.get_image_features(pixel_values=pixels, return_dict=True)
    inputs = {"input_ids": ids, "mm_encoder_outputs": {"image": features}, "logits_to_keep": 1}
    places = {"early": 2, "half": given.layers // 2, "late": 3 * given.layers // 4}
    print(f"{'':24}{'full':>9}{'reduced':>9}{'oracle':>9}{'speed-up':>10}{'limit':>8}{'reached':>9}")
    results = {}
    for name, spec in SPECS.items():
        found = measure(model, spec.format(**places), inputs, given.rounds, compiled_graph=given.compile)
        results[name] = found
        times = "".join(f"{1000 * found[key]:7.1f}ms" for key in ("full", "reduced", "oracle"))
        print(f"{name:24}{times}{found['speedup']:9.2f}x{found['limit']:7.2f}x{found['reached']:8.1%}")
    machine = {"machine": platform.processor() or platform.machine(), "threads": torch.get_num_threads()}
    versions = {"torch": torch.__version__, "transformers": transformers.__version__, "eosdsl": eosdsl.__version__}
    if given.out is not None:
        settings = {key: str(value) for key, value in vars(given).items()}
        given.out.write_text(
            json.dumps({**machine, **versions, "settings": settings, "results": results}, indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
