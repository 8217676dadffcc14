"""LLaVA-NeXT: images of several tiles, of another number of tokens each, in one batch."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from tiny_models import IMAGE, PAD
from transformers import CLIPVisionConfig, LlamaConfig, LlavaNextConfig, LlavaNextForConditionalGeneration

import eosdsl

SIZES = torch.tensor([[30, 28], [16, 32]])
PIXELS = torch.randn(2, 5, 3, 16, 16, generator=torch.Generator().manual_seed(0))
SPECS = [
    "at layer 2: retain 25%",
    "at layers 1, 3: retain 50%, 1/3 via mix(merge, prune) with attention_bias: log_size, positions: mean",
    "at layer 0: retain 30 tokens by norm(hidden)\nat layer 4 after attention: retain 12 tokens",
]


@cache
def llava_next() -> Any:
    torch.manual_seed(0)
    vision = CLIPVisionConfig(
        hidden_size=24,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=16,
        patch_size=4,
        initializer_range=0.25,
    )
    text = LlamaConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=5,
        num_attention_heads=4,
        vocab_size=100,
        initializer_range=0.25,
        pad_token_id=PAD,
    )
    pinpoints = [[16, 32], [32, 16], [32, 32]]
    config = LlavaNextConfig(
        vision_config=vision, text_config=text, image_token_index=IMAGE, image_grid_pinpoints=pinpoints
    )
    model: Any = LlavaNextForConditionalGeneration(config)
    model.generation_config.pad_token_id = PAD
    model.generation_config.eos_token_id = None
    return model.eval()


def tokens_of(image: int) -> int:
    features = llava_next().get_image_features(pixel_values=PIXELS, image_sizes=SIZES, return_dict=True).pooler_output
    return len(features[image])


def asked(images: list[int]) -> dict[str, Any]:
    """One question about each of the images, padded on the left."""
    rows = [[1, *range(10, 14), *[IMAGE] * tokens_of(one), *range(20, 26 + 2 * one)] for one in images]
    longest = max(map(len, rows))
    ids = torch.tensor([[PAD] * (longest - len(row)) + row for row in rows])
    return {
        "input_ids": ids,
        "attention_mask": (ids != PAD).long(),
        "pixel_values": PIXELS[images],
        "image_sizes": SIZES[images],
    }


@pytest.mark.parametrize("spec", SPECS)
def test_batch_equals_singles_and_cached_equals_uncached(spec: str) -> None:
    wanted: Any = {"max_new_tokens": 3, "do_sample": False, "output_logits": True, "return_dict_in_generate": True}
    assert tokens_of(0) != tokens_of(1)
    with eosdsl.compile(spec, llava_next()) as compiled:
        together = torch.stack(compiled.generate(**asked([0, 1]), **wanted).logits, dim=1)
        uncached = torch.stack(compiled.generate(**asked([0, 1]), **wanted, use_cache=False).logits, dim=1)
        for image in (0, 1):
            alone = torch.stack(compiled.generate(**asked([image]), **wanted).logits, dim=1)
            torch.testing.assert_close(together[image], alone[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(together, uncached, atol=1e-4, rtol=1e-4)


def shares(spec: int, tokens: int) -> tuple[int, ...]:
    """Tokens held by each layer for an image of so many."""
    quarter, half, third = (-(-tokens // part) for part in (4, 2, 3))
    return [(tokens, tokens, quarter, quarter, quarter), (tokens, half, half, third, third), (30,) * 5][spec]


@pytest.mark.parametrize("spec", range(3))
def test_counts_follow_the_image(spec: int) -> None:
    """The usual image has as many tokens as the plan says; another one has the same shares of its own."""
    with eosdsl.compile(SPECS[spec], llava_next()) as compiled:
        for image in (0, 1):
            inputs = asked([image])
            text = inputs["input_ids"].shape[1] - tokens_of(image)
            layers = compiled(**inputs).past_key_values.layers
            assert tuple(layer.keys.shape[2] - text for layer in layers) == shares(spec, tokens_of(image))
        assert tokens_of(0) == compiled.plan.visual_tokens
        assert compiled.plan.tokens_per_layer == shares(spec, tokens_of(0))


def test_retaining_all_is_the_model() -> None:
    model = llava_next()
    full = model(**asked([0, 1])).logits
    with eosdsl.compile("at layer 2: retain 100%", model) as compiled:
        assert torch.equal(compiled(**asked([0, 1])).logits, full)


def test_the_shipped_one_needs_no_weights() -> None:
    with eosdsl.compile("at layer 2: retain 50%", "llava-1.6-mistral-7b") as compiled:
        assert compiled.plan.tokens_per_layer == (2928, 2928, *[1464] * 30)
