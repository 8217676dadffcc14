"""Full against reduced: the same question, the same images, the same process, taken in turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from PIL import Image

from eosdsl.cost.plan import Plan, plan_schedule
from eosdsl.lowering.compile import Compiled
from eosdsl.lowering.record import StepRecord, record
from eosdsl.run.clock import Timing, time_generate
from eosdsl.run.prompt import prepare
from eosdsl.run.side import Answer, Footprint, ask

TIMED_TOKENS = 16  # decode time is the mean over these, less where fewer are asked for


@dataclass(frozen=True)
class Side:
    """What one model did. `visual_rows`: of all images, held by each decoder layer."""

    answer: Answer
    visual_rows: tuple[int, ...]
    kv_bytes: int
    timing: Timing

    @property
    def mean_visual_rows(self) -> float:
        return sum(self.visual_rows) / len(self.visual_rows)


@dataclass(frozen=True)
class Comparison:
    """A model as it is and with an operator. `records`: what survived each step; `rounds`: timings behind a median."""

    program: str
    model: str
    device: str
    dtype: str
    images: int
    text_rows: int
    rounds: int
    full: Side
    reduced: Side
    records: tuple[StepRecord, ...]
    plan: Plan


Progress = Callable[[str], None]


def compare(
    compiled: Compiled,
    processor: Any,
    prompt: str,
    images: Sequence[Image.Image],
    *,
    max_new_tokens: int = 32,
    rounds: int = 5,
    progress: Progress = lambda step: None,
) -> Comparison:
    """Ask the model of `compiled` with and without its operator, and time both.

    The answers come first and are the warm-up; then both sides are timed in turns, `rounds` times, and medians taken.
    `progress` is called before each of the `2 + 2 * rounds` steps. `compiled` is left attached.

    Raises:
        SpecError: E0623, E0627 for the prompt; what the lowering refuses.
    """
    model = compiled.model
    inputs = prepare(processor, prompt, images).to(model.device, model.dtype)
    progress("reduced: answer")
    with compiled, record(compiled) as records:
        reduced_answer, reduced_print = ask(model, processor, inputs, max_new_tokens)
    progress("full: answer")
    full_answer, full_print = ask(model, processor, inputs, max_new_tokens)
    full_times, reduced_times = _timings(compiled, inputs, max(2, min(max_new_tokens, TIMED_TOKENS)), rounds, progress)
    visual = int((inputs["input_ids"] == model.config.image_token_id).sum())
    text_rows = inputs["input_ids"].shape[1] - visual
    compiled.attach()
    return Comparison(
        program=compiled.program.name,
        model=compiled.schedule.model.name,
        device=str(model.device),
        dtype=str(model.dtype).removeprefix("torch."),
        images=len(images),
        text_rows=text_rows,
        rounds=rounds,
        full=_side(full_answer, full_print, text_rows, full_times),
        reduced=_side(reduced_answer, reduced_print, text_rows, reduced_times),
        records=tuple(records),
        plan=plan_schedule(compiled.schedule, text_tokens=text_rows, images=len(images)),
    )


def _timings(
    compiled: Compiled, inputs: Any, new_tokens: int, rounds: int, progress: Progress
) -> tuple[list[Timing], list[Timing]]:
    """Timings of full and reduced, in turns, so that a machine that slows down slows both."""
    full: list[Timing] = []
    reduced: list[Timing] = []
    for number in range(1, rounds + 1):
        progress(f"full: timing {number} of {rounds}")
        full.append(time_generate(compiled.detach(), inputs, new_tokens))
        progress(f"reduced: timing {number} of {rounds}")
        with compiled:
            reduced.append(time_generate(compiled.model, inputs, new_tokens))
    return full, reduced


def _side(answer: Answer, footprint: Footprint, text_rows: int, timings: Sequence[Timing]) -> Side:
    return Side(
        answer=answer,
        visual_rows=tuple(rows - text_rows for rows in footprint.rows),
        kv_bytes=footprint.kv_bytes,
        timing=Timing(median(t.prefill for t in timings), median(t.decode for t in timings)),
    )
