"""Multiply-accumulates of the parts of a vision-language model; FLOPs are twice as many.

Norms, activations, rotary embeddings, softmax and additions are not counted: they are below a thousandth. Attention is
counted whole, as every implementation computes it with a mask, not the causal half.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, NamedTuple

from eosdsl.cost.counts import Count, total
from eosdsl.models.facts import DecoderFacts, EncoderFacts, ModelFacts


class Rows(NamedTuple, Generic[Count]):
    """Rows in one layer: in its attention, and in its MLP (fewer after a site `after attention`)."""

    attention: Count
    mlp: Count


def decoder_macs(decoder: DecoderFacts, rows: Sequence[Rows[Count]]) -> Count:
    """The decoder's layers, over so many rows each."""
    return total(
        decoder_attention_macs(decoder, one.attention)
        + _mlp(one.mlp, decoder.width, decoder.mlp_width, decoder.mlp_matrices)
        for one in rows
    )


def decoder_attention_macs(decoder: DecoderFacts, rows: Count) -> Count:
    """2 n d H d_h (queries, output) + 2 n d H_kv d_h (keys, values) + 2 n^2 H d_h (logits, weighted sum)."""
    inner = decoder.heads * decoder.head_width
    return 2 * rows * decoder.width * (inner + decoder.kv_width) + 2 * rows**2 * inner


def tower_macs(encoder: EncoderFacts, patches: int, layers: Sequence[Rows[Count]]) -> Count:
    """Patch embedding of all patches and every layer of the tower over so many patches, with CLS and registers among
    the rows.

    All layers count, those too that run after the features were taken.
    """
    embedding = patches * encoder.patch_values * encoder.width
    return embedding + total(_tower_layer(encoder, number, patched) for number, patched in enumerate(layers))


def _tower_layer(encoder: EncoderFacts, number: int, patched: Rows[Count]) -> Count:
    rows = patched.attention + encoder.extra_rows
    projections = 4 * rows * encoder.width**2
    attention = 2 * rows * _reach(encoder, number, rows) * encoder.width
    return (
        projections
        + attention
        + _mlp(patched.mlp + encoder.extra_rows, encoder.width, encoder.mlp_width, encoder.mlp_matrices)
    )


def _reach(encoder: EncoderFacts, number: int, rows: Count) -> Count:
    """Rows that a row attends to: those of its tile, or of its window."""
    whole: Any = rows
    in_tile = whole if encoder.tiles == 1 else -(-whole // encoder.tiles)
    return min(encoder.window, in_tile) if encoder.window and number in encoder.windowed_layers else in_tile


def projector_macs(facts: ModelFacts, visual_tokens: Count) -> Count:
    """The linear maps between tower and decoder; newline tokens, which no patch stands for, do not pass them."""
    if facts.projector is None:
        return 0 * visual_tokens
    others = facts.visual_tokens - facts.patches // facts.merge_area
    newlines = others if facts.encoder is None or others > facts.encoder.extra_rows else 0
    return (visual_tokens - newlines) * sum(wide * narrow for wide, narrow in facts.projector.linears)


def head_macs(decoder: DecoderFacts) -> int:
    """The vocabulary's logits of one row: prefill needs those of the prompt's last row."""
    return decoder.width * decoder.vocabulary


def _mlp(rows: Count, width: int, mlp_width: int, matrices: int) -> Count:
    return matrices * rows * width * mlp_width
