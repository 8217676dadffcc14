"""Learned scores: DynamicViT in a tower, alone and in the decoder, against its predictor in plain torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from eager_reference import Reference, Rows, pick
from encoder_reference import last_rows
from learned_reference import best_by, drawn, keeping, numbers_of, share
from test_batches import MIXED, logits
from test_fastv_reference import FORCED, steps
from test_image_encoders import ENCODERS, answer, model_of, pixels
from test_tower import towered
from tiny_models import TOKENS, batch, prompt, tiny_llava
from torch.utils.flop_counter import FlopCounterMode
from tower_reference import tower_features

import eosdsl
from eosdsl.cost.learned import asked_by, learned_parameters
from eosdsl.diagnostics import SpecError
from eosdsl.lowering.export import export_torch

pytestmark = pytest.mark.filterwarnings("ignore:W0459")

ALONE = "at encoder layers 1, 2, 3: retain 70%, 49%, 34.3% by learned(predictor) via prune"
TOWER = "at encoder layers 1, 2: retain 70%, 49% by learned(predictor) via prune"
DECODER = "at layers 1, 3: retain 50%, 25% by learned(worth) via prune"
both = pytest.mark.parametrize("attention", ["sdpa", "eager"])


def compiled(spec: str, model: Any, seed: int = 3) -> Any:
    made = eosdsl.compile(spec, model)
    drawn(made.learned, seed)
    return made


@both
@pytest.mark.parametrize("name", ["vit", "clip", "siglip", "registers"])
def test_dynamicvit_on_an_encoder(name: str, attention: str) -> None:
    model, alone = model_of(name, attention), ENCODERS[name]
    layers = list(alone.layers(model))
    with compiled(ALONE, model) as made:
        states = made(pixels(), output_hidden_states=True).hidden_states[-1]
        sites = {
            layer: best_by(numbers_of(made.learned, f"encoder_layer_{layer}:predictor"), share(16, of))
            for layer, of in ((1, 0.7), (2, 0.49), (3, 0.343))
        }
    for place, one in enumerate(alone.embedded(model, pixels())):
        expected = last_rows(layers, one, alone.leading, {}, 0.0, sites)
        torch.testing.assert_close(states[place], expected.hidden, atol=1e-5, rtol=1e-4)
    assert states.shape[1] == alone.leading + 6


def test_an_encoder_answers_a_batch_as_it_answers_singles() -> None:
    with compiled(ALONE, model_of("vit")) as made:
        together = answer(made(pixels()))
        for place, one in enumerate(pixels()):
            torch.testing.assert_close(together[place], answer(made(one[None]))[0], atol=1e-5, rtol=1e-5)


@both
def test_dynamicvit_in_a_tower(attention: str) -> None:
    model, p = towered(attention), prompt([4, 0, 6], 2)
    assert p.pixel_values is not None
    with compiled(TOWER, model) as made:
        found = steps(made, p.inputs(), FORCED)
        sites = {
            layer: best_by(numbers_of(made.learned, f"encoder_layer_{layer}:predictor"), share(TOKENS, of))
            for layer, of in ((1, 0.7), (2, 0.49))
        }
    features = tower_features(model, p.pixel_values[0], sites)
    torch.testing.assert_close(found, Reference(model, {}, features=features).logits(p, FORCED), atol=2e-4, rtol=2e-4)


@both
def test_learned_scores_in_the_decoder(attention: str) -> None:
    model, p = tiny_llava(attention), prompt([4, 0, 6], 1)

    def site(key: str, count: int) -> Any:
        tensors = numbers_of(made.learned, key)

        def reduce(rows: Rows) -> Rows:
            own = rows.visual.nonzero()[:, 0]
            kept = own[keeping(tensors, rows.hidden[own]).topk(count).indices]
            return pick(rows, torch.cat([(~rows.visual).nonzero()[:, 0], kept]).sort().values)

        return reduce

    with compiled(DECODER, model) as made:
        found = steps(made, p.inputs(), FORCED)
    expected = Reference(model, {1: site("layer_1:worth", 8), 3: site("layer_3:worth", 4)}).logits(p, FORCED)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("spec", [TOWER, DECODER, "at encoder output: retain 50% by learned(p)"])
def test_padding_several_images_and_no_cache(spec: str) -> None:
    prompts = list(MIXED)
    with compiled(spec, towered()) as made:
        together = logits(made, batch(prompts))
        for row, one in enumerate(prompts):
            torch.testing.assert_close(together[row], logits(made, one)[0], atol=1e-4, rtol=1e-4)
        more: dict[str, Any] = {"max_new_tokens": 3, "do_sample": False}
        cached, uncached = (made.generate(**batch(prompts).inputs(), use_cache=use, **more) for use in (True, False))
    assert torch.equal(cached, uncached)


@pytest.mark.parametrize("place", ["encoder layer 1", "encoder output", "layer 2"])
def test_retaining_all_is_the_model(place: str) -> None:
    model, p = towered(), prompt([4, 0, 6], 2)
    full = logits(model, p)
    with compiled(f"at {place}: retain 100% by learned(p)", model) as made:
        assert torch.equal(logits(made, p), full)


def test_a_model_in_half_precision_chooses_by_scores_in_full() -> None:
    """Predictors stay float32: what is chosen is the best by the reference, of the rows that the model brings."""
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    with compiled(DECODER, tiny_llava(dtype=torch.bfloat16)) as made:
        made.learned["layer_1:worth"].register_forward_hook(lambda _, args, out: seen.append((args[0], out)))
        assert logits(made, prompt([4, 0, 6], 1)).isfinite().all()
        tensors = numbers_of(made.learned, "layer_1:worth")
    hidden, scores = seen[0]
    assert hidden.dtype == torch.bfloat16 and scores.dtype == torch.float32
    torch.testing.assert_close(scores[0], keeping(tensors, hidden[0]))


def test_an_image_that_others_pad_is_scored_by_its_own_rows() -> None:
    from eosdsl.operators.local_global import LocalGlobal

    network = LocalGlobal().build(8, seed=1)
    hidden = torch.randn(1, 5, 8)
    alone = network(hidden[:, :3], torch.ones(1, 3))
    beside = network(hidden, torch.tensor([[1.0, 1, 1, 0, 0]]))
    torch.testing.assert_close(beside[:, :3], alone)


def test_every_site_has_numbers_of_its_own_and_the_plan_counts_them() -> None:
    with compiled(TOWER + "\nat layer 2: retain 25% by learned(worth) + norm(hidden)", towered()) as made:
        assert list(made.learned) == ["encoder_layer_1:predictor", "encoder_layer_2:predictor", "layer_2:worth"]
        count = sum(number.numel() for number in made.learned.parameters())
        assert count == made.plan.learned_parameters == learned_parameters(asked_by(made.schedule))
        assert not {id(n) for n in made.learned.parameters()} & {id(n) for n in made.model.parameters()}
        one = asked_by(made.schedule)[0]
        with FlopCounterMode(display=False) as counter:
            made.learned[one.key](torch.randn(1, 16, one.width), torch.ones(1, 16))
        assert counter.get_total_flops() == 2 * one.network.macs(16, one.width)
    assert eosdsl.plan("at layer 2: retain 50%", "llava").learned_parameters == 0
    one = 2 * 1024 + 1025 * 1024 + 1025 * 512 + 513 * 256 + 257 * 2
    assert eosdsl.plan("specs/methods/dynamicvit.eos", "llava").learned_parameters == 3 * one


def test_what_is_drawn_is_the_same_each_time_and_a_warning_says_so() -> None:
    with pytest.warns(UserWarning, match="W0459: learned scores have not been trained: layer_1:worth, layer_3:worth"):
        first = eosdsl.compile(DECODER, tiny_llava())
    torch.manual_seed(99)
    second = eosdsl.compile(DECODER, tiny_llava(seed=5))
    pairs = zip(first.learned.state_dict().values(), second.learned.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    own = first.learned.state_dict()
    assert not torch.equal(*(own[f"layer_{i}:worth.in_conv.1.weight"] for i in (1, 3)))
    drawn(first.learned)
    assert first.warnings == [] and [one.code for one in second.warnings] == ["W0459"]
    assert second.warnings[0].span is not None


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda t: t.pop("layer_1:worth.in_conv.1.bias"), "missing"),
        (lambda t: t.update(other=torch.ones(1)), "no `other`"),
        (lambda t: t.update({"layer_1:worth.in_conv.1.bias": torch.ones(7)}), r"\[7\], and \[32\]"),
        (lambda t: t.update({"layer_1:worth.in_conv.1.bias": torch.full((32,), float("nan"))}), "finite"),
        (lambda t: t.update({"layer_1:worth.in_conv.1.bias": torch.ones(32, dtype=torch.int64)}), "finite"),
        (lambda t: t.update({"layer_1:worth.in_conv.1.bias": 3}), "tensors by name"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(damage: Any, said: str) -> None:
    model = tiny_llava()
    with eosdsl.compile(DECODER, model) as made:
        tensors = dict(made.learned.state_dict())
    damage(tensors)
    with pytest.raises(SpecError, match=said) as caught:
        eosdsl.compile(DECODER, model, learned=tensors)
    assert caught.value.diagnostics[0].code == "E0459"
    assert eosdsl.compile("at layer 1: retain 50%", model).detach() is model


def test_numbers_for_a_spec_that_learns_nothing_are_refused() -> None:
    with pytest.raises(SpecError, match="nothing here is learned"):
        eosdsl.compile("at layer 1: retain 50%", tiny_llava(), learned={"layer_1:p": torch.ones(1)})


def test_a_compiled_graph_asks_its_networks_without_a_break() -> None:
    p = batch(list(MIXED))
    torch.compiler.reset()
    with compiled(DECODER, tiny_llava()) as made:
        expected = logits(made, p)
        made.graph.compile(backend="eager", fullgraph=True)
        torch.testing.assert_close(logits(made, p), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_exported_prefill_holds_its_networks(tmp_path: Path) -> None:
    with compiled(DECODER, tiny_llava()) as made:
        export_torch(made, tmp_path / "prefill.pt2")  # which compares it with the model
        program = torch.export.load(tmp_path / "prefill.pt2")
    held = [one for one in (*program.state_dict.values(), *program.constants.values()) if isinstance(one, torch.Tensor)]
    own = made.learned.state_dict()["layer_1:worth.in_conv.1.weight"]
    assert any(one.shape == own.shape and torch.equal(one, own) for one in held)
