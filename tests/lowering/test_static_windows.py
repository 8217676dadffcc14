"""Static caches where layers slide, or where images see themselves in both directions: as caches that grow."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from compiled_decoding import counted_graphs
from every_family import FAMILIES
from families import batch
from test_family_laws import SPECS, fitting, logits
from transformers import StaticCache

import eosdsl
from eosdsl.diagnostics import SpecError

AHEAD = "at layer 3: retain 25% by attention(query: text, layer: next) via merge"
NAMES = ("gemma3", "paligemma", "paligemma2", "aya_vision")
EVERY = [*SPECS, AHEAD]
LONG: dict[str, Any] = {"max_new_tokens": 13}  # more than a window of the tiny models


def matrix() -> list[Any]:
    """All specs on Gemma 3, whose masks, windows, blocks and rotations all differ by layer; the others in turn."""
    quick = {("gemma3", 1), ("gemma3", 3), ("paligemma", 1), ("paligemma2", 2), ("aya_vision", 0)}
    return [
        pytest.param(name, spec, marks=() if (name, place) in quick else pytest.mark.slow)
        for name in NAMES
        for place, spec in enumerate(EVERY)
    ]


def prompts(name: str) -> Any:
    family = FAMILIES[name]
    parts = ([3, "usual", 5], [1, "usual", 2, "usual", 9], [25])
    return batch([family.prompt(one, number) for number, one in enumerate(parts)])


def built(name: str) -> Any:
    return FAMILIES[name].build(FAMILIES[name].attentions[0])


@pytest.mark.parametrize(("name", "spec"), matrix())
def test_static_equals_dynamic(name: str, spec: str) -> None:
    together = prompts(name)
    with eosdsl.compile(fitting(spec, FAMILIES[name]), built(name)) as compiled:
        static = logits(compiled, together, cache_implementation="static", **LONG)
        torch.testing.assert_close(static, logits(compiled, together, **LONG), atol=2e-4, rtol=2e-4)


@pytest.mark.parametrize("name", ["gemma3", pytest.param("paligemma", marks=pytest.mark.slow)])
def test_beams_reorder_it(name: str) -> None:
    asked: dict[str, Any] = {
        "max_new_tokens": 5,
        "num_beams": 3,
        "do_sample": False,
        "suppress_tokens": [99, 98, 97, 96],
    }
    with eosdsl.compile(SPECS[1], built(name)) as compiled:
        expected = compiled.generate(**prompts(name), **asked)
        assert torch.equal(compiled.generate(**prompts(name), **asked, cache_implementation="static"), expected)


def test_layers_have_room_for_what_they_hold() -> None:
    """Sliding layers keep all rows, as `plan` counts them: what is gone of 16 visual tokens takes no room."""
    model = built("gemma3")
    inputs = FAMILIES["gemma3"].prompt([3, "usual", 5])
    with eosdsl.compile("at layer 2: retain 25%", model) as compiled:
        cache: Any = StaticCache(model.config, max_cache_len=40)
        compiled(**inputs, past_key_values=cache)
        assert [layer.keys.shape[2] for layer in cache.layers] == [40, 40, 28, 28, 28]
        length = inputs["input_ids"].shape[1]
        assert [int(layer.cumulative_length) for layer in cache.layers] == [length] * 2 + [length - 12] * 3


def test_turns_on_it() -> None:
    """Another question, then another image: as with a cache that grows. An image sees itself only, wherever it is."""
    family = FAMILIES["gemma3"]
    first, second = family.prompt([3, "usual", 5], 1), family.prompt([2, "usual", 4], 2)
    later = {name: value[:, 1:] if name in ("input_ids", "token_type_ids") else value for name, value in second.items()}
    del later["attention_mask"]
    said: list[list[torch.Tensor]] = []
    with eosdsl.compile(
        "at layer 0: retain 75% by norm(hidden)\nat layer 2: retain 25% via merge", built("gemma3")
    ) as c:
        for cache in (None, StaticCache(c.config, max_cache_len=90)):
            out = c(**first, past_key_values=cache)
            past = out.past_key_values
            asked = c(input_ids=torch.tensor([[5, 6, 7]]), past_key_values=past)
            shown = c(**later, past_key_values=past)
            last = c(input_ids=torch.tensor([[8]]), past_key_values=past)
            said.append([one.logits[0, -1] for one in (out, asked, shown, last)])
    for grown, fixed in zip(*said, strict=True):
        torch.testing.assert_close(fixed, grown, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["gemma3", pytest.param("paligemma", marks=pytest.mark.slow)])
def test_decoding_is_one_compiled_graph(name: str) -> None:
    torch.compiler.reset()
    graphs, compiled_decoding = counted_graphs()
    together = prompts(name)
    with eosdsl.compile(SPECS[1], built(name)) as compiled:
        expected = logits(compiled, together, **LONG)
        for _ in range(2):
            found = logits(compiled, together, **compiled_decoding, **LONG)
            torch.testing.assert_close(found, expected, atol=2e-4, rtol=2e-4)
    assert len(graphs) == 1


def test_a_cache_of_whole_windows_is_refused_and_a_smaller_one_is_not() -> None:
    """Where all layers slide it has room for a window, which does not say for how many rows it was made."""
    model = built("mistral3_sliding")
    inputs = FAMILIES["mistral3_sliding"].prompt([3, "usual", 5])
    with eosdsl.compile("at layer 2: retain 25%", model) as compiled:
        with pytest.raises(SpecError) as caught:
            compiled.generate(**inputs, max_new_tokens=2, cache_implementation="static")
        assert caught.value.diagnostics[0].code == "E0433"
        assert "all slide" in caught.value.diagnostics[0].message
        assert compiled.generate(**inputs, max_new_tokens=2).shape[1] == inputs["input_ids"].shape[1] + 2
        short = FAMILIES["mistral3_sliding"].prompt([5])
        static = StaticCache(model.config, max_cache_len=9)
        found = compiled(**short, past_key_values=static).logits
        torch.testing.assert_close(found, compiled(**short).logits, atol=1e-5, rtol=1e-5)
