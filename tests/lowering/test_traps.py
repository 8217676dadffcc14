"""The traps of lowering on transformers, each with its guard: right with it, and wrong without it."""

from __future__ import annotations

import ast
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from eager_reference import Reference, Rows, pick
from test_batches import SPECS, UNIFORM, logits
from test_fastv_reference import FORCED, fastv, steps
from tiny_models import LAST, LAYERS, batch, call, program, prompt, ratio, step, tiny_llava
from torch.utils._python_dispatch import TorchDispatchMode
from transformers.cache_utils import DynamicLayer
from transformers.masking_utils import create_causal_mask

import eosdsl.lowering.segments
from eosdsl.lowering.cache import ReducedLayer
from eosdsl.lowering.compile import compile
from eosdsl.lowering.discrete import Reducer
from eosdsl.lowering.row_state import Coming

HALF = program(step(2, ratio("1/2"), LAST))
P = prompt([4, 0, 6])


def wrong(found: Callable[[], torch.Tensor], expected: torch.Tensor) -> bool:
    """Whether a computation without its guard fails or gives something else."""
    try:
        result = found()
    except (RuntimeError, ValueError, IndexError):
        return True
    return not torch.allclose(result, expected, atol=1e-3)


def test_1_gaps_in_positions_are_not_borders_of_packed_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cache, no mask, pruned rows that keep their positions: transformers would mask block by block, in silence."""
    with compile(HALF, tiny_llava()) as compiled:
        inputs = {"input_ids": P.input_ids, "pixel_values": P.pixel_values, "use_cache": False}
        expected = compiled(**P.inputs()).logits
        torch.testing.assert_close(compiled(**inputs).logits, expected, atol=1e-5, rtol=1e-5)

        def unguarded(_: Any, config: Any, stream: Any, keep: Any, bias: Any, cache: Any, *layers: int) -> Any:
            positions = torch.arange(stream.hidden.shape[1])[None] * 2  # any gaps will do
            return create_causal_mask(config, stream.hidden, keep, cache, positions)

        monkeypatch.setattr(eosdsl.lowering.segments, "segment_mask", unguarded)
        assert wrong(lambda: compiled(**inputs).logits, expected)


def test_2_masks_are_sized_by_their_own_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    p = batch(UNIFORM)
    with compile(HALF, tiny_llava("eager")) as compiled:
        expected = logits(compiled, p)

        def unguarded(_: Any, config: Any, stream: Any, keep: Any, bias: Any, cache: Any, *layers: int) -> Any:
            return create_causal_mask(config, stream.hidden, keep, cache)

        monkeypatch.setattr(eosdsl.lowering.segments, "segment_mask", unguarded)
        assert wrong(lambda: logits(compiled, p), expected)


def test_4_nothing_of_a_sequence_lives_in_modules() -> None:
    """Two conversations through one model, their steps interleaved, do not disturb each other."""
    first, second = batch(UNIFORM), prompt([1, 0, 0, 7], 9)
    with compile(program(SPECS[2]), tiny_llava()) as compiled:
        alone = [steps_of_batch(compiled, p, []) for p in (first, second)]
        turns: list[list[torch.Tensor]] = [[], []]
        outs: list[Any] = [compiled(**first.inputs()), compiled(**second.inputs())]
        masks = [first.attention_mask, second.attention_mask]
        for which in range(2):
            turns[which].append(outs[which].logits[:, -1])
        for token in FORCED:
            for which in (1, 0):
                count = len(masks[which])
                masks[which] = torch.cat([masks[which], torch.ones(count, 1, dtype=torch.long)], dim=1)
                ids = torch.full((count, 1), token)
                cache = outs[which].past_key_values
                outs[which] = compiled(input_ids=ids, attention_mask=masks[which], past_key_values=cache)
                turns[which].append(outs[which].logits[:, -1])
    for which in range(2):
        torch.testing.assert_close(torch.stack(turns[which], dim=1), alone[which], atol=1e-5, rtol=1e-5)


def steps_of_batch(compiled: Any, p: Any, found: list[torch.Tensor]) -> torch.Tensor:
    out, mask = compiled(**p.inputs()), p.attention_mask
    found.append(out.logits[:, -1])
    for token in FORCED:
        mask = torch.cat([mask, torch.ones(len(mask), 1, dtype=torch.long)], dim=1)
        ids = torch.full((len(mask), 1), token)
        out = compiled(input_ids=ids, attention_mask=mask, past_key_values=out.past_key_values)
        found.append(out.logits[:, -1])
    return torch.stack(found, dim=1)


def test_4_the_keep_mask_follows_its_rows_through_the_cache() -> None:
    """Beams reorder, batches select and repeat, crops cut: keep and bias do what keys do."""
    layer = ReducedLayer()
    keys = torch.arange(24.0).view(3, 1, 4, 2)
    keep, bias = torch.rand(3, 4) > 0.5, torch.rand(3, 4)
    gap = torch.tensor([[3], [4], [5]])
    layer.expect(Coming(keep, bias, removed=6, tail=2, gap=gap))
    layer.update(keys, keys)
    layer.reorder_cache(torch.tensor([2, 0, 1]))
    layer.batch_repeat_interleave(2)
    layer.batch_select_indices(torch.tensor([5, 0]))
    layer.crop(-1)
    order = torch.tensor([1, 2])
    assert layer.keys is not None and torch.equal(layer.keys, keys[order, :, :-1])
    assert layer.keep is not None and torch.equal(layer.keep, keep[order, :-1])
    assert layer.bias is not None and torch.equal(layer.bias, bias[order, :-1])
    assert layer.gap is not None and torch.equal(layer.gap, gap[order])
    assert (layer.held, layer.get_seq_length(), layer.get_mask_sizes(2)) == (3, 9, (5, 6))
    layer.reset()
    assert (layer.keep, layer.bias, layer.get_seq_length()) == (None, None, 0)


@pytest.mark.parametrize("layer", [0, 2])
def test_5_and_15_lengths_are_those_of_the_unreduced_sequence(layer: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Positions, slicing of a second turn and of prompts go by `get_seq_length`, also where layer 0 is short."""
    model = tiny_llava()
    by = call("norm")
    spec = program(step(layer, ratio("1/4"), by))

    def ranked(rows: Rows) -> Rows:
        visual = rows.visual.nonzero()[:, 0]
        kept = visual[rows.hidden[visual].norm(dim=1).topk(4).indices]
        return pick(rows, torch.cat([(~rows.visual).nonzero()[:, 0], kept]).sort().values)

    expected = Reference(model, {layer: ranked}).logits(P, FORCED)

    def talk() -> torch.Tensor:
        """Prompt, then all tokens again with the kept cache: generate has to slice."""
        cache = compiled(**P.inputs()).past_key_values
        whole = torch.cat([P.input_ids, torch.tensor([FORCED])], dim=1)
        wanted: Any = {"max_new_tokens": 1, "output_logits": True, "return_dict_in_generate": True}
        out = compiled.generate(whole, attention_mask=torch.ones_like(whole), past_key_values=cache, **wanted)
        return out.logits[0][0]

    with compile(spec, model) as compiled:
        torch.testing.assert_close(steps(compiled, P.inputs(), FORCED), expected, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(talk(), expected[-1], atol=1e-4, rtol=1e-4)
        if layer == 0:
            monkeypatch.setattr(ReducedLayer, "get_seq_length", DynamicLayer.get_seq_length)
            assert wrong(talk, expected[-1])


def test_6_several_rows_are_not_a_prompt_and_one_row_may_be() -> None:
    """What is reduced is what brings an image. A question of four rows on a kept cache only grows it."""
    with compile(HALF, tiny_llava()) as compiled:
        cache = compiled(**P.inputs()).past_key_values
        before = [layer.keys.shape[2] for layer in cache.layers]
        compiled(input_ids=torch.tensor([[5, 6, 7, 8]]), past_key_values=cache)
        assert [layer.keys.shape[2] for layer in cache.layers] == [held + 4 for held in before]


def test_6_several_rows_at_once_equal_one_by_one() -> None:
    """Causality among new rows on a short cache: the offset of the keys is that of the rows that are gone."""
    with compile(HALF, tiny_llava()) as compiled:
        expected = steps(compiled, P.inputs(), FORCED)
        cache = compiled(**P.inputs()).past_key_values
        found = compiled(input_ids=torch.tensor([FORCED]), past_key_values=cache).logits[0]
    torch.testing.assert_close(found, expected[1:], atol=1e-4, rtol=1e-4)


def test_8_no_model_is_switched_to_eager_and_no_weights_are_asked_for() -> None:
    model = tiny_llava("sdpa")
    text = model.model.language_model
    seen: list[tuple[str, Any]] = []
    for layer in text.layers:
        layer.self_attn.register_forward_hook(
            lambda module, _, out: seen.append((module.config._attn_implementation, out[1]))
        )
    with compile(HALF, model) as compiled:
        compiled(**P.inputs())
    assert len(seen) == LAYERS
    assert all(implementation == "sdpa" and weights is None for implementation, weights in seen)


class Synchronisations(TorchDispatchMode):
    """Operations that make the host wait for the device."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func._schema.name in ("aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::unique"):
            self.found.append(func._schema.name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("spec", SPECS)
def test_9_a_reducer_does_not_wait_for_the_device(spec: Any) -> None:
    """Counts come from the host, at the prompt and while decoding."""
    watch = Synchronisations()
    own = Reducer.forward

    def watched(self: Any, *args: Any) -> Any:
        with watch:
            return own(self, *args)

    with pytest.MonkeyPatch.context() as patch, compile(program(spec), tiny_llava()) as compiled:
        patch.setattr(Reducer, "forward", watched)
        for p in (P, batch(UNIFORM)):
            compiled.generate(**p.inputs(), max_new_tokens=3)
    assert watch.found == []


def test_12_transformers_is_touched_in_few_named_places() -> None:
    """Which module may import what of transformers; a change there is looked for here."""
    allowed = {
        "artefact": {"transformers"},
        "attach": {"create_masks_for_generate"},
        "cache": {
            "DynamicCache",
            "DynamicLayer",
            "DynamicSlidingWindowLayer",
            "StaticCache",
            "StaticLayer",
            "StaticSlidingWindowLayer",
        },
        "cache_name": {"create_causal_mask"},
        "calls": {"StaticCache", "find_packed_sequence_indices"},
        "forward": {
            "BaseModelOutputWithPast",
            "DynamicCache",
            "capture_outputs",
            "merge_with_config_defaults",
        },
        "loading": {"CONFIG_MAPPING", "transformers"},
        "masks": {"create_causal_mask", "create_sliding_window_causal_mask"},
        "static_cache": {"StaticLayer"},
        "tower": {"BaseModelOutput"},
        "versions": {"transformers"},
    }
    found: dict[str, set[str]] = {}
    for file in Path(eosdsl.lowering.segments.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("transformers"):
                found.setdefault(file.stem, set()).update(alias.name for alias in node.names)
            if isinstance(node, ast.Import):
                names = {alias.name for alias in node.names if alias.name.startswith("transformers")}
                found.setdefault(file.stem, set()).update(names)
    assert {stem: names for stem, names in found.items() if names} == allowed


def test_13_images_arrive_by_either_door() -> None:
    """`generate` encodes images ahead and passes no pixels, and no mask where all is one; a plain call passes both."""
    with compile(HALF, tiny_llava()) as compiled:
        plain = compiled(**P.inputs()).logits[0, -1]
        ahead = compiled.model.get_image_features(pixel_values=P.pixel_values, return_dict=True)
        given = compiled(input_ids=P.input_ids, mm_encoder_outputs={"image": ahead}).logits[0, -1]
        positional = compiled(P.input_ids, P.pixel_values).logits[0, -1]
        generated = logits(compiled, P)[0, 0]
    for one in (given, positional, generated):
        torch.testing.assert_close(one, plain, atol=1e-5, rtol=1e-5)


def test_13_placeholders_without_their_images_are_the_models_own_error() -> None:
    with compile(HALF, tiny_llava()) as compiled:
        short = {**P.inputs(), "input_ids": P.input_ids[:, 8:], "attention_mask": P.attention_mask[:, 8:]}
        with pytest.raises(ValueError, match="do not match"):
            compiled(**short)


def test_14_scores_ask_the_prompts_last_row_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_llava()
    spec = program(step(2, ratio("1/8"), LAST))
    with compile(spec, model) as compiled:
        prompts = [prompt([3, 0, 5], seed) for seed in range(3)]
        cached = [logits(compiled, p) for p in prompts]
        for p, expected in zip(prompts, cached, strict=True):
            torch.testing.assert_close(logits(compiled, p, use_cache=False), expected, atol=1e-4, rtol=1e-4)
        monkeypatch.setattr("eosdsl.lowering.calls.prompt_rows", lambda: None)
        pairs = list(zip(prompts, cached, strict=True))
        assert any(wrong(lambda p=p: logits(compiled, p, use_cache=False), expected) for p, expected in pairs)


def test_fastv_reads_the_row_it_should() -> None:
    """A guard for the reference itself: ranking by another row gives other logits."""
    model = tiny_llava()
    expected = Reference(model, {2: lambda rows: fastv(rows, Fraction(1, 2))}).logits(P, FORCED)
    spec = program(step(2, ratio("1/2"), call("attention", query="all")))
    with compile(spec, model) as compiled:
        assert wrong(lambda: steps(compiled, P.inputs(), FORCED), expected)
