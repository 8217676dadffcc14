"""What cannot be right on a sequence that gets shorter is refused by name, and the model goes on working."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from tiny_models import batch, call, program, prompt, ratio, step, tiny_llava
from transformers import DynamicCache, GenerationConfig, QuantizedCache
from transformers.cache_utils import DynamicSlidingWindowLayer, StaticSlidingWindowLayer

from eosdsl.diagnostics import SpecError
from eosdsl.ir.nodes import Step
from eosdsl.lowering.compile import Compiled, compile
from eosdsl.lowering.generating import REFUSED as GENERATING
from eosdsl.lowering.generating import REFUSED_CACHES as CACHES

P = batch([prompt([3, 0, 5]), prompt([2, 0, 9], 1)])
LENGTH = P.input_ids.shape[1]


def right_padded() -> dict[str, Any]:
    return {**P.inputs(), "attention_mask": P.attention_mask.flip(1)}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in P.inputs().items() if key != name}


def embeds(c: Compiled) -> torch.Tensor:
    return c.model.get_input_embeddings()(P.input_ids)


def filled(c: Compiled) -> DynamicCache:
    """A cache filled by the model without its operator."""
    c.detach()
    cache = c.model(**P.inputs()).past_key_values
    c.attach()
    return cache


REFUSED: list[tuple[str, str, Callable[[Compiled], Any]]] = [
    ("E0431", "labels", lambda c: c(**P.inputs(), labels=P.input_ids)),
    ("E0431", "output_attentions", lambda c: c(**P.inputs(), output_attentions=True)),
    ("E0431", "mask", lambda c: c(**{**P.inputs(), "attention_mask": torch.zeros(2, 1, LENGTH, LENGTH)})),
    ("E0431", "mask", lambda c: c(**{**P.inputs(), "attention_mask": {"full_attention": None}})),
    ("E0431", "cu_seq_lens_q", lambda c: c(**P.inputs(), cu_seq_lens_q=torch.tensor([0, 4]))),
    ("E0431", "token_type_ids", lambda c: c(**P.inputs(), token_type_ids=P.input_ids)),
    ("E0431", "bidirectional", lambda c: c(**P.inputs(), is_causal=False)),
    ("E0431", "made_up", lambda c: c(**P.inputs(), made_up=1)),
    (
        "E0431",
        "packed",
        lambda c: c(
            **without("attention_mask"),
            position_ids=torch.cat([torch.arange(10), torch.arange(LENGTH - 10)])[None].expand(2, -1),
            use_cache=False,
        ),
    ),
    ("E0432", "input_ids", lambda c: c(inputs_embeds=embeds(c), attention_mask=P.attention_mask)),
    ("E0432", "inputs_embeds", lambda c: c.generate(inputs_embeds=embeds(c), max_new_tokens=1)),
    ("E0432", "past its", lambda c: c.model.model.language_model(inputs_embeds=embeds(c))),
    ("E0433", "Sliding", lambda c: c(**P.inputs(), past_key_values=_sliding(StaticSlidingWindowLayer(64, 4)))),
    ("E0433", "offloaded", lambda c: c(**P.inputs(), past_key_values=_offloaded())),
    (
        "E0433",
        "offloaded static",
        lambda c: c.generate(**P.inputs(), max_new_tokens=1, cache_implementation="offloaded_static"),
    ),
    ("E0433", "offloaded", lambda c: c.generate(**P.inputs(), max_new_tokens=1, cache_implementation="offloaded")),
    ("E0433", "quantised", lambda c: c.generate(**P.inputs(), max_new_tokens=1, cache_implementation="quantized")),
    (
        "E0433",
        "offloaded",
        lambda c: c.generate(
            **P.inputs(), generation_config=GenerationConfig(max_new_tokens=1, cache_implementation="offloaded")
        ),
    ),
    ("E0433", "Sliding", lambda c: c(**P.inputs(), past_key_values=_sliding(DynamicSlidingWindowLayer(4)))),
    ("E0434", "assisted", lambda c: c.generate(**P.inputs(), max_new_tokens=1, assistant_model=c.model)),
    ("E0434", "prompt lookup", lambda c: c.generate(**P.inputs(), max_new_tokens=1, prompt_lookup_num_tokens=2)),
    ("E0434", "early-exit", lambda c: c.generate(**P.inputs(), max_new_tokens=1, assistant_early_exit=2)),
    ("E0434", "custom", lambda c: c.generate(**P.inputs(), max_new_tokens=1, custom_generate=lambda *_, **__: None)),
    ("E0433", "paged", lambda c: c.generate(**P.inputs(), max_new_tokens=1, cache_implementation="paged")),
    ("E0434", "chunked", lambda c: c.generate(**P.inputs(), max_new_tokens=1, prefill_chunk_size=4)),
    ("E0434", "continuous", lambda c: c.generate_batch([[1, 2, 3]])),
    ("E0434", "continuous", lambda c: c.model.generate_batch([[1, 2, 3]])),
    ("E0434", "output_attentions", lambda c: c.generate(**P.inputs(), max_new_tokens=1, output_attentions=True)),
    ("E0440", "right", lambda c: c(**right_padded())),
    ("E0446", "before the operator", lambda c: c(input_ids=P.input_ids[:, -1:], past_key_values=filled(c))),
]


def _offloaded() -> DynamicCache:
    cache = DynamicCache()
    cache.offloading = True
    return cache


def _sliding(layer: Any) -> DynamicCache:
    cache = DynamicCache()
    cache.layers.append(layer)
    return cache


def test_every_refused_way_of_generating_is_tried() -> None:
    tried = inspect.getsource(sys.modules[__name__])
    assert not [name for name in (*GENERATING, *CACHES) if f"{name}=" not in tried and f'"{name}"' not in tried]


@pytest.mark.parametrize(("code", "said", "use"), REFUSED)
def test_refused_by_name(code: str, said: str, use: Callable[[Compiled], Any]) -> None:
    compiled = compile(program(step(2, ratio("1/2"))), tiny_llava())
    expected = compiled(**P.inputs()).logits
    with pytest.raises(SpecError) as caught:
        use(compiled)
    assert [d.code for d in caught.value.diagnostics] == [code]
    assert said in caught.value.diagnostics[0].message
    assert torch.equal(compiled(**P.inputs()).logits, expected)


def test_nothing_is_refused_where_nothing_is_reduced() -> None:
    """An operator that retains all is the model, in all its ways."""
    model = tiny_llava("eager")
    with compile(program(step(2, ratio(1))), model) as compiled:
        assert compiled(**P.inputs(), labels=P.input_ids).loss is not None
        assert len(compiled(**P.inputs(), output_attentions=True).attentions) == 5
        static = compiled.generate(**P.inputs(), max_new_tokens=2, cache_implementation="static")
    assert torch.equal(static, model.generate(**P.inputs(), max_new_tokens=2, cache_implementation="static"))


def test_labels_that_name_no_row_ask_for_nothing() -> None:
    """PaliGemma's processor gives them with every prompt."""
    ignored = torch.full_like(P.input_ids, -100)
    with compile(program(step(2, ratio("1/2"))), tiny_llava()) as compiled:
        out = compiled(**P.inputs(), labels=ignored)
        assert out.loss is None
        assert torch.equal(out.logits, compiled(**P.inputs()).logits)


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        (step(2, ratio("1/2"), call("attention", query="last", layer=4)), "E0437"),
    ],
)
def test_what_the_decoder_does_not_offer(spec: Step, code: str) -> None:
    with pytest.raises(SpecError) as caught:
        compile(program(spec), tiny_llava())
    assert caught.value.diagnostics[0].code in (code, "E0403", "E0404", "E0343")


def test_cropping_into_a_reduced_image_is_refused() -> None:
    """Down to the end of the image a cache can be cut back; further it cannot."""
    p = prompt([3, 0, 5])
    with compile(program(step(2, ratio("1/2"))), tiny_llava()) as compiled:
        cache = compiled(**p.inputs()).past_key_values
        compiled(input_ids=torch.tensor([[7, 8]]), past_key_values=cache)
        cache.crop(-3)
        again = compiled(input_ids=torch.tensor([[9]]), past_key_values=cache).logits
        short = prompt([3, 0, 5])
        ids = torch.cat([short.input_ids[:, :-1], torch.tensor([[9]])], dim=1)
        assert cache.get_seq_length() == ids.shape[1]
        with pytest.raises(SpecError) as caught:
            cache.crop(-6)
    assert caught.value.diagnostics[0].code == "E0441"
    assert again.isfinite().all()


def test_a_reduced_cache_is_refused_by_a_model_without_its_operator() -> None:
    compiled = compile(program(step(2, ratio("1/2"))), tiny_llava())
    cache = compiled(**P.inputs()).past_key_values
    model = compiled.detach()
    with pytest.raises(SpecError) as caught:
        model(input_ids=P.input_ids[:, -1:], past_key_values=cache)
    assert caught.value.diagnostics[0].code == "E0446"


def test_a_quantised_cache_object() -> None:
    try:
        cache = QuantizedCache(backend="quanto", config=tiny_llava().config.text_config)
    except ImportError:
        pytest.skip("no quantisation package is installed")
    with compile(program(step(2, ratio("1/2"))), tiny_llava()) as compiled, pytest.raises(SpecError):
        compiled(**P.inputs(), past_key_values=cache)
