"""Scores that ask every row about every other hold a part of the rows at a time, and say the same as all at once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from meter import Meter
from random_llava import build, encoded, prompt

import eosdsl
from eosdsl.lowering import probes
from eosdsl.operators.base import AskedRows, AttentionProbe, AttentionRows, Tokens
from eosdsl.operators.scores.attention import Attention, TopHeads

QUERIES = ("visual", "all")
HEADS = ("mean", "max", "sum", "concat", "top(2)")
SPEC = "at layer 2: retain 25% by attention(query: {query}, heads: {heads}) via prune"


def model_of(tokens: int) -> Any:
    torch.manual_seed(0)
    model = build(128, 3, tokens, torch.float32, "cpu")
    inputs = prompt(model, tokens)
    return model, {**encoded(model, inputs), "logits_to_keep": 1}


def most_held(query: str, heads: str, tokens: int) -> int:
    model, inputs = model_of(tokens)
    compiled = eosdsl.compile(SPEC.format(query=query, heads=heads), model)
    with Meter() as meter:
        compiled(**inputs)
    return meter.most


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("heads", ["mean", "concat"])
def test_memory_is_linear_in_the_number_of_tokens(query: str, heads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "HELD", 1 << 16)  # as little as for long sequences of many heads
    short, long = most_held(query, heads, 32**2), most_held(query, heads, 48**2)
    assert long < 1.3 * 2.25 * short, f"{short} bytes for 1024 tokens, {long} for 2304"


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("heads", HEADS)
def test_parts_choose_what_all_rows_at_once_choose(query: str, heads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, inputs = model_of(64)
    compiled = eosdsl.compile(SPEC.format(query=query, heads=heads), model)
    whole = compiled(**inputs).logits
    monkeypatch.setattr(probes, "HELD", 1)  # a row at a time
    torch.testing.assert_close(compiled(**inputs).logits, whole)


@pytest.mark.parametrize("heads", ["mean", "max", "sum", TopHeads(count=2)])
@pytest.mark.parametrize("masked", [False, True])
def test_a_score_of_parts_is_the_score_of_all(heads: Any, masked: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(2, 4, 7, 5, generator=generator)
    row_valid = torch.rand(2, 7, generator=generator) < 0.6 if masked else None
    score = Attention(query="all", heads=heads)

    def scored(rows: AttentionRows | AskedRows) -> torch.Tensor:
        hidden = torch.zeros(2, 5, 3)
        index = torch.arange(5).expand(2, 5)
        return score.compute(Tokens(hidden, torch.ones(2, 5), index, attention={AttentionProbe("all"): rows}))

    parts = AskedRows(lambda rows: weights[:, :, rows], 7, 3, row_valid)
    torch.testing.assert_close(scored(parts), scored(AttentionRows(weights, row_valid)))
    torch.testing.assert_close(parts.weights, weights)
