"""Decoding with a reduced cache: bytes and time by the plan's counts, and static caches with compiled decoding.

Time per token is held against the same model without an operator, whose cache holds in every layer as many rows as the
plan's mean is. Then `generate` runs with a dynamic cache,
and with a static one and compiled decoding, both under the operator.

    python benchmarks/decode.py
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch
from random_llava import TEXT, build_shape, encoded, prompt, shape_of, twin
from recording import Bound, Results, options, settings, start, write
from timing import clock, in_turns, quotients, spread
from transformers import CompileConfig, DynamicCache

import eosdsl
from eosdsl.cost.plan import Plan

NAME = "decode"
SPECS = {
    "prune at one site": "at layer 2: retain 50% by attention(query: last)",
    "prune at three sites": "at layers 1, {third}, {half}: retain 60%, 30%, 10% by attention(query: last)",
    "merge at one site": "at layer 2: retain 25% by attention(query: last) via merge",
    "prune at the input": "at input: retain 1/9 by norm(hidden)",
}


def filled_cache(model: Any, rows: int, batch: int) -> DynamicCache:
    """A cache that holds so many rows in every layer, of no meaning."""
    config = model.config.text_config
    cache = DynamicCache(config=config)
    heads = config.num_key_value_heads
    for layer in range(config.num_hidden_layers):
        shape = (batch, heads, rows, config.hidden_size // config.num_attention_heads)
        keys, values = (torch.randn(shape, device=model.device).to(model.dtype) for _ in range(2))
        cache.update(keys, values, layer)
    return cache


def stepping(forward: Callable[..., Any], cache: Any, batch: int, device: Any) -> Callable[[], Any]:
    """One more token of every sequence."""
    token = torch.full((batch, 1), 7, device=device)
    return lambda: forward(input_ids=token, past_key_values=cache, use_cache=True)


def together(inputs: dict[str, Any], batch: int) -> dict[str, Any]:
    """The same prompt so many times."""
    return {name: value.expand(batch, *value.shape[1:]) for name, value in inputs.items()}


def held(cache: Any) -> int:
    """Bytes of keys and values."""
    return sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)


def by_counts(model: Any, tokens: int, layers: int, batch: int, rounds: int) -> list[dict[str, Any]]:
    """A row for every spec: bytes held and planned, time per token measured and by the line."""
    runs = {"full": stepping(model, filled_cache(model, TEXT + tokens, batch), batch, model.device)}
    inputs = encoded(model, together(prompt(model, tokens), batch))
    found: dict[str, tuple[Plan, int]] = {}
    for name, spec in SPECS.items():
        compiled = eosdsl.compile(spec.format(third=layers // 3, half=layers // 2), twin(model))
        cache = compiled(**inputs, logits_to_keep=1).past_key_values
        plan = eosdsl.plan(compiled.program, model, text_tokens=TEXT)
        found[name] = (plan, held(cache))
        alike = filled_cache(model, round(TEXT + plan.mean_tokens), batch)
        runs[f"by counts {name}"] = stepping(model, alike, batch, model.device)
        runs[name] = stepping(compiled, cache, batch, model.device)
    times = in_turns(runs, rounds, warm=2)
    rows: list[dict[str, Any]] = []
    for name, (plan, bytes_held) in found.items():
        by_counts = times[f"by counts {name}"]
        rows.append(
            {
                "case": name,
                "batch": batch,
                "mean_rows": TEXT + plan.mean_tokens,
                "bytes": bytes_held,
                "bytes_to_plan": bytes_held / (batch * plan.kv_cache_bytes),
                "token_s": spread(times[name]).median,
                "by_counts_s": spread(by_counts).median,
                "time_to_counts": quotients(times[name], by_counts),
                "speedup": quotients(times["full"], times[name]),
            }
        )
    return rows


def a_token(model: Any, inputs: dict[str, Any]) -> float:
    """Seconds per token of `generate`: of many tokens, without what few take."""
    few, many = 2, 26
    marks = [clock()]
    for new in (few, many):
        model.generate(**inputs, max_new_tokens=new, min_new_tokens=new, do_sample=False)
        marks.append(clock())
    return (marks[2] - marks[1] - (marks[1] - marks[0])) / (many - few)


def static_against_dynamic(model: Any, tokens: int, rounds: int, backend: str) -> dict[str, Any]:
    """Time per token of `generate` under an operator: with a cache that grows, and compiled with one of fixed room."""
    config = CompileConfig(backend=backend, mode="default")
    vars(config)["_compile_all_devices"] = True
    fixed: dict[str, Any] = {"cache_implementation": "static", "compile_config": config}
    inputs = prompt(model, tokens)
    compiled = eosdsl.compile(SPECS["prune at one site"], twin(model))
    taken: dict[str, list[float]] = {"dynamic": [], "static": []}
    for number in range(rounds + 1):
        for name, more in (("dynamic", {}), ("static", fixed)):
            once = a_token(compiled, {**inputs, **more})
            if number:  # the first compiles
                taken[name].append(once)
    return {
        "case": "static caches, compiled decoding",
        "batch": 1,
        "token_s": spread(taken["static"]).median,
        "dynamic_s": spread(taken["dynamic"]).median,
        "speedup": quotients(taken["dynamic"], taken["static"]),
        "backend": backend,
    }


def main(words: Sequence[str] | None = None) -> int:
    parser = options(__doc__, NAME)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--backend", default="inductor", help="what compiles decoding")
    given = start(parser, words)
    shape = shape_of(given, small="half")
    model = build_shape(shape, given.dtype, given.device)
    model.generation_config.pad_token_id = 0
    with torch.no_grad():
        rows = by_counts(model, shape.tokens, shape.layers, given.batch, 3 if given.tiny else 4 * given.rounds)
        print(f"{'':36}{'rows':>8}{'MiB':>8}{'to plan':>9}{'a token':>10}{'by counts':>11}{'measured to counts':>20}")
        for row in rows:
            print(
                f"{row['case']:36}{row['mean_rows']:8.1f}{row['bytes'] / 2**20:8.1f}{row['bytes_to_plan']:9.4f}"
                f"{1000 * row['token_s']:8.2f}ms{1000 * row['by_counts_s']:9.2f}ms{row['time_to_counts'].median:20.3f}"
            )
        static = static_against_dynamic(model, shape.tokens, 1 if given.tiny else given.rounds, given.backend)
    print(
        f"{static['case']:36}{1000 * static['dynamic_s']:8.2f}ms a token with a dynamic cache, "
        f"{1000 * static['token_s']:.2f}ms: {static['speedup'].median:.2f}x"
    )
    bounds = [
        Bound(f"cache bytes, off what counts say: {row['case']}", abs(row["bytes_to_plan"] - 1), "at most", 0.03)
        for row in rows
    ]
    bounds += [
        Bound(
            f"time a token, off what counts say: {row['case']}", abs(row["time_to_counts"].median - 1), "at most", 0.03
        )
        for row in rows
    ]
    bounds.append(Bound("static and compiled, as fast as dynamic", static["speedup"].median, "at least", 1.0))
    write(Results(NAME, {**settings(given), "shape": vars(shape)}, [*rows, static], bounds), given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
