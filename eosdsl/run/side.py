"""One side of a comparison: what a model, full or reduced, answers, and what it holds after prefill."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eosdsl.lowering.cache_name import cache_of


@dataclass(frozen=True)
class Answer:
    """`text` without special tokens; `tokens` generated, the end of the answer included."""

    text: str
    tokens: int


@dataclass(frozen=True)
class Footprint:
    """What prefill leaves behind, read from the cache: rows that each decoder layer took in, and the bytes of those
    that it holds. They differ in sliding layers of a full model, which forget what has left their window.
    """

    rows: tuple[int, ...]
    kv_bytes: int


def ask(model: Any, processor: Any, inputs: Any, max_new_tokens: int) -> tuple[Answer, Footprint]:
    """The greedy answer to a batch of one, and the cache that its prompt filled."""
    output = model.generate(
        **inputs, max_new_tokens=max_new_tokens, do_sample=False, num_beams=1, return_dict_in_generate=True
    )
    new = output.sequences[0, inputs["input_ids"].shape[1] :]
    text = processor.tokenizer.decode(new, skip_special_tokens=True)
    return Answer(text.strip(), len(new)), _footprint(cache_of(output), decoded=len(new) - 1)


def _footprint(cache: Any, decoded: int) -> Footprint:
    """The cache without the `decoded` rows that generation added to every layer behind the prompt."""
    rows: list[int] = []
    kv_bytes = 0
    for layer in cache.layers:
        held = int(layer.keys.shape[-2])
        rows.append((int(layer.get_seq_length()) if layer.is_sliding else held) - decoded)
        kv_bytes += min(held, rows[-1]) * ((layer.keys.nbytes + layer.values.nbytes) // held)
    return Footprint(tuple(rows), kv_bytes)
