"""What the reduction itself costs: scores, similarities, selection, merging, at every site."""

from __future__ import annotations

from collections.abc import Sequence

from eosdsl.ir.schedule import SiteReduction
from eosdsl.models.facts import ModelFacts
from eosdsl.operators.base import CostContext
from eosdsl.operators.needs import macs


def reducers_macs(reductions: Sequence[SiteReduction], facts: ModelFacts, text_tokens: int, images: int) -> int:
    """Multiply-accumulates of all reducers, for a prompt with so many text tokens and images."""
    return sum(images * macs(r.groups, _context(r, facts, text_tokens, images)) for r in reductions)


def _context(reduction: SiteReduction, facts: ModelFacts, text_tokens: int, images: int) -> CostContext:
    in_decoder = reduction.site.stream == "decoder"
    return site_context(facts, in_decoder, reduction.incoming, reduction.retained, text_tokens, images)


def site_context(
    facts: ModelFacts, in_decoder: bool, incoming: int, kept: int, text_tokens: int, images: int
) -> CostContext:
    """The sizes that operators at a site cost by: `incoming` tokens of an image, of which `kept` stay."""
    sizes = {"tokens": incoming, "kept": kept}
    if in_decoder or facts.encoder is None:
        decoder = facts.decoder
        return CostContext(
            **sizes,
            rows=text_tokens + images * incoming,
            text_rows=text_tokens,
            width=decoder.width,
            heads=decoder.heads,
            kv_heads=decoder.kv_heads,
            head_width=decoder.head_width,
        )
    encoder, patches = facts.encoder, facts.merge_area
    return CostContext(
        **sizes,
        rows=incoming * patches + encoder.extra_rows,
        text_rows=0,
        width=encoder.width * patches,
        heads=encoder.heads,
        kv_heads=encoder.heads,
        head_width=encoder.width // encoder.heads,
        patches=patches,
    )
