"""What the plan counts is what runs: tokens in every layer, bytes in the cache, FLOPs under eager attention."""

from __future__ import annotations

import pytest
import torch
from tiny_models import IMAGE, LAST, LAYERS, TOKENS, batch, call, mix, program, prompt, ratio, step, tiny_llava, tokens
from torch.utils.flop_counter import FlopCounterMode

from eosdsl.cost.plan import plan
from eosdsl.ir.nodes import Step
from eosdsl.lowering.compile import compile

SPECS = [
    step(2, ratio("1/2")),
    step(0, tokens(5), call("norm")),
    step([1, 3], [ratio("1/3"), ratio("1/5")], via=call("merge")),
    step([0, 4], ratio("1/9"), call("random", seed=1), mix(merge=0.5, prune=0.5), gradual=True),
    step(LAYERS - 1, tokens(1)),
]


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("use_cache", [True, False])
def test_tokens_in_every_layer(spec: Step, use_cache: bool) -> None:
    """Seen from inside: rows entering each layer, minus those of text."""
    model = tiny_llava()
    entering: list[int] = []
    hooks = [
        layer.register_forward_pre_hook(lambda _, args: entering.append(args[0].shape[1]))
        for layer in model.model.language_model.layers
    ]
    p = prompt([3, 0, 5])
    with compile(program(spec), model) as compiled:
        out = compiled(**p.inputs(), use_cache=use_cache)
        text = p.input_ids.shape[1] - TOKENS
        assert tuple(rows - text for rows in entering) == compiled.plan.tokens_per_layer
        if use_cache:
            held = tuple(layer.keys.shape[2] - text for layer in out.past_key_values.layers)
            assert held == compiled.plan.tokens_per_layer
    for hook in hooks:
        hook.remove()


@pytest.mark.parametrize("spec", SPECS)
def test_bytes_in_the_cache(spec: Step) -> None:
    model = tiny_llava(kv_heads=2)
    p = prompt([3, 0, 5])
    with compile(program(spec), model) as compiled:
        cache = compiled(**p.inputs()).past_key_values
    held = sum(t.numel() * t.element_size() for layer in cache.layers for t in (layer.keys, layer.values))
    text = p.input_ids.shape[1] - TOKENS
    assert held == plan(program(spec), model, text_tokens=text).kv_cache_bytes


def test_two_images_count_each() -> None:
    model = tiny_llava()
    p = prompt([3, 0, 2, 0, 5])
    with compile(program(SPECS[2]), model) as compiled:
        cache = compiled(**p.inputs()).past_key_values
    text = int((p.input_ids != IMAGE).sum())
    held = tuple(layer.keys.shape[2] - text for layer in cache.layers)
    assert held == tuple(2 * n for n in compiled.plan.tokens_per_layer)


def test_images_in_a_batch_with_padding() -> None:
    """Rows that count, by the keep-mask in each layer of the cache."""
    model = tiny_llava()
    prompts = [prompt([3, 0, 5]), prompt([1, 0, 2, 0, 9], 1), prompt([4], 2)]
    with compile(program(SPECS[2]), model) as compiled:
        cache = compiled(**batch(prompts).inputs()).past_key_values
        expected = compiled.plan.tokens_per_layer
    for row, one in enumerate(prompts):
        text = int((one.input_ids != IMAGE).sum())
        images = (one.input_ids.shape[1] - text) // TOKENS
        for layer, held in list(enumerate(cache.layers))[1:]:
            assert int(held.keep[row].sum()) == text + images * expected[layer]


@pytest.mark.parametrize(
    "spec",
    [
        step(2, ratio("1/2"), LAST),
        step(2, ratio("1/2"), call("attention", query="last", layer="next")),
        step(2, ratio("1/2"), call("attention", query="text")),
        step(0, ratio("1/4"), call("norm")),
        step([1, 3], [ratio("1/2"), ratio("1/4")], call("norm"), call("pool")),
        step(2, ratio("1/4"), call("norm"), call("merge")),
        step(2, ratio("1/4"), call("norm"), call("reweight", temperature=0.5)),
        step([0, 4], ratio("1/8"), call("random", seed=0), gradual=True),
    ],
)
@pytest.mark.parametrize("kv_heads", [4, 2])
def test_flops_equal_those_counted_under_eager_attention(spec: Step, kv_heads: int) -> None:
    """The decoder and its reducers within 0.1%; of the rest (tower, projector, head) the exact count is subtracted.

    A plan counts what a method needs: likenesses of K anchors to the others, and the others shared out over them. Where
    anchors are few, what runs looks at them too, in both, which takes less time; so many products more may be counted.
    """
    model = tiny_llava("eager", kv_heads)
    p = prompt([3, 0, 27])
    text = p.input_ids.shape[1] - TOKENS
    made = plan(program(spec), model, text_tokens=text)
    with compile(program(spec), model) as compiled, FlopCounterMode(display=False, depth=1) as counter:
        compiled(**p.inputs(), logits_to_keep=1)
    counted = counter.get_flop_counts()
    decoder = sum(counted["Global"].values())
    with FlopCounterMode(display=False) as outside:
        model.get_image_features(pixel_values=p.pixel_values)
        model.lm_head(torch.zeros(1, 1, 32))
    decoder -= outside.get_total_flops()
    expected = made.prefill_flops + 2 * made.macs.reducers
    sites = list(zip(counts := sorted(set(made.tokens_per_layer)), counts[1:], strict=False))
    products = 2 * model.config.text_config.hidden_size * sum(2 * k * k for _, k in sites)
    more = products if spec.groups[0].behaviour != call("prune") else 0
    assert -0.001 * expected <= decoder - expected <= 0.001 * expected + more, (decoder, expected)
