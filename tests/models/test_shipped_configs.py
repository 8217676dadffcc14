"""Shipped configs against transformers: they load, their facts are what the config classes say, the models exist."""

from __future__ import annotations

import json
from functools import reduce
from typing import Any

import pytest
import torch
import transformers
from transformers import AutoConfig, LlavaConfig

from eosdsl.models.find import CONFIGS
from eosdsl.models.profiles import profiles, shipped
from eosdsl.models.registry import facts, names, profile_for

SHIPPED = sorted({model.name for model in shipped().values()})


def config_of(name: str) -> dict[str, Any]:
    return json.loads((CONFIGS / shipped()[name].file).read_text())


@pytest.mark.parametrize("name", SHIPPED)
def test_transformers_reads_it_and_means_the_same(name: str) -> None:
    """Facts of the JSON and facts of the config object (where every default is filled in) are equal."""
    config = config_of(name)
    loaded = AutoConfig.for_model(config["model_type"]).from_dict(config)
    assert type(loaded).model_type == config["model_type"]
    assert facts(loaded).model_copy(update={"name": name}) == facts(name)


def test_every_config_file_is_shipped_under_a_name() -> None:
    assert {model.file for model in shipped().values()} == {path.name for path in CONFIGS.glob("*.json")}


def test_llava_is_the_seven_billion_model() -> None:
    assert isinstance(LlavaConfig.from_dict(config_of("llava")), LlavaConfig)
    known = facts("llava")
    assert (known.name, known.family) == ("llava-1.5-7b", "llava")
    assert (known.decoder.layers, known.decoder.width, known.decoder.mlp_width) == (32, 4096, 11008)
    assert known.encoder is not None
    assert (known.encoder.layers, known.encoder.layers_run) == (24, 23)
    assert (known.visual_tokens, known.grid, known.patches) == (576, (24, 24), 576)
    assert known.image_token_id == 32000
    assert known.unsupported == ()


@pytest.mark.parametrize(
    ("name", "billions"),
    # sizes of the published checkpoints
    [
        ("llava-1.5-7b", 7.06),
        ("llava-1.5-13b", 13.35),
        ("llava-1.6-mistral-7b", 7.57),
        ("llava-1.6-vicuna-7b", 7.06),
        ("llava-onevision-7b", 8.03),
        ("vip-llava-7b", 7.08),
        ("internvl3-8b", 7.94),
        ("idefics3-8b", 8.46),
        ("smolvlm-2b", 2.25),
        ("paligemma-3b", 2.92),
        ("gemma3-4b", 4.30),
        ("pixtral-12b", 12.68),
        ("mistral-small-3.1-24b", 24.01),
        ("aya-vision-8b", 8.63),
        ("qwen2-vl-7b", 8.29),
        ("qwen2.5-vl-3b", 3.75),
        ("qwen2.5-vl-7b", 8.29),
        ("qwen3-vl-8b", 8.77),
    ],
)
def test_the_model_it_builds_has_the_published_size_and_the_parts_that_the_profile_names(
    name: str, billions: float
) -> None:
    config, profile, known = config_of(name), profile_for(name), facts(name)
    architecture: Any = getattr(transformers, profile.architecture)
    with torch.device("meta"):
        model = architecture(AutoConfig.for_model(config["model_type"]).from_dict(config))
    assert sum(p.numel() for p in model.parameters()) / 1e9 == pytest.approx(billions, abs=0.006)
    parts = profile.torch
    text = attribute(model, parts.text_model)
    assert len(attribute(text, parts.layers)) == known.decoder.layers
    attention = attribute(text, parts.layers)[0].self_attn
    assert attention.k_proj.weight.shape == (known.decoder.kv_width, known.decoder.width)
    assert attention.q_proj.weight.shape[0] == known.decoder.heads * known.decoder.head_width
    assert attribute(text, parts.layers)[0].mlp.up_proj.weight.shape[0] == known.decoder.mlp_width
    assert attribute(text, parts.norm).weight.shape == (known.decoder.width,)
    assert attribute(text, parts.embeddings).weight.shape == (known.decoder.vocabulary, known.decoder.width)
    assert attribute(text, parts.rotary) is not None
    assert attribute(model, parts.head).weight.shape == (known.decoder.vocabulary, known.decoder.width)
    assert known.encoder is not None and parts.vision_tower and parts.vision_layers and parts.projector
    if name != "pixtral-12b":  # a LLaVA with another tower: its layers are not looked for
        assert len(attribute(attribute(model, parts.vision_tower), parts.vision_layers)) == known.encoder.layers
    projector = attribute(model, parts.projector)
    deeper = getattr(attribute(model, parts.vision_tower), "deepstack_merger_list", torch.nn.ModuleList())
    linears = [
        (m.in_features, m.out_features)
        for m in (*projector.modules(), *deeper.modules())
        if isinstance(m, torch.nn.Linear)
    ]
    linears += [tuple(p.shape) for kind, p in projector.named_parameters() if kind == "mm_input_projection_weight"]
    assert known.projector is not None
    assert tuple(linears) == known.projector.linears


@pytest.mark.parametrize(
    ("name", "millions"),
    # sizes as they are commonly quoted (timm, OpenCLIP less its projection of 1,024 by 768); not looked up
    [("vit-b-16", 86.57), ("clip-vit-l-14-336", 304.29 - 0.786), ("siglip-so400m", 428.23), ("dinov2-b", 86.58)],
)
def test_the_encoder_it_builds_has_the_published_size(name: str, millions: float) -> None:
    config = config_of(name)
    with torch.device("meta"):
        model = getattr(transformers, config["architectures"][0])(
            AutoConfig.for_model(config["model_type"]).from_dict(config)
        )
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(millions, abs=0.006)


def test_every_shipped_config_has_a_published_size_here() -> None:
    here = [
        mark.args[1]
        for test in (
            test_the_model_it_builds_has_the_published_size_and_the_parts_that_the_profile_names,
            test_the_encoder_it_builds_has_the_published_size,
        )
        for mark in vars(test)["pytestmark"]
    ]
    assert {name for rows in here for name, _ in rows} == set(SHIPPED)


def attribute(model: Any, path: str) -> Any:
    return reduce(getattr, path.split("."), model)


def test_names_and_families() -> None:
    assert {"llava", "llava-1.5-7b", "llava-1.5-13b"} <= set(names())
    assert set(profiles()) >= {"llava", "llava_next", "qwen2_vl", "qwen2_5_vl"}


def test_next_counts_views_and_newlines() -> None:
    """A 672 x 672 image: the base view, four tiles of 24 x 24 patches, and a newline after each of 48 rows."""
    known = facts("llava-next")
    assert known.visual_tokens == 24 * 24 + 48 * (48 + 1)
    assert known.patches == 5 * 576
    assert known.encoder is not None and known.encoder.extra_rows == 5
    assert known.decoder.sliding_layers == ()


def test_qwen_counts_merged_patches() -> None:
    known = facts("qwen2.5-vl")
    assert (known.patches, known.merge_area, known.visual_tokens) == (2304, 4, 576)
    assert known.encoder is not None
    assert known.encoder.window == 64 and 7 not in known.encoder.windowed_layers
    assert known.decoder.rope == "mrope"


@pytest.mark.parametrize(
    ("name", "tiles", "of_a_tile", "others"),
    # of the usual image: tiles, visual tokens of each, newlines
    [
        ("internvl3-8b", 5, (448 // 14 // 2) ** 2, 0),
        ("idefics3-8b", 17, (364 // 14 // 2) ** 2, 0),
        ("smolvlm-2b", 17, (384 // 14 // 3) ** 2, 0),
        ("aya-vision-8b", 5, (364 // 14 // 2) ** 2, 0),
        ("llava-onevision-7b", 5, (384 // 14) ** 2, 54),
        ("llava-1.6-vicuna-7b", 5, (336 // 14) ** 2, 48),
        ("pixtral-12b", 1, (1024 // 16) ** 2, 0),
        ("mistral-small-3.1-24b", 1, (1540 // 14 // 2) ** 2, 0),
        ("gemma3-4b", 1, 256, 0),
        ("paligemma-3b", 1, 256, 0),
    ],
)
def test_tiles_of_the_usual_image(name: str, tiles: int, of_a_tile: int, others: int) -> None:
    known = facts(name)
    assert known.encoder is not None
    assert (known.encoder.tiles, known.tile_tokens) == (tiles, of_a_tile)
    assert known.visual_tokens == tiles * of_a_tile + others


def test_layers_that_slide_are_those_of_the_model() -> None:
    """Five of six in Gemma 3, three of four in Command R7B: the last of each turn sees everything."""
    gemma, cohere = facts("gemma3").decoder, facts("aya-vision").decoder
    assert gemma.sliding_layers == tuple(i for i in range(34) if i % 6 != 5)
    assert cohere.sliding_layers == tuple(i for i in range(32) if i % 4 != 3)
    assert (gemma.window, cohere.window, facts("pixtral").decoder.window) == (1024, 4096, None)
