"""Every published method of specs/methods runs inside a LLaVA of real depth and number of tokens, as it counts."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import IMAGE, PAD, Prompt, batch
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

import eosdsl
from eosdsl.resources import resource

pytestmark = pytest.mark.filterwarnings("ignore:W0459")  # what nobody trained counts and batches all the same
METHODS = sorted((resource("specs") / "methods").glob("*.eos"))
COUPLED = {"cdpruner_as_published"}  # one image of a batch changes what is kept of another, as in the original


@cache
def deep_llava() -> Any:
    """24 tower layers, 32 decoder layers, 576 visual tokens, and hardly any width."""
    torch.manual_seed(0)
    common: dict[str, Any] = {"initializer_range": 0.2, "num_attention_heads": 16}
    ends: dict[str, Any] = {"pad_token_id": PAD, "eos_token_id": None}  # or one answer may be shorter than another
    vision = CLIPVisionConfig(
        hidden_size=32, intermediate_size=32, num_hidden_layers=24, image_size=336, patch_size=14, **common
    )
    text = LlamaConfig(hidden_size=32, intermediate_size=48, num_hidden_layers=32, vocab_size=100, **ends, **common)
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_index=IMAGE)
    model: Any = LlavaForConditionalGeneration(config)
    return model.eval()


def question(before: int, after: int, seed: int) -> Prompt:
    generator = torch.Generator().manual_seed(seed)
    words = [torch.randint(2, 98, (n,), generator=generator).tolist() for n in (before, after)]
    row = torch.tensor([[1, *words[0], *[IMAGE] * 576, *words[1]]])
    return Prompt(row, torch.ones_like(row), torch.randn(1, 3, 336, 336, generator=generator))


@pytest.mark.parametrize("path", METHODS, ids=lambda path: path.stem)
def test_tokens_in_every_layer(path: Path) -> None:
    p = question(4, 9, 0)
    with eosdsl.compile(path, deep_llava()) as compiled:
        out = compiled(**p.inputs(), logits_to_keep=1)
        text = p.input_ids.shape[1] - 576
        held = tuple(layer.keys.shape[2] - text for layer in out.past_key_values.layers)
        plan = compiled.plan
    assert out.logits.isfinite().all()
    if not plan.adaptive:
        assert held == plan.tokens_per_layer
    bounds = zip(plan.least_tokens_per_layer, held, plan.tokens_per_layer, strict=True)
    assert all(least <= tokens <= most for least, tokens, most in bounds)


@pytest.mark.slow
@pytest.mark.parametrize("path", [p for p in METHODS if p.stem not in COUPLED], ids=lambda p: p.stem)
def test_batch_equals_singles(path: Path) -> None:
    wanted: Any = {"max_new_tokens": 2, "do_sample": False, "output_logits": True, "return_dict_in_generate": True}
    prompts = [question(4, 9, 0), question(7, 12, 1)]
    with eosdsl.compile(path, deep_llava()) as compiled:
        together = torch.stack(compiled.generate(**batch(prompts).inputs(), **wanted).logits, dim=1)
        for row, one in enumerate(prompts):
            alone = torch.stack(compiled.generate(**one.inputs(), **wanted).logits, dim=1)
            torch.testing.assert_close(together[row], alone[0], atol=1e-4, rtol=1e-4)
