"""Reductions in towers whose tiles are put together behind the projector: padding is cut off, newlines stay."""

from __future__ import annotations

from functools import cache
from math import ceil
from typing import Any

import pytest
import torch
from every_family import FAMILIES
from families import Inputs, batch
from joined_reference import Rows, Tower, best, merged, norms
from joined_towers import PACKED
from test_family_laws import logits
from transformers.models.llava_next.modeling_llava_next import unpad_image

import eosdsl
from eosdsl.diagnostics import SpecError
from eosdsl.lowering.record import record

SPECS = {
    "middle": "at encoder layer 0 after attention: remove 5 tokens pick bipartite(on: keys) via merge(weight: size)"
    " with proportional_attention\nat layer 2: retain 50% of incoming",
    "both": "at encoder layer 0 after attention: retain 40% by {asked} via merge(similarity: cosine(keys))\n"
    "at encoder output: retain 20% by attention(query: all) via prune\nat layer 2: retain 5 tokens",
    "adaptive": "at encoder output: retain mass 60% by norm(hidden) via merge\nat layer 2: retain 50% of incoming",
}
each_family = pytest.mark.parametrize("name", PACKED)
NEWLINE = -1


@cache
def model_of(name: str, attention: str = "sdpa") -> Any:
    return FAMILIES[name].build(attention)


def spec_of(kind: str, name: str) -> str:
    return SPECS[kind].format(asked=f"attention(query: {'cls' if name == 'llava_next' else 'visual'})")


def prompts(name: str) -> list[Inputs]:
    family = FAMILIES[name]
    parts = ([3, "usual", 5], [1, "wide", 2, "usual", "thin", 4], [2, "thin", 4], [7])
    return [family.prompt(one, number) for number, one in enumerate(parts)]


def encode(model: Any, inputs: Inputs) -> Any:
    given = {key: inputs[key] for key in ("pixel_values", "image_sizes")}
    with torch.no_grad():
        return model.model.get_image_features(**given, return_dict=True).pooler_output


def tower_of(name: str, model: Any, inputs: Inputs) -> tuple[Tower, list[int]]:
    """The tower with the one image of a prompt in front of its first layer, and what its rows in the decoder are:
    places of newlines have no patch.
    """
    tower, calls = model.model.vision_tower, list[Any]()
    layers = list(tower.encoder.layers)
    hook = layers[0].register_forward_pre_hook(lambda _, args: calls.append(args[0]))
    encode(model, inputs)
    hook.remove()
    (hidden,) = calls
    tiles, length, _ = hidden.shape
    lead = 1 if name == "llava_next" else 0
    rows = torch.arange(tiles * length).view(tiles, length)[:, lead:].view(tiles, 4, 4)
    down, across = {3: (1, 2), 5: (2, 2)}[tiles]
    whole = torch.cat([torch.cat(list(band), dim=1) for band in rows[1:].unflatten(0, (down, across))])
    cut = unpad_image(whole[None], inputs["image_sizes"][0])[0]
    laid = [*rows[0].flatten().tolist(), *(number for row in cut.tolist() for number in (*row, NEWLINE))]
    tokens = {place: [number] for place, number in enumerate(laid) if number != NEWLINE}
    see = torch.block_diag(*[torch.ones(length, length)] * tiles).bool()
    running = layers[:1] if name == "llava_next" else layers
    project = model.model.multi_modal_projector
    return Tower(running, [see] * len(running), None, lambda own: project(own)[0], hidden.flatten(0, 1), tokens), laid


@each_family
@pytest.mark.parametrize("kind", SPECS)
def test_batch_equals_singles_and_cached_equals_uncached(name: str, kind: str) -> None:
    together = batch(prompts(name))
    with eosdsl.compile(spec_of(kind, name), model_of(name)) as compiled:
        out = logits(compiled, together)
        torch.testing.assert_close(out, logits(compiled, together, use_cache=False), atol=2e-4, rtol=2e-4)
        for row, one in enumerate(prompts(name)):
            torch.testing.assert_close(out[row], logits(compiled, one)[0], atol=2e-4, rtol=2e-4)
    with eosdsl.compile(spec_of(kind, name), model_of(name, "eager")) as compiled:
        torch.testing.assert_close(logits(compiled, together), out, atol=2e-4, rtol=2e-4)


@each_family
def test_counts_are_those_of_the_plan_and_of_images_of_other_sizes(name: str) -> None:
    usual, thin = prompts(name)[0], prompts(name)[2]
    with eosdsl.compile(spec_of("middle", name), model_of(name)) as compiled:
        assert _held(compiled, name, usual) == compiled.plan.tokens_per_layer
        # 16 patches of the base view and 8 rows of 6 and a newline: 5 patches go, newlines stay
        assert _held(compiled, name, thin) == (72 - 5, 72 - 5, 34, 34, 34)


def _held(compiled: Any, name: str, inputs: Inputs) -> tuple[int, ...]:
    text = int(FAMILIES[name].text_rows(inputs).sum())
    return tuple(layer.keys.shape[2] - text for layer in compiled(**inputs).past_key_values.layers)


@each_family
def test_a_budget_beyond_what_there_is_changes_nothing(name: str) -> None:
    model, together = model_of(name), batch(prompts(name))
    full = model(**together).logits
    with eosdsl.compile("at encoder layer 0: retain 100%\nat encoder output: retain 100%", model) as compiled:
        assert torch.equal(compiled(**together).logits, full)
    with eosdsl.compile("at encoder layer 0: retain 900 tokens by norm(hidden)", model) as compiled:
        torch.testing.assert_close(compiled(**together).logits, full, atol=1e-5, rtol=1e-5)
    assert torch.equal(model(**together).logits, full)


@each_family
@pytest.mark.parametrize("seen", ["usual", "wide", "thin"])
def test_merging_inside_is_the_plain_loop(name: str, seen: str) -> None:
    """Across tiles, by the tokens that the decoder gets; patches that are cut off are looked at and never taken in."""
    inputs, model = FAMILIES[name].prompt([3, seen, 5], 3), model_of(name, "eager")
    tower, laid = tower_of(name, model, inputs)
    with torch.no_grad():
        rows: Rows = tower.start()
        kept = best(norms(rows), ceil(len(rows.tokens) * 2 / 5))
        rows = merged(rows, kept)
        for index in range(len(tower.layers)):
            rows, _ = tower.run(rows, index)
        expected = tower.features(rows)
    spec = "at encoder layer 0: retain 40% by norm(hidden) via merge(weight: size)"
    with eosdsl.compile(spec, model) as compiled, record(compiled) as records:
        (out,) = encode(model, inputs)
    assert len(out) == len(laid)
    assert list(records[0].images[0].kept) == kept
    torch.testing.assert_close(out[kept], expected, atol=1e-5, rtol=1e-4)
    newlines = [place for place, number in enumerate(laid) if number == NEWLINE]
    assert torch.equal(out[newlines], model.model.image_newline.expand(len(newlines), -1))


def test_frames_of_a_video_are_refused_and_so_is_what_is_scaled_down() -> None:
    model = model_of("llava_onevision")
    family = FAMILIES["llava_onevision"]
    large = family.prompt([3, "usual", 5])
    with eosdsl.compile("at encoder output: retain 50% by norm(hidden)", model) as compiled:
        with pytest.raises(SpecError) as caught:
            compiled(**family.prompt([3, "video", 5]))
        assert "video" in caught.value.diagnostics[0].message
        with pytest.raises(SpecError) as caught:
            model.model.get_image_features(
                pixel_values=large["pixel_values"], image_sizes=large["image_sizes"], vision_aspect_ratio="anyres_max_1"
            )
        assert "scaled down" in caught.value.diagnostics[0].message
