"""A comparison as text for people and as JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from eosdsl.views.plan_table import amount, runs, size

if TYPE_CHECKING:
    from rich.table import Table

    from eosdsl.run.comparison import Comparison, Side

RANDOM = "The weights of this model are random: its answers say nothing; counts, times and memory do."


def report_text(comparison: Comparison, *, random_weights: bool, color: bool = False, width: int = 80) -> str:
    """Answers, then tokens, times, memory and FLOPs side by side, without a line end at its end."""
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
        console.print(_title(comparison), style="bold", markup=False)
        console.print(_answers(comparison))
        console.print(_table(comparison))
        for line in _remarks(comparison, random_weights):
            console.print(line, style="dim", markup=False)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def report_json(comparison: Comparison, *, random_weights: bool) -> str:
    """The same as JSON: times in seconds, memory in bytes, counts over all images of the prompt."""
    return json.dumps(
        {
            "eos_run": 1,
            "program": comparison.program,
            "model": comparison.model,
            "random_weights": random_weights,
            "device": comparison.device,
            "dtype": comparison.dtype,
            "images": comparison.images,
            "text_tokens": comparison.text_rows,
            "rounds": comparison.rounds,
            "full": _side_json(comparison.full, comparison.plan.full_flops),
            "reduced": _side_json(comparison.reduced, comparison.plan.flops),
            "steps": [
                {"layer": step.layer, "kept": [list(image.kept) for image in step.images]}
                for step in comparison.records
            ],
        },
        indent=2,
        ensure_ascii=False,
    )


def _side_json(side: Side, flops: int) -> dict[str, Any]:
    return {
        "answer": side.answer.text,
        "answer_tokens": side.answer.tokens,
        "visual_tokens_per_layer": list(side.visual_rows),
        "prefill_seconds": side.timing.prefill,
        "decode_seconds_per_token": side.timing.decode,
        "kv_cache_bytes": side.kv_bytes,
        "flops": flops,
    }


def _title(comparison: Comparison) -> str:
    images = "1 image" if comparison.images == 1 else f"{comparison.images} images"
    return (
        f"{comparison.program} on {comparison.model} ({comparison.dtype}, {comparison.device}): "
        f"{images}, {comparison.full.visual_rows[0]} visual and {comparison.text_rows} text tokens"
    )


def _answers(comparison: Comparison) -> Table:
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    made.add_row("full", Text(comparison.full.answer.text))
    made.add_row("reduced", Text(comparison.reduced.answer.text))
    return made


def _table(comparison: Comparison) -> Table:
    from rich import box
    from rich.table import Table

    full, reduced, plan = comparison.full, comparison.reduced, comparison.plan
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for number, name in enumerate(("", "full", "reduced", "")):
        made.add_column(name, justify="right" if 0 < number < 3 else "left", no_wrap=True)
    for layers in _layers(comparison):
        made.add_row(*layers)
    made.add_row(
        "mean over layers",
        f"{full.mean_visual_rows:g}",
        f"{reduced.mean_visual_rows:.4g}",
        _share(reduced.mean_visual_rows, full.mean_visual_rows),
    )
    made.add_section()
    made.add_row("FLOPs of prefill", amount(plan.full_flops), amount(plan.flops), _share(plan.flops, plan.full_flops))
    made.add_row(
        "prefill, measured",
        duration(full.timing.prefill),
        duration(reduced.timing.prefill),
        _factor(full.timing.prefill, reduced.timing.prefill),
    )
    made.add_row(
        "decode, per token",
        duration(full.timing.decode),
        duration(reduced.timing.decode),
        _factor(full.timing.decode, reduced.timing.decode),
    )
    made.add_row(
        "KV cache after prefill",
        size(full.kv_bytes),
        size(reduced.kv_bytes),
        _share(reduced.kv_bytes, full.kv_bytes),
    )
    return made


def _layers(comparison: Comparison) -> Iterator[tuple[str, str, str, str]]:
    """One row per run of layers with equal counts."""
    pairs = list(zip(comparison.full.visual_rows, comparison.reduced.visual_rows, strict=True))
    for first, last, (full, reduced) in runs(pairs):
        name = f"visual tokens, layer {first}" if first == last else f"visual tokens, layers {first}..{last}"
        yield name, str(full), str(reduced), _share(reduced, full)


def _remarks(comparison: Comparison, random_weights: bool) -> Iterator[str]:
    yield (
        f"Times: median of {comparison.rounds}, full and reduced in turns after a warm-up. "
        "Prefill is from the call to the first token, vision tower included."
    )
    if random_weights:
        yield RANDOM


def duration(seconds: float) -> str:
    """`1.234 s`, `56.7 ms`."""
    return f"{seconds:.3f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else ""


def _factor(full: float, reduced: float) -> str:
    return f"{full / reduced:.2f} times as fast"
