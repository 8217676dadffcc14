"""What must agree: indices exactly, rows as multisets to a tolerance."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from eosdsl.golden.case import is_half


@dataclass(frozen=True)
class Check:
    """One comparison: what was compared, whether it agrees, and by how much it does not."""

    what: str
    agrees: bool
    detail: str


def same_indices(what: str, found: Tensor, wanted: Tensor) -> Check:
    """Two sets of indices, each without repetition."""
    left, right = sorted(found.flatten().tolist()), sorted(wanted.flatten().tolist())
    if left == right:
        return Check(what, len(set(left)) == len(left), f"{len(right)} the same")
    return Check(what, False, f"{len(set(left) & set(right))} of {len(right)} in common")


def same_masks(what: str, found: Tensor, wanted: Tensor) -> Check:
    """Two boolean masks, entry by entry."""
    if found.shape != wanted.shape:
        return Check(what, False, f"shape {list(found.shape)} instead of {list(wanted.shape)}")
    wrong = int((found != wanted).sum())
    return Check(what, wrong == 0, f"{int(wanted.sum())} marked" if not wrong else f"{wrong} entries differ")


def same_values(what: str, found: Tensor, wanted: Tensor, tolerance: float) -> Check:
    """Two tensors, entry by entry, within tolerance (absolute, or 1e-5 of the value, or a unit in the last place of
    half precision)."""
    if found.shape != wanted.shape:
        return Check(what, False, f"shape {list(found.shape)} instead of {list(wanted.shape)}")
    return _judged(what, (found.double() - wanted.double()).abs(), wanted, tolerance)


def same_rows(what: str, found: Tensor, wanted: Tensor, tolerance: float) -> Check:
    """Two lists of rows [K, D] as multisets: every row has a partner of its own within tolerance."""
    if found.shape != wanted.shape:
        return Check(what, False, f"shape {list(found.shape)} instead of {list(wanted.shape)}")
    gap = (_matched(found.double(), wanted.double()) - wanted.double()).abs()
    return _judged(what, gap, wanted, tolerance)


def same_batches(what: str, found: Tensor, wanted: Tensor, tolerance: float) -> Check:
    """Rows [B, K, D] as multisets, sample by sample; the worst of them."""
    if len(found) != len(wanted):
        return Check(what, False, f"{len(found)} samples instead of {len(wanted)}")
    checks = [same_rows(what, one, other, tolerance) for one, other in zip(found, wanted, strict=True)]
    return min(checks, key=lambda check: (check.agrees, check.detail))


def _judged(what: str, gap: Tensor, wanted: Tensor, tolerance: float) -> Check:
    share = torch.finfo(wanted.dtype).eps if is_half(wanted) else 1e-5
    allowed = torch.clamp(wanted.double().abs() * share, min=tolerance)
    worst = float(gap.max()) if gap.numel() else 0.0
    return Check(what, bool((gap <= allowed).all()), f"largest difference {worst:.1e}, allowed {tolerance:.0e}")


def _matched(found: Tensor, wanted: Tensor) -> Tensor:
    """The rows of `found`, each beside its nearest free partner in `wanted`."""
    gaps = (found[None] - wanted[:, None]).abs().amax(dim=2)
    order: list[int] = []
    for row in range(len(wanted)):
        nearest = int(gaps[row].argmin())
        order.append(nearest)
        gaps[:, nearest] = torch.inf
    return found[order]
