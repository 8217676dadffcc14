"""Which tiles are one image: from token ids as the processors of the families write them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from every_family import FAMILIES
from families import batch
from tiny_models import IMAGE

import eosdsl
from eosdsl.diagnostics import SpecError
from eosdsl.lowering.tiles import Tiles, tokens_of_images
from eosdsl.models.profiles import profiles

A, B, FAKE, ROW, GLOBAL, NEWLINE, BEGIN, END, TILE = 5, 6, 95, 92, 94, 93, 97, 96, 91
T = [IMAGE] * 4
SPLIT = [FAKE, ROW, *T, FAKE, ROW, *T, NEWLINE, FAKE, ROW, *T, FAKE, ROW, *T, NEWLINE, NEWLINE, FAKE, GLOBAL, *T, FAKE]
WHOLE = [FAKE, GLOBAL, *T, FAKE]


@pytest.mark.parametrize(
    ("family", "ids", "images"),
    [
        ("idefics3", [A, *SPLIT, B], [20]),
        ("idefics3", [A, *SPLIT, *SPLIT, B], [20, 20]),
        ("idefics3", [A, *WHOLE, *SPLIT, A, B, *WHOLE, B], [4, 20, 4]),
        ("idefics3", [A, *WHOLE, A, *WHOLE], [4, 4]),
        ("smolvlm", [A, A, *WHOLE, A, A, *WHOLE, A, A, *WHOLE], [4, 4, 4]),  # frames, with their times
        ("internvl", [A, BEGIN, *T, *T, *T, END, B, BEGIN, *T, END, BEGIN, *T, *T, END], [12, 4, 8]),
        ("aya_vision", [BEGIN, TILE, *T, TILE, *T, END, BEGIN, TILE, *T, END, A, BEGIN, TILE, *T, END], [8, 4, 4]),
    ],
)
def test_tiles_of_one_image(family: str, ids: list[int], images: list[int]) -> None:
    joins = profiles()[family].joins
    assert joins is not None
    row = np.array([ids])
    assert tokens_of_images(Tiles(4, joins), row, IMAGE, sum(images)) == images
    both = np.concatenate([np.concatenate([row, np.zeros((1, 3))], axis=1), np.concatenate([np.zeros((1, 3)), row], 1)])
    assert tokens_of_images(Tiles(4, joins), both, IMAGE, 2 * sum(images)) == images * 2


def test_what_is_no_whole_number_of_tiles_is_left_to_the_model() -> None:
    joins = profiles()["internvl"].joins
    assert joins is not None
    assert tokens_of_images(Tiles(4, joins), np.array([[A, *T, IMAGE]]), IMAGE, 5) == [5]


def test_budgets_are_of_the_image_and_not_of_the_tile() -> None:
    family = FAMILIES["idefics3"]
    inputs = family.prompt([2, "wide", 1, "usual", "one", 4])
    text = int(family.text_rows(inputs).sum())
    with eosdsl.compile("at layer 2: retain 6 tokens", family.build("sdpa")) as compiled:
        layers = compiled(**inputs).past_key_values.layers
    assert layers[1].keys.shape[2] - text == 12 + 68 + 4
    assert layers[2].keys.shape[2] - text == 6 + 6 + 4


def test_several_images_of_onevision_are_not_cut_into_tiles() -> None:
    """`batch_num_images`, as its processor gives it: base view and newline where a prompt has several images."""
    family = FAMILIES["llava_onevision"]
    model = family.build("sdpa")
    wanted: Any = {"max_new_tokens": 3, "do_sample": False, "output_logits": True, "return_dict_in_generate": True}
    alone, several = family.prompt([3, "wide", 5], 1), family.prompt([3, "wide", 2, "usual", 5], 2)
    runs = torch.tensor([[1, 10, 11, *[IMAGE] * 17, 12, *[IMAGE] * 17, 13, 14, 15]])
    several = {**several, "input_ids": runs, "attention_mask": torch.ones_like(runs)}
    with eosdsl.compile("at layer 2: retain 25%", model) as compiled:
        both = {**batch([alone, several]), "batch_num_images": torch.tensor([1, 2])}
        together = torch.stack(compiled.generate(**both, **wanted).logits, dim=1)
        for row, (one, images) in enumerate(((alone, 1), (several, 2))):
            out = compiled.generate(**one, batch_num_images=torch.tensor([images]), **wanted)
            torch.testing.assert_close(together[row], torch.stack(out.logits, dim=1)[0], atol=2e-4, rtol=2e-4)
        layers = compiled(**several, batch_num_images=torch.tensor([2])).past_key_values.layers
    assert layers[2].keys.shape[2] == runs.shape[1] - 34 + 2 * 5


def test_a_prefix_must_be_named() -> None:
    inputs = FAMILIES["paligemma"].prompt([3, "usual", 5])
    del inputs["token_type_ids"]
    compiled = eosdsl.compile("at layer 2: retain 25%", FAMILIES["paligemma"].build("sdpa"))
    with pytest.raises(SpecError) as caught:
        compiled(**inputs)
    assert "token_type_ids" in caught.value.diagnostics[0].message


@pytest.mark.parametrize("family", ["gemma3", "paligemma", "aya_vision", "mistral3_sliding"])
def test_flex_attention_sees_the_same(family: str) -> None:
    """Windows over positions and blocks in the format of another implementation; run eagerly, it is a compiled
    kernel.
    """
    model = FAMILIES[family].build("sdpa")
    inputs = FAMILIES[family].prompt([3, "usual", 5, "usual", 6], 4)
    spec = "at layers 1, 3: retain 50%, 1/4 via mix(merge, prune)"
    with eosdsl.compile(spec, model) as compiled:
        expected = compiled(**inputs).logits
    model.set_attn_implementation({"text_config": "flex_attention"})
    with torch.compiler.set_stance("force_eager"), eosdsl.compile(spec, model) as compiled:
        torch.testing.assert_close(compiled(**inputs).logits, expected, atol=1e-4, rtol=1e-4)


def test_windows_under_flash_attention_are_refused() -> None:
    model = FAMILIES["gemma3"].build("sdpa")
    model.model.language_model.config._attn_implementation = "flash_attention_2"
    with pytest.raises(SpecError) as caught:
        eosdsl.compile("at layer 2: retain 25%", model)
    assert caught.value.diagnostics[0].code == "E0448"
