"""Facts from configs of all shapes: sparse ones, grouped queries, other towers, all rows kept."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import LlavaConfig, LlavaForConditionalGeneration
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from eosdsl.diagnostics import SpecError
from eosdsl.models import text_models, vision_models
from eosdsl.models.registry import facts

TINY: dict[str, Any] = {
    "model_type": "llava",
    "image_token_index": 7,
    "text_config": {
        "model_type": "llama",
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 99,
    },
    "vision_config": {
        "model_type": "clip_vision_model",
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "image_size": 28,
        "patch_size": 7,
    },
}


def changed(**sections: Any) -> dict[str, Any]:
    """TINY with keys of its sections (dicts) or of its top level replaced."""
    return {
        **TINY,
        **{key: {**TINY[key], **value} if isinstance(value, dict) else value for key, value in sections.items()},
    }


def test_grouped_queries() -> None:
    decoder = facts(TINY).decoder
    assert (decoder.heads, decoder.kv_heads, decoder.head_width, decoder.kv_width) == (4, 2, 8, 16)


@pytest.mark.parametrize(
    ("strategy", "tower", "expected", "grid"),
    [
        ("default", "clip_vision_model", 16, (4, 4)),
        ("full", "clip_vision_model", 17, None),
        ("default", "siglip_vision_model", 15, None),
        ("full", "siglip_vision_model", 16, (4, 4)),
    ],
)
def test_visual_tokens_are_those_that_the_model_makes(
    strategy: str, tower: str, expected: int, grid: tuple[int, int] | None
) -> None:
    config = changed(vision_feature_select_strategy=strategy, vision_config={"model_type": tower})
    known = facts(config)
    assert (known.visual_tokens, known.grid, known.patches) == (expected, grid, 16)
    model = LlavaForConditionalGeneration(LlavaConfig.from_dict(config)).eval()
    with torch.no_grad():
        output: Any = model.get_image_features(torch.zeros(1, 3, 28, 28))
    assert output.pooler_output[0].shape == (expected, 32)


@pytest.mark.parametrize(("chosen", "run"), [(-2, 3), (-1, 4), (3, 3), (0, 0), ([-3, -2], 3)])
def test_layers_that_are_run_for_the_features(chosen: int | list[int], run: int) -> None:
    known = facts(changed(vision_feature_layer=chosen))
    assert known.encoder is not None and known.projector is not None
    assert known.encoder.layers_run == run
    assert known.projector.linears[0][0] == 16 * (len(chosen) if isinstance(chosen, list) else 1)


@pytest.mark.parametrize("kind", sorted(text_models.DEFAULTS))
def test_defaults_of_text_models_are_those_of_transformers(kind: str) -> None:
    defaults = CONFIG_MAPPING[kind]().to_dict() if kind in CONFIG_MAPPING else None
    if defaults is None:
        pytest.skip(f"{kind} is not a type of its own in transformers")
    for key, value in text_models.DEFAULTS[kind].items():
        if key in ("sliding_window", "max_window_layers") and key not in defaults:
            continue
        assert defaults[key] == value, key


@pytest.mark.parametrize("kind", sorted(vision_models.DEFAULTS))
def test_defaults_of_towers_are_those_of_transformers(kind: str) -> None:
    known = CONFIG_MAPPING[kind]().to_dict()
    assert {key: known[key] for key in vision_models.DEFAULTS[kind]} == dict(vision_models.DEFAULTS[kind])


def test_a_config_as_sparse_as_on_the_hub() -> None:
    """What equals a default is left out there; transformers and the profile fill in the same."""
    sparse = {"model_type": "llava", "text_config": {"vocab_size": 32064, "model_type": "llama"}}
    assert facts(sparse) == facts(LlavaConfig.from_dict(sparse)).model_copy(update={"name": "llava"})
    assert facts(sparse).visual_tokens == 576


@pytest.mark.parametrize(
    ("kind", "keys", "expected"),
    [
        ("mistral", {"sliding_window": None}, ()),
        ("mistral", {"sliding_window": 8}, (0, 1, 2)),
        ("qwen2", {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1}, (1, 2)),
        ("qwen2", {"use_sliding_window": False}, ()),
        ("llama", {"layer_types": ["full_attention", "sliding_attention", "full_attention"]}, (1,)),
        ("gemma2", {}, (0, 2)),
        ("gemma3_text", {"sliding_window_pattern": 2}, (0, 2)),
        ("cohere2", {"sliding_window": None}, ()),
    ],
)
def test_layers_whose_attention_slides(kind: str, keys: dict[str, Any], expected: tuple[int, ...]) -> None:
    assert facts(changed(text_config={"model_type": kind, **keys})).decoder.sliding_layers == expected


@pytest.mark.parametrize(("dtype", "size"), [("float16", 2), ("bfloat16", 2), ("float32", 4), ("torch.float32", 4)])
def test_bytes_of_a_number(dtype: str, size: int) -> None:
    assert facts({**TINY, "torch_dtype": dtype}).dtype_bytes == size


def test_a_model_object_tells_its_own_dtype() -> None:
    model = LlavaForConditionalGeneration(LlavaConfig.from_dict(TINY))
    assert facts(model).dtype_bytes == 4
    assert facts(model.half()).dtype_bytes == 2
    assert facts(model).decoder == facts(TINY).decoder


@pytest.mark.parametrize(
    ("config", "code", "named"),
    [
        ({"model_type": "gpt2"}, "E0644", "gpt2"),
        ({"hidden_size": 3}, "E0645", "model_type"),
        (changed(text_config={"num_hidden_layers": 0}), "E0645", "text_config.num_hidden_layers"),
        (changed(text_config={"hidden_size": "wide"}), "E0645", "text_config.hidden_size"),
        (changed(text_config={"num_attention_heads": 5}), "E0645", "text_config.hidden_size"),
        (changed(text_config={"num_key_value_heads": 3}), "E0645", "text_config.num_key_value_heads"),
        (changed(vision_config={"model_type": "sam_vision_model"}), "E0644", "sam_vision_model"),
        (changed(vision_config={"image_size": [1, 2, 3]}), "E0645", "vision_config.image_size"),
        (changed(vision_feature_layer=-9), "E0645", "vision_feature_layer"),
        (changed(vision_feature_select_strategy="some"), "E0645", "vision_feature_select_strategy"),
        ({**TINY, "text_config": 3}, "E0645", "text_config"),
        ({**TINY, "text_config": {"model_type": "exotic"}}, "E0645", "text_config.num_hidden_layers"),
        (12, "E0642", "int"),
    ],
)
def test_what_cannot_be_is_one_error_that_names_it(config: Any, code: str, named: str) -> None:
    with pytest.raises(SpecError) as caught:
        facts(config)
    (found,) = caught.value.diagnostics
    assert found.code == code
    assert named in found.message


def test_facts_stay_what_they_are() -> None:
    known = facts(TINY)
    assert facts(known) is known


@pytest.mark.parametrize(
    "family",
    ["aya_vision", "gemma3", "idefics3", "internvl", "llava_onevision", "mistral3", "paligemma", "smolvlm", "vipllava"],
)
def test_a_config_without_anything_is_the_default_of_transformers(family: str) -> None:
    """Numbers that a model type has no default for in its own section are those of its family."""
    made = CONFIG_MAPPING[family]()
    assert facts({"model_type": family}) == facts(made).model_copy(update={"name": family})
