"""Reduction in image encoders that stand alone: ViT, CLIP, SigLIP, DINOv2, and classifiers on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from encoder_reference import last_rows
from torch import Tensor
from tower_reference import Patches, keep, merged

import eosdsl
from eosdsl.diagnostics import SpecError
from eosdsl.lowering.record import record

LAYERS = 4
_SIZES: dict[str, Any] = {
    "hidden_size": 24,
    "intermediate_size": 32,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 4,
    "initializer_range": 0.25,
}
TOME = (
    "at encoder layers 0..3 after attention:\n"
    "  remove 2 tokens pick bipartite(on: keys) via merge(weight: size) with proportional_attention"
)
SPECS = [
    TOME,
    "at encoder layer 2: retain 50% by norm(hidden)",
    "at encoder layer 1: retain 25% by norm(hidden) via merge with attention_bias: log_size",
    "at encoder output: pick grid(2x2) via pool(within: window(2x2))",
]
each_spec = pytest.mark.parametrize("spec", SPECS, ids=["tome", "prune", "merge", "pool"])


@dataclass(frozen=True)
class Alone:
    """An encoder: how it is built; `leading` rows that are no patches; its layers and the rows that enter the first."""

    build: Callable[[], Any]
    leading: int
    layers: Callable[[Any], Any]
    embedded: Callable[[Any, Tensor], Tensor]


def _classifier() -> Any:
    from transformers import ViTConfig, ViTForImageClassification

    labels: dict[str, Any] = {**_SIZES, "num_labels": 7}
    return ViTForImageClassification(ViTConfig(**labels))


def _clip() -> Any:
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    return CLIPVisionModelWithProjection(CLIPVisionConfig(**_SIZES, projection_dim=12))


def _siglip() -> Any:
    from transformers import SiglipVisionConfig, SiglipVisionModel

    return SiglipVisionModel(SiglipVisionConfig(**_SIZES))


def _dinov2(registers: bool = False) -> Any:
    from transformers import Dinov2Config, Dinov2Model, Dinov2WithRegistersConfig, Dinov2WithRegistersModel

    sizes = {key: value for key, value in _SIZES.items() if key != "intermediate_size"}
    if registers:
        return Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**sizes, num_register_tokens=3, layerscale_value=0.7))
    return Dinov2Model(Dinov2Config(**sizes, layerscale_value=0.7))


ENCODERS = {
    "vit": Alone(_classifier, 1, lambda m: m.vit.layers, lambda m, x: m.vit.embeddings(x)),
    "clip": Alone(
        _clip,
        1,
        lambda m: m.vision_model.encoder.layers,
        lambda m, x: m.vision_model.pre_layrnorm(m.vision_model.embeddings(x)),
    ),
    "siglip": Alone(_siglip, 0, lambda m: m.encoder.layers, lambda m, x: m.embeddings(x)),
    "dinov2": Alone(_dinov2, 1, lambda m: m.encoder.layer, lambda m, x: m.embeddings(x)),
    "registers": Alone(lambda: _dinov2(registers=True), 4, lambda m: m.encoder.layer, lambda m, x: m.embeddings(x)),
}
every_encoder = pytest.mark.parametrize("name", ENCODERS)


@cache
def model_of(name: str, attention: str = "sdpa") -> Any:
    torch.manual_seed(0)
    model = ENCODERS[name].build().eval()
    model.set_attn_implementation(attention)
    return model


def pixels(count: int = 3) -> Tensor:
    return torch.randn(count, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def answer(out: Any) -> Tensor:
    """What the model says of every image."""
    for name in ("logits", "image_embeds", "pooler_output"):
        if getattr(out, name, None) is not None:
            return getattr(out, name)
    raise AssertionError("no answer")


@every_encoder
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_retaining_all_is_the_model_bit_for_bit(name: str, attention: str) -> None:
    model = model_of(name, attention)
    full = model(pixels(), output_hidden_states=True)
    with eosdsl.compile("at encoder layers 1, 2: retain 100% via merge", model) as compiled:
        out = compiled(pixels(), output_hidden_states=True)
    assert torch.equal(answer(out), answer(full))
    assert all(torch.equal(a, b) for a, b in zip(out.hidden_states, full.hidden_states, strict=True))
    assert torch.equal(answer(model(pixels())), answer(full))


@every_encoder
@each_spec
def test_batch_equals_singles(name: str, spec: str) -> None:
    with eosdsl.compile(spec, model_of(name)) as compiled:
        together = answer(compiled(pixels()))
        for place, one in enumerate(pixels()):
            torch.testing.assert_close(together[place], answer(compiled(one[None]))[0], atol=1e-5, rtol=1e-5)


@every_encoder
@each_spec
def test_rows_in_every_layer_are_those_of_the_plan(name: str, spec: str) -> None:
    model, alone = model_of(name), ENCODERS[name]
    entering: list[int] = []
    layers = list(alone.layers(model))
    with eosdsl.compile(spec, model) as compiled, record(compiled) as steps:
        hooks = [layer.register_forward_pre_hook(lambda _, args: entering.append(args[0].shape[1])) for layer in layers]
        compiled(pixels())
        planned = compiled.plan.encoder_tokens_per_layer
    for hook in hooks:
        hook.remove()
    assert tuple(entering) == planned
    assert planned[0] == 16 + alone.leading
    assert [len(image.kept) for image in steps[-1].images] == [compiled.schedule.reductions[-1].retained] * 3
    if "merge" in spec or "pool" in spec:
        assert all(sum(image.sizes) == 16 for step in steps for image in step.images)


def tome(rows: Patches) -> Patches:
    """Bipartite soft matching (arXiv 2210.09461): patches by turns in A and B, the two pairs most alike merge."""
    assert rows.keys is not None
    unit = torch.nn.functional.normalize(rows.keys.mean(dim=1), dim=-1)
    sources, targets = rows.free[0::2], rows.free[1::2]
    alike = unit[sources] @ unit[targets].T
    best = alike.max(dim=1)
    into = {sources[i]: targets[int(best.indices[i])] for i in best.values.topk(2).indices.tolist()}
    return merged(rows, [row for row in range(len(rows.hidden)) if row not in into], into)


def evit(rows: Patches) -> Patches:
    """EViT (arXiv 2202.07800) without fusion: what CLS looks at most, mean over heads."""
    assert rows.attention is not None
    looked = rows.attention[:, 0, rows.free].mean(dim=0)
    kept = sorted(rows.free[i] for i in looked.topk(8).indices.tolist())
    return keep(rows, [*[r for r in range(len(rows.hidden)) if rows.places[r] < 0], *kept])


def agrees(name: str, attention: str, spec: str, middles: dict[int, Callable[[Patches], Patches]], bias: float) -> None:
    model, alone = model_of(name, attention), ENCODERS[name]
    layers = list(alone.layers(model))
    with eosdsl.compile(spec, model) as compiled:
        states = compiled(pixels(), output_hidden_states=True).hidden_states[-1]
    for place, one in enumerate(alone.embedded(model, pixels())):
        expected = last_rows(layers, one, alone.leading, middles, bias)
        torch.testing.assert_close(states[place], expected.hidden, atol=1e-5, rtol=1e-4)


@every_encoder
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_tome(name: str, attention: str) -> None:
    agrees(name, attention, TOME, dict.fromkeys(range(LAYERS), tome), 1.0)


@pytest.mark.parametrize("name", [name for name, one in ENCODERS.items() if one.leading])
def test_evit(name: str) -> None:
    agrees(name, "sdpa", "at encoder layer 2 after attention: retain 50% by attention(query: cls)", {2: evit}, 0.0)


def test_the_answer_comes_from_the_rows_that_are_left() -> None:
    """A classifier's logits are its head on the CLS row of the reference."""
    model, alone = model_of("vit"), ENCODERS["vit"]
    with eosdsl.compile(TOME, model) as compiled:
        logits = compiled(pixels()).logits
    rows = last_rows(model.vit.layers, alone.embedded(model, pixels())[1], 1, dict.fromkeys(range(LAYERS), tome), 1.0)
    expected = model.classifier(model.vit.layernorm(rows.hidden)[0])
    torch.testing.assert_close(logits[1], expected, atol=1e-5, rtol=1e-4)
    assert (model(pixels()).logits[1] - expected).abs().max() > 1e-3


def test_weights_keep_their_names_and_nothing_is_left_behind() -> None:
    model = model_of("dinov2")
    names, state = list(model.state_dict()), {k: set(vars(m)) for k, m in model.named_modules()}
    compiled = eosdsl.compile(TOME, model)
    assert list(model.state_dict()) == names
    with pytest.raises(SpecError, match="E0430"):
        eosdsl.compile(TOME, model)
    compiled.detach()
    assert {k: set(vars(m)) for k, m in model.named_modules()} == state


def test_numbers_that_depend_on_the_image() -> None:
    """Where CLS answers, a batch may keep different numbers of rows; where all rows do, it is refused by name."""
    spec = "at encoder layer 2 after attention: retain mass 70% by attention(query: cls)"
    with eosdsl.compile(spec, model_of("vit")) as compiled, record(compiled) as steps:
        together = compiled(pixels()).logits
        assert len({len(image.kept) for image in steps[0].images}) > 1
        for place, one in enumerate(pixels()):
            torch.testing.assert_close(together[place], compiled(one[None]).logits[0], atol=1e-5, rtol=1e-5)
    spec = "at encoder layer 2 after attention: retain mass 70% by attention(query: visual)"
    with eosdsl.compile(spec, model_of("siglip")) as compiled:
        with pytest.raises(SpecError, match="E0431"):
            compiled(pixels())
        compiled(pixels()[:1])


def test_a_whole_clip_keeps_its_text_encoder() -> None:
    from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

    torch.manual_seed(0)
    text = CLIPTextConfig(
        hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, vocab_size=99
    )
    model: Any = CLIPModel(
        CLIPConfig(text_config=text, vision_config=CLIPVisionConfig(**_SIZES), projection_dim=12)
    ).eval()
    ids = torch.tensor([[5, 6, 7, 98]])
    full = model(input_ids=ids, pixel_values=pixels())
    with eosdsl.compile(TOME, model) as compiled:
        out = compiled(input_ids=ids, pixel_values=pixels())
    assert torch.equal(out.text_embeds, full.text_embeds)
    assert (out.image_embeds - full.image_embeds).abs().max() > 1e-3


def test_other_sizes_of_images() -> None:
    """Percentages are of the patches that there are."""
    big = torch.randn(2, 3, 16, 24, generator=torch.Generator().manual_seed(2))
    with eosdsl.compile("at encoder layer 1: retain 50% by norm(hidden)", model_of("vit")) as compiled:
        states = compiled(big, interpolate_pos_encoding=True, output_hidden_states=True).hidden_states
    assert [state.shape[1] - 1 for state in states] == [24, 24, 12, 12, 12][: len(states)]


def test_saved_and_loaded(tmp_path: Path) -> None:
    model = model_of("vit")
    model.save_pretrained(tmp_path / "vit")
    with eosdsl.compile(TOME, str(tmp_path / "vit")) as compiled:
        compiled.save_pretrained(tmp_path / "tome")
        expected = compiled(pixels()).logits
    with eosdsl.load(model, tmp_path / "tome") as loaded:
        assert torch.equal(loaded(pixels()).logits, expected)


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ("at layer 1: retain 50%", "E0404"),
        ("at input: retain 50% by norm(hidden)", "E0404"),
        ("at encoder layer 9: retain 50%", "E0302"),
        ("operator x for llava\nat encoder layer 1: retain 50%", "E0401"),
    ],
)
def test_what_an_encoder_does_not_have(spec: str, code: str) -> None:
    with pytest.raises(SpecError) as caught:
        eosdsl.compile(spec, model_of("vit"))
    assert caught.value.diagnostics[0].code == code


@pytest.mark.filterwarnings("ignore:W0459")
@pytest.mark.parametrize("path", sorted(Path("specs/encoders").glob("*.eos")), ids=lambda p: p.stem)
def test_shipped_specs_fit_shipped_encoders(path: Path) -> None:
    for name in ("vit-b-16", "clip-vit-l-14-336", "dinov2-b"):
        with eosdsl.compile(path, name) as compiled:
            assert compiled.plan.ratio < 1
