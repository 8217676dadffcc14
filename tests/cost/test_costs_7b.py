"""LLaVA-1.5-7B by the numbers that papers print, and by the formulas of the cost page written out here again."""

from __future__ import annotations

import pytest

from eosdsl.cost.plan import Plan, plan

TERA = 1e12


def keep(tokens: int) -> Plan:
    return plan(f"at input: retain {tokens} tokens by norm(hidden)\n", "llava")


@pytest.mark.parametrize(
    ("tokens", "tera_macs"),
    [(576, 4.252), (288, 2.312), (192, 1.675), (128, 1.253), (64, 0.833), (32, 0.624), (16, 0.520)],
)
def test_decoder_over_the_whole_prompt(tokens: int, tera_macs: float) -> None:
    made = keep(tokens)
    assert made.macs.decoder / TERA == pytest.approx(tera_macs, abs=0.0005)
    assert made.prefill_flops == 2 * made.macs.decoder


@pytest.mark.parametrize(("tokens", "tera_macs"), [(576, 3.817), (192, 1.253), (128, 0.833), (64, 0.4155)])
def test_visual_tokens_alone(tokens: int, tera_macs: float) -> None:
    """What papers print as "TFLOPs" (0.415 for the last, cut off)."""
    assert keep(tokens).macs.decoder_visual / TERA == pytest.approx(tera_macs, abs=0.0005)


def test_vision_and_bounds() -> None:
    made = keep(64)
    assert (made.macs.tower + made.macs.projector) / TERA == pytest.approx(0.203, abs=0.0005)
    assert made.decoder_speedup_bound == pytest.approx(5.10, abs=0.005)
    assert made.speedup_bound == pytest.approx(4.30, abs=0.005)


def test_formulas_written_out() -> None:
    """2nd^2 + 2nd d_kv + 2n^2 d + 3ndm a layer; T_v (4nd^2 + 2n^2 d + 2ndm) + patches; n (d_v d + d^2)."""
    made = plan("at layer 2: retain 50% by random(seed: 0)\n", "llava-1.5-13b", text_tokens=100)
    d, m, layers = 5120, 13824, 40
    rows = [100 + n for n in [576, 576] + [288] * (layers - 2)]
    assert made.macs.decoder == sum(4 * n * d * d + 2 * n * n * d + 3 * n * d * m for n in rows)
    n, w = 577, 1024
    assert made.macs.tower == 24 * (4 * n * w * w + 2 * n * n * w + 2 * n * w * 4096) + 576 * 14 * 14 * 3 * w
    assert made.macs.projector == 576 * (w * d + d * d)
    assert made.macs.head == d * 32064
    assert made.kv_cache_bytes == 2 * sum(rows) * d * 2


def test_grouped_queries_count_their_own_keys() -> None:
    """2ndHh + 2ndKh + 2n^2Hh + 3ndm, and a cache of the keys and values that exist."""
    made = plan("at layer 1: retain 100 tokens by random(seed: 0)\n", "qwen2-vl")
    d, inner, kv, m = 3584, 28 * 128, 4 * 128, 18944
    rows = [640] + [164] * 27
    assert made.macs.decoder == sum(2 * n * d * (inner + kv) + 2 * n * n * inner + 3 * n * d * m for n in rows)
    assert made.kv_cache_bytes == 2 * sum(rows) * kv * 2


def test_after_attention_splits_the_layer() -> None:
    """Attention and cache of layer 5 are whole; its MLP sees what is left."""
    before = plan("at layer 5: retain 100 tokens by random(seed: 0)\n", "llava")
    after = plan("at layer 5 after attention: retain 100 tokens by random(seed: 0)\n", "llava")
    d, full, left = 4096, 640, 164
    attention = {n: 4 * n * d * d + 2 * n * n * d for n in (full, left)}
    assert after.macs.decoder - before.macs.decoder == attention[full] - attention[left]
    assert after.kv_cache_bytes - before.kv_cache_bytes == 2 * (full - left) * d * 2
    assert after.tokens_per_layer[5] == 576 and after.tokens_per_layer[6] == 100


def test_reductions_in_the_tower_make_everything_after_them_cheaper() -> None:
    tome = plan("at encoder layers 0..22 after attention: remove 16 tokens by norm(hidden)\n", "llava")
    late = plan("at encoder output: retain 208 tokens by norm(hidden)\n", "llava")
    assert tome.tokens_per_layer == late.tokens_per_layer == (208,) * 32
    assert tome.encoder_tokens_per_layer == tuple(577 - 16 * layer for layer in range(24))
    assert tome.macs.tower < late.macs.tower == late.full_macs.tower
    assert tome.macs.projector == late.macs.projector == 208 * (1024 * 4096 + 4096**2)


def test_images_of_a_prompt_add_up_and_attend_to_each_other() -> None:
    one, two = (plan("at layer 2: retain 25% by norm(hidden)\n", "llava", images=n) for n in (1, 2))
    assert two.tokens_per_layer == one.tokens_per_layer
    assert two.macs.tower == 2 * one.macs.tower
    assert two.macs.reducers == 2 * one.macs.reducers
    d, m = 4096, 11008
    rows = [64 + 2 * n for n in one.tokens_per_layer]
    assert two.macs.decoder == sum(4 * n * d * d + 2 * n * n * d + 3 * n * d * m for n in rows)


def test_reducers_are_counted_with_what_they_recompute() -> None:
    """FastV's one row of attention: a query projection and a row of logits; looking ahead also projects the keys."""
    d, rows = 4096, 640
    last = plan("at layer 2: retain 50% by attention(query: last)\n", "llava")
    ahead = plan("at layer 2: retain 50% by attention(query: last, layer: next)\n", "llava")
    assert last.macs.reducers >= d * d + rows * d
    assert ahead.macs.reducers - last.macs.reducers == rows * d * d
    merging = plan("at layer 2: retain 50% by norm(hidden) via merge\n", "llava")
    pruning = plan("at layer 2: retain 50% by norm(hidden) via prune\n", "llava")
    assert merging.macs.reducers - pruning.macs.reducers >= 288 * 288 * d
    assert merging.macs.decoder == pruning.macs.decoder
    assert merging.ratio > pruning.ratio
