"""Where a model reads its image: hiding visual tokens from a layer on equals taking them out there."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from eosdsl.models.find import TRAINED
from eosdsl.tasks.base import Example
from eosdsl.tasks.registry import family
from eosdsl.zoo import layer_use as use
from eosdsl.zoo.train_evaluate import accuracy


@pytest.fixture(scope="module")
def loaded() -> tuple[Any, Any]:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    folder = TRAINED / "tiny-llava"
    return AutoModelForImageTextToText.from_pretrained(folder).eval(), AutoProcessor.from_pretrained(folder)


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    return [*family("attr").generate("test", 5, 4), *family("multi").generate("test", 5, 4)]


def _inputs(processor: Any, example: Example) -> Any:
    content = [*[{"type": "image"}] * len(example.images), {"type": "text", "text": example.question}]
    text = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    return processor(images=list(example.images), text=[text], return_tensors="pt", add_special_tokens=False)


def _taken_out(model: Any, inputs: Any, first: int) -> Tensor:
    """Logits of the last row where visual rows are taken out before layer `first`, layer by layer by hand."""
    language = model.model.language_model
    caught: list[Tensor] = []
    handle = language.layers[0].register_forward_pre_hook(lambda _, arguments: caught.append(arguments[0]))
    model(**inputs)
    handle.remove()
    rows, places = caught[0], torch.arange(caught[0].shape[1])[None]
    for index, layer in enumerate(language.layers):
        if index == first:
            kept = inputs["input_ids"][0] != model.config.image_token_id
            rows, places = rows[:, kept], places[:, kept]
        mask = torch.full((rows.shape[1],) * 2, torch.finfo(rows.dtype).min).triu(1)[None, None]
        rows = layer(rows, attention_mask=mask, position_embeddings=language.rotary_emb(rows, places))
    return model.lm_head(language.norm(rows))[0, -1]


@pytest.mark.parametrize("first", [0, 2, 3, 8])
def test_hiding_them_is_taking_them_out(loaded: tuple[Any, Any], examples: list[Example], first: int) -> None:
    model, processor = loaded
    model.set_attn_implementation({"text_config": "eager"})
    for example in (examples[0], examples[-1]):
        inputs = _inputs(processor, example)
        with torch.no_grad():
            expected = _taken_out(model, inputs, first)
            with use.no_image_from(model, first):
                found = model(**inputs).logits[0, -1]
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    model.set_attn_implementation({"text_config": "sdpa"})


def test_the_last_entry_is_the_full_model_and_nothing_stays_behind(
    loaded: tuple[Any, Any], examples: list[Example]
) -> None:
    model, processor = loaded
    found = use.layer_use(model, processor, examples)
    assert [one.layer for one in found] == list(range(9))
    assert found[-1].without == accuracy(model, processor, examples, with_images=True)
    assert found[0].without < found[-1].without
    assert all(0 < one.attention < 1 for one in found[:-1])
    assert model.config.text_config._attn_implementation == "sdpa"
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_the_card_says_where_the_image_is_read() -> None:
    text = (TRAINED / "tiny-llava" / "README.md").read_text()
    assert "visual tokens end before layer" in text
