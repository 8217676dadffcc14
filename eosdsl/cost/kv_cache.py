"""Bytes of the key-value cache after prefill."""

from __future__ import annotations

from collections.abc import Sequence

from eosdsl.cost.counts import Count, total
from eosdsl.models.facts import DecoderFacts


def kv_cache_bytes(decoder: DecoderFacts, rows: Sequence[Count], bytes_per_value: int) -> Count:
    """Keys and values of the rows that enter attention in every layer: 2 * sum(n_l) * d_kv * bytes."""
    return 2 * total(rows) * decoder.kv_width * bytes_per_value
