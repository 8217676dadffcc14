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
        ("qwen2-vl-7b", 8.29),
        ("qwen2.5-vl-7b", 8.29),
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
    assert len(attribute(attribute(model, parts.vision_tower), parts.vision_layers)) == known.encoder.layers
    linears = [m for m in attribute(model, parts.projector).modules() if isinstance(m, torch.nn.Linear)]
    assert known.projector is not None
    assert tuple((m.in_features, m.out_features) for m in linears) == known.projector.linears


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
