"""Formulas against `torch.utils.flop_counter` on real transformers models, under eager attention."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from counting import counted_macs, macs_by_module
from transformers import LlavaConfig, LlavaForConditionalGeneration, Qwen2VLConfig, Qwen2VLForConditionalGeneration

from eosdsl.cost.account import full_cost
from eosdsl.cost.flops import Rows, decoder_macs, tower_macs
from eosdsl.models.registry import facts
from eosdsl.passes.infer_tokens import usual_image

TEXT = 11


def tiny(**changes: Any) -> dict[str, Any]:
    text = {
        "model_type": "llama",
        "hidden_size": 48,
        "intermediate_size": 80,
        "num_hidden_layers": 3,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "head_dim": 12,
        "vocab_size": 64,
        **changes.pop("text", {}),
    }
    vision = {
        "model_type": "clip_vision_model",
        "hidden_size": 32,
        "intermediate_size": 56,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "image_size": 28,
        "patch_size": 4,
        **changes.pop("vision", {}),
    }
    return {"model_type": "llava", "image_token_index": 63, "text_config": text, "vision_config": vision, **changes}


@pytest.mark.parametrize(
    "config",
    [
        tiny(),
        tiny(text={"num_key_value_heads": 6}),
        tiny(text={"model_type": "mistral", "sliding_window": None}),
        tiny(text={"model_type": "qwen2", "head_dim": 8}),
        tiny(vision_feature_select_strategy="full"),
        tiny(vision_feature_layer=[-2, -3]),
        # without its pooling head, which the VLM does not need and no cost model counts
        tiny(
            vision={"model_type": "siglip_vision_model", "vision_use_head": False},
            vision_feature_select_strategy="full",
            vision_feature_layer=-1,
        ),
    ],
    ids=["grouped", "multi-head", "mistral", "qwen2", "cls kept", "two feature layers", "siglip"],
)
def test_llava_whole(config: dict[str, Any]) -> None:
    """Tower, projector, decoder and head of one prefill with two images."""
    images = 2
    known = facts(config)
    model: Any = LlavaForConditionalGeneration(LlavaConfig.from_dict(config)).eval()
    model.set_attn_implementation("eager")
    prompt = torch.tensor([[63] * (known.visual_tokens * images) + [5] * TEXT])
    pixels = torch.zeros(images, 3, 28, 28)
    macs = full_cost(known, TEXT, images).macs

    def run() -> None:
        model(input_ids=prompt, pixel_values=pixels, logits_to_keep=1)

    assert counted_macs(run) == pytest.approx(macs.total, rel=1e-3)
    parts = macs_by_module(run, model)
    assert parts["model.vision_tower"] == pytest.approx(macs.tower, rel=1e-3)
    assert parts["model.multi_modal_projector"] == macs.projector
    assert parts["model.language_model"] == pytest.approx(macs.decoder, rel=1e-3)
    assert parts["lm_head"] == macs.head


def test_the_counter_would_notice() -> None:
    """A formula that left one of three MLP matrices out, as some papers do, would be off by far more than 0.1%."""
    known = facts(tiny())
    short = known.decoder.model_copy(update={"mlp_matrices": 2})
    right, wrong = (full_cost(known.model_copy(update={"decoder": d}), TEXT, 1) for d in (known.decoder, short))
    assert wrong.macs.decoder < 0.9 * right.macs.decoder


def test_qwen2_vl_whole() -> None:
    """Tower without CLS, merger, grouped queries; the image here has 8 x 12 patches."""
    config: dict[str, Any] = {
        "model_type": "qwen2_vl",
        "image_token_id": 60,
        "vision_start_token_id": 61,
        "vision_end_token_id": 62,
        "text_config": {
            "model_type": "qwen2_vl_text",
            "hidden_size": 48,
            "intermediate_size": 80,
            "num_hidden_layers": 3,
            "num_attention_heads": 6,
            "num_key_value_heads": 2,
            "vocab_size": 64,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]},
        },
        "vision_config": {"depth": 3, "embed_dim": 32, "hidden_size": 48, "num_heads": 4, "patch_size": 4},
    }
    known = facts(config)
    assert known.encoder is not None
    model: Any = Qwen2VLForConditionalGeneration(Qwen2VLConfig(**config)).eval()
    model.set_attn_implementation("eager")
    patches, visual = 96, 24
    known = known.model_copy(
        update={"visual_tokens": visual, "encoder": known.encoder.model_copy(update={"patches": patches})}
    )
    prompt = torch.tensor([[61] + [60] * visual + [62] + [5] * TEXT])
    macs = full_cost(known, TEXT + 2, 1).macs
    kinds = (prompt == 60).long()

    def run() -> None:
        model(
            input_ids=prompt,
            pixel_values=torch.zeros(patches, known.encoder.patch_values if known.encoder else 0),
            image_grid_thw=torch.tensor([[1, 8, 12]]),
            mm_token_type_ids=kinds,
            logits_to_keep=1,
        )

    assert counted_macs(run) == pytest.approx(macs.total, rel=1e-3)
    parts = macs_by_module(run, model)
    assert parts["model.visual"] == pytest.approx(macs.tower + macs.projector, rel=1e-3)


def test_layers_with_different_numbers_of_rows() -> None:
    """A reduced decoder is the sum of its layers over the rows that enter each; here they are run one by one."""
    config = tiny()
    known = facts(config)
    model: Any = LlavaForConditionalGeneration(LlavaConfig.from_dict(config)).eval()
    model.set_attn_implementation("eager")
    text = model.model.language_model
    rows = [70, 40, 9]

    def run() -> None:
        for layer, count in zip(text.layers, rows, strict=True):
            hidden, positions = torch.zeros(1, count, 48), torch.arange(count)[None]
            rope = text.rotary_emb(hidden, positions)
            layer(hidden, position_embeddings=rope, position_ids=positions, attention_mask=None)

    assert counted_macs(run) == pytest.approx(decoder_macs(known.decoder, [Rows(n, n) for n in rows]), rel=1e-3)


def test_after_attention_splits_a_tower_layer() -> None:
    """ToMe's place: attention over all rows, the MLP over those that are left; run as the tower's own modules."""
    config = tiny()
    known = facts(config)
    assert known.encoder is not None
    model: Any = LlavaForConditionalGeneration(LlavaConfig.from_dict(config)).eval()
    model.set_attn_implementation("eager")
    tower = model.model.vision_tower
    patches = usual_image(known).patches
    counts = [Rows(49, 49), Rows(49, 30), Rows(30, 30), Rows(30, 21)]

    def run() -> None:
        tower.embeddings.patch_embedding(torch.zeros(1, 3, 28, 28))
        for layer, tokens in zip(tower.encoder.layers, counts, strict=True):
            layer.self_attn(torch.zeros(1, tokens.attention + 1, 32), attention_mask=None)
            layer.mlp(torch.zeros(1, tokens.mlp + 1, 32))

    assert counted_macs(run) == pytest.approx(tower_macs(known.encoder, patches, counts), rel=1e-3)
