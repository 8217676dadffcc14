"""FastV (arXiv 2403.06764) against a second implementation written from the paper, prefill and decoding."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil
from typing import Any

import pytest
import torch
from eager_reference import Reference, Rows, pick
from tiny_models import IMAGE, LAST, LAYERS, TOKENS, call, program, prompt, ratio, step, tiny_llava

from eosdsl.lowering.compile import compile

FORCED = [7, 42, 13]


def fastv(rows: Rows, share: Fraction) -> Rows:
    """Rank visual tokens by the last row's attention in the layer before, mean over heads; drop the rest."""
    assert rows.attention is not None
    visual = rows.visual.nonzero()[:, 0]
    importance = rows.attention[:, -1, visual].mean(dim=0)
    kept = visual[importance.topk(ceil(TOKENS * share)).indices]
    text = (~rows.visual).nonzero()[:, 0]
    return pick(rows, torch.cat([text, kept]).sort().values)


def steps(model: Any, inputs: dict[str, Any], forced: list[int]) -> torch.Tensor:
    """Logits of the last row after the prompt and after each forced token, through the model's forward."""
    out = model(**inputs)
    rows, mask = [out.logits[0, -1]], inputs["attention_mask"]
    for token in forced:
        mask = torch.cat([mask, torch.ones(1, 1, dtype=torch.long)], dim=1)
        one = torch.tensor([[token]])
        out = model(input_ids=one, attention_mask=mask, past_key_values=out.past_key_values)
        rows.append(out.logits[0, -1])
    return torch.stack(rows)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize(("kv_heads", "text"), [(4, "llama"), (2, "llama"), (1, "qwen2")])
def test_logits_equal_those_of_the_paper(attention: str, kv_heads: int, text: str) -> None:
    model = tiny_llava(attention, kv_heads, text)
    for seed, parts in enumerate(([4, 0, 6], [1, 0, 3], [9, 0, 2])):
        p = prompt(parts, seed)
        expected = Reference(model, {2: lambda rows: fastv(rows, Fraction(1, 2))}).logits(p, FORCED)
        with compile(program(step(2, ratio("1/2"), LAST)), model) as compiled:
            found = steps(compiled, p.inputs(), FORCED)
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_reference_is_the_full_model_without_sites() -> None:
    model = tiny_llava(kv_heads=2)
    p = prompt([4, 0, 6])
    expected = Reference(model, {}).logits(p, FORCED)
    torch.testing.assert_close(steps(model, p.inputs(), FORCED), expected, atol=1e-4, rtol=1e-4)


def test_reduction_changes_the_logits() -> None:
    """Otherwise the tests above would compare nothing."""
    model = tiny_llava()
    p = prompt([4, 0, 6])
    full = steps(model, p.inputs(), FORCED)
    with compile(program(step(2, ratio("1/2"), LAST)), model) as compiled:
        assert (steps(compiled, p.inputs(), FORCED) - full).abs().max() > 0.05


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_one_step_after_another(attention: str) -> None:
    """Budgets are of the original tokens; the second site ranks what the first left."""
    model = tiny_llava(attention)
    p = prompt([5, 0, 4], 3)
    sites = {1: lambda r: fastv(r, Fraction(3, 4)), 3: lambda r: fastv(r, Fraction(1, 4))}
    expected = Reference(model, sites).logits(p, FORCED)
    with compile(program(step([1, 3], [ratio("3/4"), ratio("1/4")])), model) as compiled:
        torch.testing.assert_close(steps(compiled, p.inputs(), FORCED), expected, atol=1e-4, rtol=1e-4)


def test_looking_ahead() -> None:
    """PyramidDrop's probe (arXiv 2410.17247): attention of the layer about to run, from the rows about to enter it."""

    def pyramiddrop(rows: Rows) -> Rows:
        return fastv(replace(rows, attention=rows.ahead), Fraction(1, 4))

    model = tiny_llava(kv_heads=2)
    p = prompt([5, 0, 4], 5)
    by = call("attention", query="last", layer="next")
    for layer in (0, 3, LAYERS - 1):
        expected = Reference(model, {layer: pyramiddrop}).logits(p, FORCED)
        with compile(program(step(layer, ratio("1/4"), by)), model) as compiled:
            torch.testing.assert_close(steps(compiled, p.inputs(), FORCED), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("query", ["text", "all"])
def test_other_query_rows(query: str) -> None:
    def ranked(rows: Rows) -> Rows:
        assert rows.attention is not None
        visual = rows.visual.nonzero()[:, 0]
        asked = torch.arange(len(rows.hidden))
        if query == "text":
            asked = asked[(~rows.visual) & (asked > visual[-1])]
        importance = rows.attention[:, asked][:, :, visual].mean(dim=(0, 1))
        kept = visual[importance.topk(TOKENS // 4).indices]
        return pick(rows, torch.cat([(~rows.visual).nonzero()[:, 0], kept]).sort().values)

    model = tiny_llava()
    p = prompt([5, 0, 4], 6)
    expected = Reference(model, {2: ranked}).logits(p, FORCED)
    with compile(program(step(2, ratio("1/4"), call("attention", query=query))), model) as compiled:
        torch.testing.assert_close(steps(compiled, p.inputs(), FORCED), expected, atol=1e-4, rtol=1e-4)


def images_of(rows: Rows) -> list[torch.Tensor]:
    """The visual rows, image by image: here images are apart from each other by text."""
    visual = rows.visual.nonzero()[:, 0].tolist()
    runs: list[list[int]] = []
    for row in visual:
        if runs and row == runs[-1][-1] + 1:
            runs[-1].append(row)
        else:
            runs.append([row])
    return [torch.tensor(run) for run in runs]


@pytest.mark.parametrize("query", ["last", "text", "visual"])
def test_two_images_each_on_its_own(query: str) -> None:
    """Budgets, rankings and the question behind an image are each image's own."""

    def ranked(rows: Rows) -> Rows:
        assert rows.attention is not None
        kept = [(~rows.visual).nonzero()[:, 0]]
        every = torch.arange(len(rows.hidden))
        for image in images_of(rows):
            asked = {
                "last": every[-1:],
                "text": every[~rows.visual & (every > image[-1])],
                "visual": image,
            }[query]
            importance = rows.attention[:, asked][:, :, image].mean(dim=(0, 1))
            kept.append(image[importance.topk(5).indices])
        return pick(rows, torch.cat(kept).sort().values)

    model = tiny_llava(kv_heads=2)
    p = prompt([3, 0, 4, 0, 5], 8)
    expected = Reference(model, {2: ranked, 4: ranked}).logits(p, FORCED)
    by = call("attention", query=query)
    with compile(program(step([2, 4], ratio("5/16"), by)), model) as compiled:
        torch.testing.assert_close(steps(compiled, p.inputs(), FORCED), expected, atol=1e-4, rtol=1e-4)


def test_raters_of_sparsevlm() -> None:
    """arXiv 2410.04417: text rows that the image's embedded tokens point to more than to the average one rate."""
    model = tiny_llava()
    p = prompt([3, 0, 7], 9)
    ids = p.input_ids[0]
    embedded = model.get_input_embeddings()(ids)
    image = (ids == IMAGE).nonzero()[:, 0]
    embedded[image] = model.get_image_features(pixel_values=p.pixel_values, return_dict=True).pooler_output[0]
    text = torch.arange(int(image[-1]) + 1, len(ids))
    told = (embedded[image] @ embedded[text].T).softmax(dim=1).mean(dim=0)
    raters = text[told > told.mean()]
    assert 0 < len(raters) < len(text)

    def ranked(rows: Rows) -> Rows:
        assert rows.attention is not None
        visual = rows.visual.nonzero()[:, 0]
        gone = len(ids) - len(rows.hidden)
        importance = rows.attention[:, raters - gone][:, :, visual].mean(dim=(0, 1))
        kept = visual[importance.topk(TOKENS // 4 if gone == 0 else 2).indices]
        return pick(rows, torch.cat([(~rows.visual).nonzero()[:, 0], kept]).sort().values)

    expected = Reference(model, {2: ranked, 4: ranked}).logits(p, FORCED)
    spec = step([2, 4], [ratio("1/4"), ratio("1/8")], call("attention", query="raters"))
    with compile(program(spec), model) as compiled:
        torch.testing.assert_close(steps(compiled, p.inputs(), FORCED), expected, atol=1e-4, rtol=1e-4)


def test_attention_of_an_earlier_layer_by_number() -> None:
    """Across a cut: tokens are followed back to where they stood when that layer ran."""
    seen: dict[int, torch.Tensor] = {}

    def first(rows: Rows) -> Rows:
        left = fastv(rows, Fraction(1, 2))
        assert rows.attention is not None
        kept = [int(position) for position in left.positions]
        seen[1] = rows.attention[:, -1][:, kept].mean(dim=0)
        return left

    def second(rows: Rows) -> Rows:
        visual = rows.visual.nonzero()[:, 0]
        kept = visual[seen[1][visual].topk(3).indices]
        return pick(rows, torch.cat([(~rows.visual).nonzero()[:, 0], kept]).sort().values)

    model = tiny_llava()
    p = prompt([3, 0, 7], 10)
    expected = Reference(model, {2: first, 4: second}).logits(p, FORCED)
    spec = program(step(2, ratio("1/2"), LAST), step(4, ratio("3/16"), call("attention", query="last", layer=1)))
    with compile(spec, model) as compiled:
        torch.testing.assert_close(steps(compiled, p.inputs(), FORCED), expected, atol=1e-4, rtol=1e-4)
