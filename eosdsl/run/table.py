"""The full model and reduced ones side by side, as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from eosdsl.views.plan_table import amount, runs, size

if TYPE_CHECKING:
    from rich.table import Table

    from eosdsl.run.comparison import Comparison

Row = tuple[str, str, list[tuple[str, str]]]
"""What is compared, of the full model, and of each reduced one: its value and how that relates to the full one's."""


def comparison_table(comparisons: Sequence[Comparison], names: Sequence[str]) -> Table:
    """Tokens by layer, FLOPs, times and memory; one pair of columns per comparison. All share their full side."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    made.add_column("visual tokens held by", justify="left", no_wrap=True)
    made.add_column("full", justify="right", no_wrap=True)
    for name in names:
        made.add_column(name, justify="right", no_wrap=True)
        made.add_column("", justify="left", no_wrap=True)
    for row in _token_rows(comparisons):
        made.add_row(*_cells(row))
    made.add_section()
    for row in _cost_rows(comparisons):
        made.add_row(*_cells(row))
    return made


def _cells(row: Row) -> list[str]:
    name, full, others = row
    return [name, full, *(cell for pair in others for cell in pair)]


def _token_rows(comparisons: Sequence[Comparison]) -> Iterator[Row]:
    """One row per run of layers with equal counts in all columns, then the means."""
    full = comparisons[0].full
    counts = list(zip(full.visual_rows, *(one.reduced.visual_rows for one in comparisons), strict=True))
    for first, last, (whole, *left) in runs(counts):
        name = f"layer {first}" if first == last else f"layers {first}..{last}"
        yield name, str(whole), [(str(held), _share(held, whole)) for held in left]
    means = [one.reduced.mean_visual_rows for one in comparisons]
    whole = full.mean_visual_rows
    yield "mean over layers", f"{whole:.5g}", [(f"{mean:.5g}", _share(mean, whole)) for mean in means]


def _cost_rows(comparisons: Sequence[Comparison]) -> Iterator[Row]:
    full, flops = comparisons[0].full, comparisons[0].plan.full_flops
    yield (
        "FLOPs of prefill",
        amount(flops),
        [(amount(one.plan.flops), _share(one.plan.flops, flops)) for one in comparisons],
    )
    prefill, decode = full.timing.prefill, full.timing.decode
    times = [one.reduced.timing for one in comparisons]
    yield "prefill, measured", _duration(prefill), [(_duration(t.prefill), _factor(prefill, t.prefill)) for t in times]
    yield "decode, per token", _duration(decode), [(_duration(t.decode), _factor(decode, t.decode)) for t in times]
    caches = [one.reduced.kv_bytes for one in comparisons]
    yield "KV cache after it", size(full.kv_bytes), [(size(held), _share(held, full.kv_bytes)) for held in caches]


def _duration(seconds: float) -> str:
    """`1.234 s`, `56.7 ms`."""
    return f"{seconds:.3f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else ""


def _factor(full: float, reduced: float) -> str:
    """`1.66x as fast`."""
    return f"{full / reduced:.2f}x as fast"
