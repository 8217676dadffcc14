"""SparseVLM (arXiv 2410.04417): text raters choose; some of what is dropped comes back as density peaks."""

from __future__ import annotations

from eosdsl.golden.case import Case
from eosdsl.golden.comparing import Check, same_batches, same_masks, same_values
from eosdsl.operators.base import AttentionProbe, AttentionRows, Tokens
from eosdsl.operators.scores.attention import Attention
from eosdsl.operators.step import apply_step
from eosdsl.operators.tensors import marked


def select(case: Case) -> list[Check]:
    """Raters are counted from the first row after the image."""
    start = int(case.parameter("visual_start"))
    stop = start + int(case.parameter("visual_count"))
    rows = case.given("attention")[:, :, case.given("raters") + stop, start:stop]
    empty = rows.new_zeros((len(rows), stop - start, 1))
    made = apply_step(f"retain {case.parameter('retain')} tokens by attention(query: raters)", empty, attention=rows)
    seen = Tokens(
        empty, empty[:, :, 0], empty[:, :, 0].long(), attention={AttentionProbe("raters"): AttentionRows(rows)}
    )
    return [
        same_values("scores", Attention(query="raters").compute(seen), case.wanted("relation"), case.tolerance),
        same_masks("tokens kept", marked(made.anchors, stop - start), case.wanted("mask").bool()),
    ]


def recycle(case: Case) -> list[Check]:
    """As many neighbours as clusters, plain means."""
    clusters = case.parameter("clusters")
    step = f"retain {clusters} tokens pick density_peaks(k: {clusters}) via merge(weight: mean)"
    made = apply_step(step, case.given("hidden"))
    return [same_batches("rows", made.hidden, case.wanted("hidden"), case.tolerance)]
