"""Full against reduced: the same question, the same images, the same process, taken in turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from statistics import median
from typing import Any

from PIL import Image

from eosdsl.cost.plan import Plan, plan_schedule
from eosdsl.diagnostics import Diagnostic
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
    """A model as it is and with an operator. `records`: what survived each step; `rounds`: timings behind a median;
    `warnings`: of the compiled operator.
    """

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
    warnings: tuple[Diagnostic, ...] = ()


Progress = Callable[[str], None]


def compare(
    operators: Sequence[Compiled],
    processor: Any,
    prompt: str,
    images: Sequence[Image.Image],
    *,
    name: str = "",
    max_new_tokens: int = 32,
    rounds: int = 5,
    progress: Progress = lambda step: None,
) -> list[Comparison]:
    """Ask one model without an operator and with each of `operators`, which are compiled for it; time all of them.

    The answers come first and are the warm-up. Then all sides are timed in turns, `rounds` times, so that a machine
    that slows down slows all, and medians are taken. `progress` is called before each of the (1 + operators)(1 +
    rounds) answers. Operators are attached only while they are asked. `name` is what the model is called in the result.

    Raises:
        SpecError: E0623, E0627 for the prompt; what the lowering refuses.
    """
    for compiled in operators:
        compiled.detach()
    model = operators[0].model
    inputs = prepare(processor, prompt, images).to(model.device, model.dtype)
    visual = int((inputs["input_ids"] == model.config.image_token_id).sum())
    text_rows = inputs["input_ids"].shape[1] - visual
    sides: list[Compiled | None] = [None, *operators]
    answers: list[tuple[Answer, Footprint]] = []
    records: list[tuple[StepRecord, ...]] = []
    for side in sides:
        progress(f"{_name(side)}: answer")
        with side or nullcontext(), record(side) if side else nullcontext([]) as noted:
            answers.append(ask(model, processor, inputs, max_new_tokens))
            records.append(tuple(noted))
    timings = _timings(sides, model, inputs, max(2, min(max_new_tokens, TIMED_TOKENS)), rounds, progress)
    full, *reduced = (_side(*answer, text_rows, times) for answer, times in zip(answers, timings, strict=True))
    return [
        Comparison(
            program=compiled.program.name,
            model=name or compiled.schedule.model.name,
            device=str(model.device),
            dtype=str(model.dtype).removeprefix("torch."),
            images=len(images),
            text_rows=text_rows,
            rounds=rounds,
            full=full,
            reduced=own,
            records=noted,
            plan=plan_schedule(compiled.schedule, text_tokens=text_rows, images=len(images)),
            warnings=tuple(compiled.warnings),
        )
        for compiled, own, noted in zip(operators, reduced, records[1:], strict=True)
    ]


def _timings(
    sides: Sequence[Compiled | None], model: Any, inputs: Any, new_tokens: int, rounds: int, progress: Progress
) -> list[list[Timing]]:
    """Per side, its timings."""
    timings: list[list[Timing]] = [[] for _ in sides]
    for number in range(1, rounds + 1):
        for side, own in zip(sides, timings, strict=True):
            progress(f"{_name(side)}: timing {number} of {rounds}")
            with side or nullcontext():
                own.append(time_generate(model, inputs, new_tokens))
    return timings


def _name(side: Compiled | None) -> str:
    return side.program.name if side else "full"


def _side(answer: Answer, footprint: Footprint, text_rows: int, timings: Sequence[Timing]) -> Side:
    return Side(
        answer=answer,
        visual_rows=tuple(rows - text_rows for rows in footprint.rows),
        kv_bytes=footprint.kv_bytes,
        timing=Timing(median(t.prefill for t in timings), median(t.decode for t in timings)),
    )
