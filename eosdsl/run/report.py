"""A comparison as text for people and as JSON."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from eosdsl.passes.sites import site_name
from eosdsl.run.table import comparison_table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from eosdsl.run.comparison import Comparison, Side
    from eosdsl.run.side import Answer

RANDOM = "The weights of this model are random: its answers say nothing; counts, times and memory do."


def report_text(comparison: Comparison, *, random_weights: bool, color: bool = False, width: int = 80) -> str:
    """Answers, then tokens, times, memory and FLOPs side by side, without a line end at its end."""
    from rich.text import Text

    parts = [
        Text(_title(comparison), style="bold"),
        answers([("full", comparison.full.answer), ("reduced", comparison.reduced.answer)]),
        comparison_table([comparison], ["reduced"]),
        *remarks(comparison, random_weights),
    ]
    return rendered(parts, color=color, width=width)


def rendered(parts: Sequence[RenderableType], *, color: bool, width: int) -> str:
    """What rich draws of the parts, as text; in ASCII where standard output writes no more than that."""
    from rich.console import Console

    console = Console(
        file=_Sheet(),
        width=width,
        force_terminal=color,
        no_color=not color,
        color_system="standard" if color else None,
        highlight=False,
        emoji=False,
        legacy_windows=False,
    )
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


class _Sheet(io.StringIO):
    """A text buffer that rich takes to write what standard output writes: its lines and boxes follow that."""

    @property
    def encoding(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]  # read-only in StringIO too
        return sys.stdout.encoding or "utf-8"


def answers(given: Sequence[tuple[str, Answer]]) -> RenderableType:
    """Who answered what."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, answer in given:
        made.add_row(name, Text(answer.text))
    return made


def remarks(comparison: Comparison, random_weights: bool) -> Iterator[RenderableType]:
    """How times were taken, and what the numbers do not say."""
    from rich.text import Text

    yield Text(
        f"Times: median of {comparison.rounds}, all in turns after a warm-up. "
        "Prefill is from the call to the first token, vision tower included.",
        style="dim",
    )
    if random_weights:
        yield Text(RANDOM, style="dim")


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
                {"site": site_name(step.site), "kept": [list(image.kept) for image in step.images]}
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
