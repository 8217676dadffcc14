"""PACT (arXiv 2504.08966): distance bounded density peaks, which take in what was pruned before as well."""

from __future__ import annotations

import torch

from eosdsl.golden.case import Case
from eosdsl.golden.comparing import Check, same_masks, same_rows, same_values
from eosdsl.operators.step import apply_step


def run(case: Case) -> list[Check]:
    """Survivors come first, so `negate(position)` ranks them above the pruned, which cannot be centres."""
    hidden = torch.cat([case.given("hidden"), case.given("pruned_hidden")])[None]
    keys = torch.cat([case.given("keys"), case.given("pruned_keys")])[None]
    survivors = len(case.given("hidden"))
    cutoff = float(case.parameter("cutoff"))
    reach = cutoff * float(case.parameter("pruned_coefficient"))
    step = (
        f"retain distance {cutoff!r} by negate(position) "
        f"pick density_peaks(on: keys, by: cosine, kernel: gaussian, among: {survivors}/{hidden.shape[1]}) "
        f"via merge(within: distance {reach!r}, weight: mean)"
    )
    made = apply_step(step, hidden, keys=keys)
    centres = made.anchors[0]
    rows, sizes = torch.zeros_like(case.given("hidden")), torch.zeros(survivors)
    rows[centres], sizes[centres] = made.hidden[0], made.sizes[0]
    mask = torch.zeros(survivors, dtype=torch.bool)
    mask[centres] = True
    return [
        same_masks("centres", mask, case.wanted("mask").flatten().bool()),
        same_values("sizes", sizes, case.wanted("sizes"), case.tolerance),
        same_rows("rows", rows, case.wanted("hidden"), case.tolerance),
    ]
