"""Reductions in towers whose patches are joined behind them: whole groups of patches go, stay and take others in."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import ceil
from typing import Any

import pytest
import torch
from every_family import FAMILIES
from families import Inputs, batch
from joined_reference import Rows, best, merged, norms, pruned, received, rows_of
from joined_towers import JOINED, QWEN, encode, model_of, tower_of
from test_family_laws import WANTED, logits

import eosdsl
from eosdsl.lowering.record import record

each_family = pytest.mark.parametrize("name", JOINED)
SPECS = {
    "inside": "at encoder layer 1: retain 40% by attention(query: visual) via merge(similarity: cosine(keys))\n"
    "at encoder output: retain 20% by attention(query: all) via prune",
    "between": "at encoder layers 0..1 after attention: remove 1 tokens pick bipartite(on: keys) via merge"
    " with proportional_attention\nat layer 2: retain 3 tokens",
    "output": "at encoder output: retain 3 tokens by norm(hidden) via mix(merge, prune)",
    "adaptive": "at encoder layer 1: retain mass 60% by norm(values) via merge\nat layer 2: retain 50% of incoming",
    "extra": "at encoder layer 1: retain 2 tokens by norm(keys) via prune\n"
    "  and retain 1 token by attention(query: visual) pick extra via merge(weight: score)",
}
each_spec = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS.keys())


@cache
def shared(name: str) -> Any:
    return model_of(name)


def prompts(name: str) -> list[Inputs]:
    """Other sizes, videos where the family has them, several images, none."""
    family = FAMILIES[name]
    seen = [family.usual, *family.others]
    every = [family.prompt([3, one, 5 + 2 * number], number) for number, one in enumerate(seen)]
    return [*every, family.prompt([1, seen[-1], 2, seen[0], seen[0], 4], 9), family.prompt([7], 8)]


def seen_by(name: str) -> Iterator[Inputs]:
    family = FAMILIES[name]
    yield family.prompt([3, family.usual, 5], 3)
    if "video" in family.others:
        yield family.prompt([3, "video", 5], 4)


@each_family
@each_spec
def test_batch_equals_singles_and_cached_equals_uncached(name: str, spec: str) -> None:
    together = batch(prompts(name))
    with eosdsl.compile(spec, shared(name)) as compiled:
        out = logits(compiled, together)
        torch.testing.assert_close(out, logits(compiled, together, use_cache=False), atol=2e-4, rtol=2e-4)
        for row, one in enumerate(prompts(name)):
            torch.testing.assert_close(out[row], logits(compiled, one)[0], atol=2e-4, rtol=2e-4)


@each_family
def test_eager_equals_sdpa_and_beams_carry_what_was_reduced(name: str) -> None:
    if len(FAMILIES[name].attentions) < 2:
        pytest.skip("one implementation only")
    together = batch(prompts(name))
    asked = {key: WANTED[key] for key in ("suppress_tokens", "max_new_tokens", "do_sample")}
    with eosdsl.compile(SPECS["between"], shared(name)) as compiled:
        out = logits(compiled, together)
        cached = compiled.generate(**together, **asked, num_beams=2)
        assert torch.equal(cached, compiled.generate(**together, **asked, num_beams=2, use_cache=False))
    with eosdsl.compile(SPECS["between"], model_of(name, "eager")) as compiled:
        torch.testing.assert_close(logits(compiled, together), out, atol=2e-4, rtol=2e-4)


@each_family
def test_counts_are_those_of_the_plan(name: str) -> None:
    inputs = next(seen_by(name))
    text = int(FAMILIES[name].text_rows(inputs).sum())
    visual = int(inputs["input_ids"].shape[1]) - text
    for spec in (SPECS["inside"], SPECS["between"], SPECS["output"]):
        with eosdsl.compile(spec, shared(name)) as compiled, record(compiled) as records:
            layers = compiled(**inputs).past_key_values.layers
            known = compiled.schedule.model
            assert known.encoder is not None
            usual = known.model_copy(
                update={"visual_tokens": visual, "encoder": known.encoder.model_copy(update={"patches": None})}
            )
            plan = eosdsl.plan(eosdsl.parse(spec), usual)
        assert tuple(layer.keys.shape[2] - text for layer in layers) == plan.tokens_per_layer
        in_tower = [len(one.images[0].kept) for one in records if one.site.stream != "decoder"]
        assert in_tower[-1] == plan.tokens_per_layer[0]


@each_family
def test_a_budget_beyond_what_there_is_changes_nothing(name: str) -> None:
    """The reducers are there, and a whole grid passes what joins it; retaining all is the model bit for bit."""
    model, together = shared(name), batch(prompts(name))
    full = model(**together).logits
    with eosdsl.compile("at encoder layers 0, 1: retain 100%\nat encoder output: retain 100%", model) as compiled:
        assert torch.equal(compiled(**together).logits, full)
    with eosdsl.compile("at encoder layers 0, 1: retain 400 tokens by norm(hidden)", model) as compiled:
        torch.testing.assert_close(compiled(**together).logits, full, atol=1e-5, rtol=1e-5)
    assert torch.equal(model(**together).logits, full)


@each_family
def test_pruning_at_the_output_is_pruning_at_the_input(name: str) -> None:
    """By features that are the same: what is never joined is what the decoder never sees, at the same positions."""
    model, inputs = shared(name), prompts(name)[-2]
    with eosdsl.compile("at encoder output: retain 30% by random(seed: 5) via prune", model) as compiled:
        early = compiled(**inputs).logits
    with eosdsl.compile("at input: retain 30% by random(seed: 5) via prune", model) as compiled:
        torch.testing.assert_close(compiled(**inputs).logits, early, atol=1e-4, rtol=1e-4)


@each_family
def test_what_is_pruned_inside_is_what_no_row_sees_any_more(name: str) -> None:
    """Against the whole tower in plain loops, with the rows of what was given up masked from that layer on."""
    for inputs in seen_by(name):
        model = model_of(name, "eager")
        tower = tower_of(name, model, inputs)
        with torch.no_grad():
            rows, weights = tower.run(tower.start(), 0)
            asking = rows_of(rows.tokens)
            kept = best(received(rows, weights, asking), ceil(0.4 * len(rows.tokens)))
            rows = pruned(rows, kept)
            for index in range(1, len(tower.layers)):
                rows, _ = tower.run(rows, index)
            expected = tower.features(rows)
        with eosdsl.compile("at encoder layer 1: retain 40% by attention(query: visual) via prune", model):
            out = encode(model, inputs).pooler_output[0][kept]
        torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-4)


@each_family
def test_merging_inside_and_at_the_output_is_the_plain_loop(name: str) -> None:
    for inputs in seen_by(name):
        model = model_of(name, "eager")
        tower = tower_of(name, model, inputs)
        count = len(tower.tokens)
        late: list[Rows] = []
        with torch.no_grad():
            rows = tower.start()
            for index in range(len(tower.layers)):
                if index == 1:
                    kept = best(norms(rows), ceil(count / 2))
                    late, rows = [merged_alike(one, rows, kept) for one in late], merged(rows, kept)
                rows, _ = tower.run(rows, index)
                late.append(rows)
            kept = best(norms(rows), ceil(count / 4))
            expected = tower.features(pruned(rows, kept))
            early = [pruned(one, kept) for one in late]
        spec = (
            "at encoder layer 1: retain 50% by norm(hidden) via merge(weight: size)\n"
            "at encoder output: retain 25% by norm(hidden) via prune"
        )
        with eosdsl.compile(spec, model):
            out = encode(model, inputs)
        torch.testing.assert_close(out.pooler_output[0][kept], expected, atol=1e-5, rtol=1e-4)
        if name == "qwen3_vl":
            for merger, one, features in zip(
                model.model.visual.deepstack_merger_list, early, out.deepstack_features, strict=True
            ):
                joined = torch.stack([merger(one.hidden[own])[0] for own in one.tokens.values()])
                torch.testing.assert_close(features[0][kept], joined, atol=1e-5, rtol=1e-4)


def merged_alike(read: Rows, rows: Rows, kept: list[int]) -> Rows:
    """What an early layer said, merged as the rows of now are: by their likeness."""
    both = Rows(torch.cat([rows.hidden, read.hidden], dim=1), rows.tokens, rows.sizes)
    width = rows.hidden.shape[1]
    likeness = Rows(rows.hidden, rows.tokens, rows.sizes)
    both.side_by_side = likeness.side_by_side  # pyright: ignore[reportAttributeAccessIssue]
    left = merged(both, kept)
    return Rows(left.hidden[:, width:], left.tokens, left.sizes)


def test_the_first_row_of_each_tile_scores_its_own_tokens() -> None:
    """InternVL has a CLS in every tile: a token's score is the attention of its own tile's."""
    inputs = next(seen_by("internvl"))
    model = model_of("internvl", "eager")
    tower = tower_of("internvl", model, inputs)
    with torch.no_grad():
        rows, weights = tower.run(tower.start(), 0)
    scores = {token: float(weights[:, own[0] // 17 * 17][:, own].mean()) for token, own in rows.tokens.items()}
    with eosdsl.compile("at encoder layer 1: retain 7 tokens", model) as compiled, record(compiled) as records:
        compiled(**inputs)
    assert sorted(records[0].images[0].kept) == best(scores, 7)


def test_tiles_are_one_image_by_the_prompt() -> None:
    from eosdsl.diagnostics import SpecError

    model = shared("internvl")
    pixels = next(seen_by("internvl"))["pixel_values"]
    with eosdsl.compile("at encoder output: retain 3 tokens", model), pytest.raises(SpecError) as caught:
        model.model.get_image_features(pixel_values=pixels)
    assert caught.value.diagnostics[0].code == "E0432"


@pytest.mark.parametrize("name", QWEN)
def test_a_grid_picks_among_tokens(name: str) -> None:
    """Cells of 2 by 2 tokens, each of 2 by 2 patches; the decoder counts on from what a pick brought along."""
    inputs = next(seen_by(name))
    spec = "at encoder output: pick grid(2x2) via pool(within: window(2x2))\nat layer 2: retain 50% of incoming"
    with eosdsl.compile(spec, shared(name)) as compiled, record(compiled) as records:
        compiled(**inputs)
    assert [len(one.images[0].kept) for one in records if one.site.stream != "decoder"] == [4]
    assert [len(one.images[0].kept) for one in records][-1] == 2
    assert records[0].images[0].sizes == (4.0,) * 4
