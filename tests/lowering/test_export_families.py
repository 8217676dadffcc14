"""Prefill as a program of tensors in every family: the model's own numbers, exported, or refused with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from every_family import FAMILIES
from families import Family
from tiny_models import IMAGE

from eosdsl.diagnostics import SpecError
from eosdsl.lowering.compile import compile
from eosdsl.lowering.export import example, export_onnx, export_torch
from eosdsl.lowering.prefill import Prefill
from eosdsl.lowering.seen import Features

PRUNED = "at layer 2: retain 50% by attention(query: last)\nat layer 4: retain 25% by norm(hidden) via merge"
AT_INPUT = "at input: retain 50% by norm(hidden) via prune with positions: compact"
REFUSED = {
    "qwen3_vl": "behind early layers",
    "pixtral": "images of any size",
    **dict.fromkeys(("mistral3", "mistral3_sliding", "idefics3", "smolvlm", "aya_vision"), "tokens of the text stand"),
}
EXPORTED = [name for name in FAMILIES if name not in REFUSED]


def built(name: str, attention: str | None = None) -> Any:
    """A tiny model whose usual image is small too."""
    family = FAMILIES[name]
    model = family.build(attention or family.attentions[0])
    if family.typed:
        model.config.vision_config.patch_size = 56  # of 672 by 672 pixels: 6 by 6 tokens; nothing asks the tower
    return model


def as_the_family_gives_it(family: Family, prefill: Prefill, given: tuple[torch.Tensor, ...]) -> dict[str, Any]:
    """The call of the model that the prefill stands for: with its pixels, or with features made ahead."""
    before, seen, after = (one.clamp(max=89) if one.dtype == torch.int64 else one for one in given)
    count, tokens = len(before), prefill.seen.tokens
    ids = torch.cat([before, torch.full((count, tokens), IMAGE), after], dim=1)
    visual = (ids == IMAGE).long()
    inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if family.typed:
        inputs |= {"mm_token_type_ids": visual, "image_grid_thw": torch.tensor([[1, *_patches(prefill)]] * count)}
    if family.types is not None:
        inputs["token_type_ids"] = visual * (family.types == "images")
    if isinstance(prefill.seen, Features):
        return {**inputs, "mm_encoder_outputs": {"image": _Encoded(seen)}}
    return {**inputs, "pixel_values": seen.flatten(0, 1) if seen.ndim == 5 else seen}


def _patches(prefill: Prefill) -> tuple[int, int]:
    assert prefill.grid is not None
    rows, columns = prefill.grid
    return 2 * rows, 2 * columns


class _Encoded:
    def __init__(self, features: torch.Tensor) -> None:
        self.pooler_output = tuple(features)


@pytest.mark.parametrize("spec", [PRUNED, AT_INPUT])
@pytest.mark.parametrize("name", EXPORTED)
def test_the_prefill_of_tensors_is_the_models(name: str, spec: str) -> None:
    family = FAMILIES[name]
    for attention in family.attentions:
        with compile(spec, built(name, attention)) as compiled:
            prefill = Prefill(compiled)
            before, seen, after = example(prefill, 3, 4, 6)
            given = before.clamp(max=89), seen, after.clamp(max=89)
            expected = compiled(**as_the_family_gives_it(family, prefill, given)).logits
            torch.testing.assert_close(prefill(*given), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", EXPORTED)
def test_pixels_become_the_features_that_the_family_makes(name: str) -> None:
    """For those that take pixels: of two images at once, as of each alone."""
    family = FAMILIES[name]
    with compile(PRUNED, built(name, "eager")) as compiled:
        prefill = Prefill(compiled)
        if isinstance(prefill.seen, Features):
            return
        own = [family.see("usual", seed).inputs["pixel_values"] for seed in (1, 2)]
        alone = [compiled.model.get_image_features(pixel_values=one, return_dict=True).pooler_output for one in own]
        together = prefill.seen(torch.stack(own) if len(own[0]) > 1 else torch.cat(own))
        for found, expected in zip(together, alone, strict=True):
            rows = torch.cat(list(expected)) if not isinstance(expected, torch.Tensor) else expected
            torch.testing.assert_close(found, rows.reshape(found.shape), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("name", "why"), REFUSED.items())
def test_what_cannot_be_exported_is_refused_with_the_familys_reason(name: str, why: str, tmp_path: Path) -> None:
    with compile(PRUNED, built(name, "eager")) as compiled, pytest.raises(SpecError) as caught:
        export_torch(compiled, tmp_path / "prefill.pt2")
    assert [one.code for one in caught.value.diagnostics] == ["E0458"]
    assert why in caught.value.diagnostics[0].message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", EXPORTED)
def test_torch_export(name: str, tmp_path: Path) -> None:
    """Batch and text are symbols of the output's shape, and what is left of an image is its constant."""
    with torch.no_grad(), compile(PRUNED, built(name)) as compiled:
        export_torch(compiled, tmp_path / "prefill.pt2")
        prefill = Prefill(compiled)
        left = compiled.plan.tokens_per_layer[-1]
        loaded = torch.export.load(tmp_path / "prefill.pt2")
        out = next(node for node in loaded.graph.nodes if node.op == "output").args[0][0].meta["val"]
        batch, rows, words = out.shape
        assert isinstance(batch, torch.SymInt) and isinstance(rows, torch.SymInt) and words == 100
        assert rows.node.expr.subs(dict.fromkeys(rows.node.expr.free_symbols, 0)) == left
        for sizes in ((1, 2, 3), (4, 9, 2)):
            given = example(prefill, *sizes)
            expected = prefill(*given)
            torch.testing.assert_close(loaded.module()(*given), expected, atol=1e-4, rtol=1e-4)
            assert expected.shape[1] == sizes[1] + left + sizes[2]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", EXPORTED)
def test_onnx(name: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    with torch.no_grad(), compile(PRUNED, built(name)) as compiled:
        export_onnx(compiled, tmp_path / "prefill.onnx")
        prefill = Prefill(compiled)
        session = onnxruntime.InferenceSession(str(tmp_path / "prefill.onnx"))
        given = example(prefill, 1, 2, 8)
        feed = {one.name: value.numpy() for one, value in zip(session.get_inputs(), given, strict=True)}
        found = torch.from_numpy(session.run(None, feed)[0])
        torch.testing.assert_close(found, prefill(*given), atol=1e-3, rtol=1e-3)
