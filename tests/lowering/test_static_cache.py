"""A static cache whose layers behind a reduction have room for fewer rows, and decoding compiled as one graph."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from compiled_decoding import counted_graphs
from test_batches import MIXED, SPECS, UNIFORM, logits
from test_fastv_reference import FORCED, steps
from tiny_models import LAST, Prompt, batch, call, program, prompt, ratio, step, tiny_llava
from transformers import StaticCache

from eosdsl.diagnostics import SpecError
from eosdsl.ir.nodes import Step
from eosdsl.lowering.compile import Compiled, compile

HALF = program(step(2, ratio("1/2"), LAST))
ROOM = 48


def held(compiled: Compiled, cache: Any, p: Prompt) -> Any:
    return compiled(**p.inputs(), past_key_values=cache)


def empty(compiled: Compiled, room: int = ROOM) -> StaticCache:
    return StaticCache(compiled.config.text_config, max_cache_len=room)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_static_equals_dynamic(spec: Step, attention: str) -> None:
    with compile(program(spec), tiny_llava(attention, kv_heads=2)) as compiled:
        for p in (MIXED[0], batch(MIXED)):
            static = logits(compiled, p, cache_implementation="static")
            torch.testing.assert_close(static, logits(compiled, p), atol=1e-4, rtol=1e-4)


def test_layers_have_room_for_what_they_hold() -> None:
    """Half of 16 visual tokens gone: eight slots fewer from layer 2 on, and no layer is filled beyond its room."""
    p = prompt([3, 0, 5])
    with compile(HALF, tiny_llava()) as compiled:
        cache: Any = empty(compiled)
        held(compiled, cache, p)
        assert [layer.keys.shape[2] for layer in cache.layers] == [ROOM, ROOM, ROOM - 8, ROOM - 8, ROOM - 8]
        assert [int(layer.cumulative_length) for layer in cache.layers] == [25, 25, 17, 17, 17]
        assert int(cache.get_seq_length()) == int(cache.get_seq_length(3)) == 25
        for _ in range(ROOM - 25):
            compiled(input_ids=torch.tensor([[7]]), past_key_values=cache)
        assert [int(layer.cumulative_length) for layer in cache.layers] == [ROOM, ROOM, ROOM - 8, ROOM - 8, ROOM - 8]


@pytest.mark.parametrize("spec", [SPECS[2], SPECS[4]])
def test_turns_on_a_static_cache(spec: Step) -> None:
    """Another question, then another image, on the cache of the first turn: as with a cache that grows."""
    first, second = prompt([3, 0, 5], 1), prompt([2, 0, 4], 2)
    with compile(program(spec), tiny_llava()) as compiled:
        said: list[list[torch.Tensor]] = []
        for cache in (None, empty(compiled, 80)):
            answers = steps(compiled, first.inputs(past_key_values=cache), [])
            out = compiled(**first.inputs(), past_key_values=None if cache is None else _fresh(cache))
            past = out.past_key_values
            asked = compiled(input_ids=torch.tensor([[5, 6, 7]]), past_key_values=past)
            shown = compiled(input_ids=second.input_ids[:, 1:], pixel_values=second.pixel_values, past_key_values=past)
            last = compiled(input_ids=torch.tensor([[8]]), past_key_values=past)
            said.append([*answers, out.logits[0, -1], asked.logits[0], shown.logits[0, -1], last.logits[0, -1]])
    for grown, fixed in zip(*said, strict=True):
        torch.testing.assert_close(fixed, grown, atol=1e-4, rtol=1e-4)


def _fresh(cache: StaticCache) -> StaticCache:
    cache.reset()
    return cache


def test_a_cache_that_was_emptied_takes_another_prompt() -> None:
    one, other = prompt([3, 0, 5], 1), prompt([1, 0, 2, 0, 3], 3)
    with compile(HALF, tiny_llava()) as compiled:
        cache = empty(compiled, 64)
        for p in (one, other, one):
            found = held(compiled, _fresh(cache), p).logits
            torch.testing.assert_close(found, compiled(**p.inputs()).logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("more", [{"num_beams": 3}, {"num_beams": 2, "num_return_sequences": 2}])
def test_beams_reorder_it(more: dict[str, Any]) -> None:
    p = batch(MIXED)
    with compile(program(SPECS[2]), tiny_llava()) as compiled:
        wanted: Any = {"max_new_tokens": 4, "do_sample": False, **more}
        expected = compiled.generate(**p.inputs(), **wanted)
        assert torch.equal(compiled.generate(**p.inputs(), **wanted, cache_implementation="static"), expected)


def test_a_bounded_prefix_is_read_and_not_what_was_there_before() -> None:
    """A score that looks into the next layer's keys sees the rows held there, not slots that are empty."""
    spec = step(3, ratio("1/4"), call("attention", query="all", layer="next"), call("merge"))
    p = prompt([3, 0, 5], 4)
    with compile(program(spec), tiny_llava()) as compiled:
        expected = steps(compiled, p.inputs(), FORCED)
        found = steps(compiled, p.inputs(past_key_values=empty(compiled)), FORCED)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_a_static_cache_of_the_full_model_is_refused() -> None:
    p = prompt([3, 0, 5])
    compiled = compile(HALF, tiny_llava())
    cache = empty(compiled)
    compiled.detach()(**p.inputs(), past_key_values=cache)
    with compiled, pytest.raises(SpecError) as caught:
        compiled(input_ids=torch.tensor([[7]]), past_key_values=cache)
    assert caught.value.diagnostics[0].code == "E0446"


def test_decoding_is_one_compiled_graph() -> None:
    """Inside `generate`, over several steps and calls; and the graphs of the bare model are not mixed up with it."""
    torch.compiler.reset()
    model, p = tiny_llava(kv_heads=2), batch(UNIFORM)
    graphs, compiled_decoding = counted_graphs()
    full = logits(model, p)
    torch.testing.assert_close(logits(model, p, **compiled_decoding), full, atol=1e-4, rtol=1e-4)
    assert len(graphs) == 1
    with compile(program(SPECS[2]), model) as compiled:
        expected = logits(compiled, p)
        for _ in range(2):
            torch.testing.assert_close(logits(compiled, p, **compiled_decoding), expected, atol=1e-4, rtol=1e-4)
    assert len(graphs) == 2
    torch.testing.assert_close(logits(model, p, **compiled_decoding), full, atol=1e-4, rtol=1e-4)
    assert len(graphs) == 2
    assert not torch.allclose(full, expected, atol=1e-2)
