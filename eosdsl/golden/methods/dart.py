"""DART (arXiv 2502.11494): pivots of large key norm, and what is least like them."""

from __future__ import annotations

import torch

from eosdsl.golden.case import Case
from eosdsl.golden.comparing import Check, same_indices
from eosdsl.operators.picks.repel import spread
from eosdsl.operators.step import apply_step
from eosdsl.operators.tensors import marked, unit_rows


def run(case: Case) -> list[Check]:
    """As published: pivots in the order of a Python set, and pivots times the floor of the share for the rest."""
    hidden, keys = case.given("hidden"), case.given("keys").transpose(1, 2).flatten(2)
    start = int(case.parameter("visual_start"))
    stop = start + int(case.parameter("visual_count"))
    of_image = _largest(hidden[:, start:stop], keys[:, start:stop], int(case.parameter("pivot_image"))) + start
    of_text = _largest(hidden[:, stop:], keys[:, stop:], int(case.parameter("pivot_text"))) + stop
    # the original iterates over a set of both: its order is part of what is published
    order = list(set(of_image.tolist() + of_text.tolist()))
    units = unit_rows(hidden.float())
    quotas = torch.full((1, len(order)), int(case.parameter("requested")) // len(order))
    kept = marked((of_image - start)[None], stop - start)
    kept = spread(units[:, start:stop], units[:, order], quotas, torch.ones_like(kept), kept)
    return [same_indices("tokens kept", kept[0].nonzero() + start, case.wanted("kept"))]


def _largest(hidden: torch.Tensor, keys: torch.Tensor, count: int) -> torch.Tensor:
    """The rows [count] with the largest 1-norm of their keys, from the largest down."""
    step = f"retain {count} tokens by norm(keys, p: 1) with order: score"
    return apply_step(step, hidden, keys=keys).anchors[0]
