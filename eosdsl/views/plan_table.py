"""A plan as a table for people: tokens layer by layer, costs part by part, what speed-up they allow."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.table import Table

    from eosdsl.cost.plan import Plan

T = TypeVar("T")
_BAR = 30  # columns


def plan_table(plan: Plan, *, color: bool = False, width: int = 80, ascii_only: bool = False) -> str:
    """The plan as text of at most `width` columns (72 or more), without a line end at its end."""
    from rich.console import Console

    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=color,
        no_color=not color,
        color_system="standard" if color else None,
        highlight=False,
        emoji=False,
        legacy_windows=False,
    )
    with console.capture() as captured:
        console.print(_title(plan), style="bold", markup=False)
        console.print(_tokens(plan, ascii_only, min(_BAR, max(width - 50, 0))))
        console.print(_costs(plan, ascii_only))
        for line in _remarks(plan):
            console.print(line, markup=False)
        console.print()
        console.print(plan.convention.replace("²", "^2") if ascii_only else plan.convention, style="dim", markup=False)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def runs(counts: Sequence[T]) -> list[tuple[int, int, T]]:
    """First layer, last layer and count of every run of layers with equal counts."""
    numbered = groupby(enumerate(counts), key=lambda pair: pair[1])
    rows = [(count, [layer for layer, _ in group]) for count, group in numbered]
    return [(layers[0], layers[-1], count) for count, layers in rows]


def amount(value: float) -> str:
    """`4.252 T`, `203.0 G`, `0`: four digits and a prefix."""
    for size, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            digits = 3 if value < 10 * size else 2 if value < 100 * size else 1
            return f"{value / size:.{digits}f} {prefix}"
    return f"{value:.0f}"


def size(value: int) -> str:
    """Bytes: `320.0 MiB`."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if value >= unit:
            return f"{value / unit:.1f} {name}"
    return f"{value} B"


def _title(plan: Plan) -> str:
    images = "an image" if plan.images == 1 else f"{plan.images} images"
    if not plan.full_kv_cache_bytes:
        return f"{plan.program} on {plan.model}: {images} of {plan.visual_tokens} patches"
    return (
        f"{plan.program} on {plan.model}: {images} of {plan.visual_tokens} visual tokens, "
        f"{plan.text_tokens} text tokens"
    )


def _table(ascii_only: bool, *columns: str) -> Table:
    from rich import box
    from rich.table import Table

    made = Table(box=box.ASCII2 if ascii_only else box.SIMPLE_HEAD, padding=(0, 1), pad_edge=ascii_only)
    for number, name in enumerate(columns):
        made.add_column(name, justify="right" if number else "left", no_wrap=True)
    return made


def _tokens(plan: Plan, ascii_only: bool, bar: int) -> Table:
    """Visual tokens entering decoder layers, and rows entering those of the tower where it is reduced."""
    table = _table(ascii_only, "tokens entering", "tokens", "of full")
    table.add_column("", justify="left", no_wrap=True)
    block = "#" if ascii_only else "█"
    encoder = runs(plan.encoder_tokens_per_layer)
    alone = not plan.full_kv_cache_bytes
    if len(encoder) > 1 and not alone:
        for first, last, count in encoder:
            share = count / encoder[0][2]
            name = _layers("encoder layer", first, last)
            table.add_row(name, str(count), f"{share:.1%}", block * round(bar * share), style="cyan")
    pairs = list(zip(plan.least_tokens_per_layer, plan.tokens_per_layer, strict=True))
    for first, last, (least, most) in runs(pairs):
        share = most / plan.visual_tokens
        count = str(most) if least == most else f"{least} to {most}"
        table.add_row(
            _layers("encoder layer" if alone else "layer", first, last),
            count,
            f"{share:.1%}",
            block * round(bar * share),
        )
    mean = f"{plan.mean_tokens:.2f}".rstrip("0").rstrip(".")
    table.add_row("mean over layers", mean, f"{plan.tokens_ratio:.1%}", "", style="bold")
    return table


def _layers(name: str, first: int, last: int) -> str:
    return f"{name} {first}" if first == last else f"{name}s {first}..{last}"


def _costs(plan: Plan, ascii_only: bool) -> Table:
    table = _table(
        ascii_only, "one prefill" if plan.full_kv_cache_bytes else "one pass", "full MACs", "MACs", "FLOPs", "of full"
    )
    full, own = plan.full_macs, plan.macs
    parts = (
        ("decoder, whole prompt", full.decoder, own.decoder),
        ("  visual tokens alone", full.decoder_visual, own.decoder_visual),
        ("vision tower", full.tower, own.tower),
        ("projector", full.projector, own.projector),
        ("reducers", full.reducers, own.reducers),
        ("head, last row", full.head, own.head),
    )
    for name, before, after in parts:
        if before or after or plan.full_kv_cache_bytes:
            table.add_row(name, amount(before), amount(after), amount(2 * after), _share(after, before))
    table.add_row("total", amount(full.total), amount(own.total), amount(plan.flops), f"{plan.ratio:.1%}", style="bold")
    if not plan.full_kv_cache_bytes:
        return table
    table.add_section()
    cache = size(plan.kv_cache_bytes)
    table.add_row("KV cache after it", size(plan.full_kv_cache_bytes), cache, "", f"{plan.kv_cache_ratio:.1%}")
    return table


def _share(after: int, before: int) -> str:
    return f"{after / before:.1%}" if before else ""


def _remarks(plan: Plan) -> Iterator[str]:
    if plan.learned_parameters:
        yield f"Learned scores carry {plan.learned_parameters:,} numbers of their own."
    if not plan.full_kv_cache_bytes:
        yield f"The encoder can get at most {plan.speedup_bound:.2f} times as fast."
        return
    yield (
        f"Prefill can get at most {plan.decoder_speedup_bound:.2f} times as fast in the decoder, "
        f"{plan.speedup_bound:.2f} times with the vision tower."
    )
    yield "Decoding reads all weights for every token: a smaller cache helps it at large batches or long contexts."
    if plan.servable:
        yield "Counts are known before the image is encoded."
    else:
        yield f"Counts depend on the image: costs are the most; at the least {amount(plan.least_flops)}FLOPs in all."
    if plan.reads_text:
        yield "It reads the question: what is kept of an image cannot be cached across questions."
