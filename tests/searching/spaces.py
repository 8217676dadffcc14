"""A small space and a small model with random weights, which all tests of whole searches share."""

from __future__ import annotations

from functools import cache
from typing import Any

from eosdsl.cost.latency import LatencyProfile, Point
from eosdsl.zoo import tiny_llava

SPACE = """
space small for llava
at any 1..2 of layers 0..5:
  retain ? 5%..80%
  by ? * attention(query: last) + ? * norm(hidden)
  pick ? {top, diverse}
  via mix(? prune, ? merge, ? reweight(temperature: ? 0.01..10))
  with attention_bias: ? 0..1.5 * log_size
minimise task + 0.1 * alignment(hidden)
subject to tokens(mean) <= 48
search with steps: 3, batch: 2, optimiser: adamw(lr: 0.05), temperature: 2 -> 0.05 along cosine, seed: 0, checkpoint: 2
"""
FIXED = """
space fixed for llava
at layer 2: retain ? 10%..90% by ? * norm(hidden) + ? * attention(query: text) via mix(? prune, ? merge)
at layers 4, 6: retain ? 4 tokens..40 tokens pick ? {uniform, dpp} via merge
minimise task
subject to flops <= 70%, tokens(layer 5) <= 30
"""
PROFILE = LatencyProfile(
    model="tiny-llava",
    layers=8,
    width=128,
    dtype="float32",
    device="cpu",
    threads=1,
    machine={},
    versions={},
    table=(Point(rows=64, milliseconds=1.0),),
    curve=(0.3, 0.004, 0.00002),
    rest=5.0,
    attached=1.5,
    site=0.4,
    macs_per_millisecond=1e7,
    in_mlp=0.6,
    tower=3.0,
)
"""As `eosdsl profile` would have measured the small model."""


@cache
def model() -> Any:
    return tiny_llava.fresh_model(0).eval()


@cache
def processor() -> Any:
    return tiny_llava.processor()
