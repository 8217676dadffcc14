"""Anybody's tensors as the tokens of a step: shapes checked, what was left out filled in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eosdsl.diagnostics import SpecError, error
from eosdsl.operators.base import (
    AttentionProbe,
    AttentionRows,
    KeysProbe,
    LearnedProbe,
    Probe,
    TextProbe,
    Tokens,
    ValuesProbe,
)


@dataclass(frozen=True)
class Inputs:
    """What `apply_step` was given, as it was given."""

    hidden: Tensor
    keys: Tensor | None
    values: Tensor | None
    attention: Tensor | Mapping[str, Tensor] | None
    text: Tensor | None
    sizes: Tensor | None
    grid: tuple[int, int] | None
    valid: Tensor | None
    index: Tensor | None
    frame: Tensor | None
    learned: Mapping[str, Tensor] | None


def tokens_of(given: Inputs, probes: Iterable[Probe]) -> Tokens:
    """The tokens of a batch; SpecError (E0241) names the tensor whose shape does not fit."""
    hidden, index, text, grid = given.hidden, given.index, given.text, given.grid
    _expect("hidden", hidden, "[B, N, D]", hidden.dim() == 3 and hidden.is_floating_point())
    batch, length, _ = hidden.shape
    for name, table in _tables(given):
        _expect(name, table, f"[{batch}, {length}]", table is None or tuple(table.shape) == (batch, length))
    _expect("text", text, f"[{batch}, T, F]", text is None or (text.dim() in (2, 3) and len(text) == batch))
    fits = grid is None or index is not None or grid[0] * grid[1] == length
    _expect("grid", grid, f"rows x columns = {length} tokens (or give `index`, their places in the grid)", fits)
    return Tokens(
        hidden=hidden,
        sizes=torch.ones((batch, length), device=hidden.device) if given.sizes is None else given.sizes.float(),
        index=torch.arange(length, device=hidden.device).expand(batch, length) if index is None else index,
        valid=given.valid,
        keys=_heads_beside("keys", given.keys, batch, length),
        values=_heads_beside("values", given.values, batch, length),
        attention=_rows_of(given.attention, probes, batch, length),
        text=text[:, None] if text is not None and text.dim() == 2 else text,
        grid=None if grid is None else (int(grid[0]), int(grid[1])),
        frame=given.frame,
        learned=given.learned or {},
        ascending=index is None,
    )


def _tables(given: Inputs) -> list[tuple[str, Tensor | None]]:
    """The inputs that are [B, N]."""
    own = [("sizes", given.sizes), ("index", given.index), ("valid", given.valid), ("frame", given.frame)]
    return own + [(f"learned[{name}]", scores) for name, scores in (given.learned or {}).items()]


def is_given(probe: Probe, tokens: Tokens) -> bool:
    """Whether the tokens carry what the probe asks for."""
    if isinstance(probe, KeysProbe):
        return tokens.keys is not None
    if isinstance(probe, ValuesProbe):
        return tokens.values is not None
    if isinstance(probe, TextProbe):
        return tokens.text is not None
    if isinstance(probe, LearnedProbe):
        return probe.module in tokens.learned
    return probe in tokens.attention


def _rows_of(
    attention: Tensor | Mapping[str, Tensor] | None, probes: Iterable[Probe], batch: int, length: int
) -> dict[AttentionProbe, AttentionRows]:
    """The same rows for all attention that the step reads, or those given for its query (`{"last": …, "text": …}`)."""
    rows: dict[AttentionProbe, AttentionRows] = {}
    for probe in probes:
        if not isinstance(probe, AttentionProbe):
            continue
        weights = attention.get(probe.query) if isinstance(attention, Mapping) else attention
        if weights is None:
            continue
        fits = weights.dim() == 4 and weights.shape[0] == batch and weights.shape[3] == length
        _expect("attention", weights, f"[{batch}, H, R, {length}]: R query rows over the N visual tokens", fits)
        rows[probe] = AttentionRows(weights)
    return rows


def _heads_beside(name: str, table: Tensor | None, batch: int, length: int) -> Tensor | None:
    """[B, N, F] as it is; [B, H, N, d] with the heads side by side."""
    if table is not None and table.dim() == 4 and table.shape[0] == batch and table.shape[2] == length:
        return table.transpose(1, 2).flatten(2)
    fits = table is None or (table.dim() == 3 and tuple(table.shape[:2]) == (batch, length))
    _expect(name, table, f"[{batch}, {length}, F] or [{batch}, H, {length}, d]", fits)
    return table


def _expect(name: str, found: Tensor | Sequence[int] | None, shape: str, fits: bool) -> None:
    if fits:
        return
    shown = f"{list(found.shape)} of {found.dtype}" if isinstance(found, Tensor) else str(found)
    message = f"`{name}` is {shown} where {shape} is needed"
    raise SpecError([error("E0241", message, helps=("see the shapes in the documentation of `eosdsl.apply_step`",))])
