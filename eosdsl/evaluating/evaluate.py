"""`evaluate(...)`: specs × tasks × budgets on one model, resumable, every number from what was written down."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eosdsl.evaluating.budgets import TokenBudget
from eosdsl.evaluating.costs import Cost, cost_of
from eosdsl.evaluating.origin import origin, preprocessing_digest
from eosdsl.evaluating.questions import Task, batches, data_task, family_tasks
from eosdsl.evaluating.records import RESULTS, Folder, Record, lines
from eosdsl.evaluating.sides import Candidate, Gap, Side, sides_of
from eosdsl.evaluating.summary import Cell, TaskFacts, cells
from eosdsl.tasks.base import correct
from eosdsl.writing import write_text

if TYPE_CHECKING:
    from eosdsl.diagnostics import Diagnostic
    from eosdsl.evaluating.asking import Panel
    from eosdsl.evaluating.timing import Speed
    from eosdsl.models.facts import ModelFacts

SUMMARY, TIMING = "summary.json", "timing.json"
Progress = Callable[[str, int], None]
"""Called with what begins and how many steps there are in all, before every step."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What is asked and how. `tasks`: names of families, or none and `data`: a JSONL file or a `datasets` folder.

    `questions`: of every family, or at most so many of `data`. `rounds`: timings behind each median, 0 for none.
    `threads`: of the processor, None to leave them.
    """

    tasks: tuple[str, ...] = ()
    data: Path | None = None
    images: Path | None = None
    skip_bad: bool = False
    split: str = "test"
    difficulty: str = "medium"
    questions: int | None = None
    seed: int = 0
    batch: int = 25
    max_new_tokens: int = 16
    suffix: str = ""
    rounds: int = 3
    controls: bool = True
    dtype: str | None = None
    device: str | None = None


_QUESTIONS = 100
"""Of a family, where nobody says how many."""


@dataclass(frozen=True)
class Evaluation:
    """All that came of it. `skipped`: a diagnostic for every bad line of the data; `origin`: machine and versions."""

    model: str
    visual_tokens: int
    sides: tuple[Side, ...]
    gaps: tuple[Gap, ...]
    cells: tuple[Cell, ...]
    costs: dict[str, Cost]
    text_tokens: int
    image_tasks: tuple[str, ...]
    speeds: tuple[Speed, ...]
    skipped: tuple[Diagnostic, ...]
    settings: dict[str, Any]
    origin: dict[str, Any]
    random_weights: bool = False
    records: tuple[Record, ...] = field(default=(), repr=False)


def evaluate(
    candidates: Sequence[Candidate],
    model: str,
    out: Path,
    budgets: Sequence[TokenBudget] = (),
    settings: Settings | None = None,
    progress: Progress = lambda step, steps: None,
) -> Evaluation:
    """Ask a model all questions, as it is and with every spec at every budget, and write what it answers to `out`.

    The same call on the same folder goes on where an earlier one stopped. `out` gets `eval.json` (what was asked),
    `shards/` (answers, batch by batch), `results.jsonl`, `timing.json` and `summary.json`.

    Args:
        candidates: specs, each with the model that it was written for where that is another one.
        model: a folder or hub id with weights and a processor.
        out: the folder to write to.
        budgets: none: specs run as they are written.
        settings: what is asked and how.
        progress: told before every step.

    Raises:
        SpecError: E0680 where nothing is asked; E0682 where `out` holds another evaluation; what is wrong with specs,
            data, model (E0625, E064x, E0650) and folder (E060x).
    """
    from eosdsl.evaluating.asking import Asking, Panel
    from eosdsl.evaluating.loading import load
    from eosdsl.lowering.weights_digest import weights_digest
    from eosdsl.run.memory import memory_named

    chosen = settings or Settings()
    progress("loading the model", 1)
    source, facts, loaded, processor = load(model, chosen.dtype, chosen.device)
    tasks, skipped = _tasks(chosen, processor)
    sides, gaps = sides_of(candidates, budgets, facts, controls=chosen.controls)
    _check_numbers(candidates, sides)
    sides, refused = _compilable(sides, loaded)
    work = batches(tasks, chosen.batch)
    stamps = {"weights": f"sha256 {weights_digest(loaded)}", "preprocessing": preprocessing_digest(source)}
    manifest = _manifest(chosen, tasks, sides, facts, stamps)
    folder = Folder(out, manifest)
    steps = 1 + len(work) * len(sides) + len(sides) * bool(chosen.rounds)
    with memory_named():
        panel = Panel(loaded, processor, facts, sides, Asking(chosen.max_new_tokens, chosen.suffix))
        for number, (task, examples) in enumerate(work):
            if folder.has(number):
                for side in sides:
                    progress(f"{task.name}: {side.name} (done before)", steps)
                continue
            folder.write(number, _answers(panel, task, examples, work[:number], lambda name: progress(name, steps)))
        speeds = _speeds(panel, work, out, chosen, lambda name: progress(f"timing {name}", steps))
    records = folder.records(len(work))
    write_text(out / RESULTS, lines(records))
    text_tokens, costs = _costs(panel, work)
    known = {task.name: TaskFacts(task.chance, task.needs_image) for task in tasks}
    made = Evaluation(
        model=facts.name,
        visual_tokens=facts.visual_tokens,
        sides=tuple(sides),
        gaps=(*gaps, *refused),
        cells=tuple(cells(records, known, chosen.seed)),
        costs=costs,
        text_tokens=text_tokens,
        image_tasks=tuple(task.name for task in tasks if task.needs_image),
        speeds=speeds,
        skipped=skipped,
        settings={key: value for key, value in manifest.items() if key not in ("specs",)},
        origin=origin(),
        random_weights=_random_weights(source),
        records=tuple(records),
    )
    from eosdsl.evaluating.results import as_json

    write_text(out / SUMMARY, json.dumps(as_json(made), indent=1, ensure_ascii=False) + "\n")
    return made


def _tasks(chosen: Settings, processor: Any) -> tuple[list[Task], tuple[Diagnostic, ...]]:
    from eosdsl.diagnostics import SpecError, error
    from eosdsl.tasks.jsonl import writable_by

    tasks: list[Task] = []
    skipped: tuple[Diagnostic, ...] = ()
    if chosen.tasks:
        number = chosen.questions if chosen.questions is not None else _QUESTIONS
        tasks += family_tasks(chosen.tasks, chosen.split, number, chosen.difficulty, chosen.seed)
    if chosen.data is not None:
        can_write = writable_by(processor.tokenizer)
        task, skipped = data_task(
            chosen.data,
            images=chosen.images,
            skip_bad=chosen.skip_bad,
            can_write=can_write,
            most=chosen.questions,
        )
        tasks.append(task)
    if not tasks:
        helps = ("name families with --tasks, or a file with --data",)
        raise SpecError([error("E0680", "nothing is asked", helps=helps)])
    return tasks, skipped


def _check_numbers(candidates: Sequence[Candidate], sides: Sequence[Side]) -> None:
    """Learned numbers can be read, and somebody asks for them."""
    from eosdsl.diagnostics import SpecError, error
    from eosdsl.lowering.learned import tensors_of

    given = sorted({one.learned for one in candidates if one.learned is not None})
    for path in given:
        tensors_of(path)
    if given and not any(side.learned for side in sides):
        message = f"`{given[0]}` gives numbers, and none of the specs asks for learned scores"
        raise SpecError([error("E0459", message, helps=("leave it out, or name the spec that it belongs to",))])


def _compilable(sides: Sequence[Side], model: Any) -> tuple[list[Side], list[Gap]]:
    """The sides that the lowering takes, and a gap for each that it refuses."""
    from eosdsl.diagnostics import SpecError
    from eosdsl.lowering.compile import compile_program

    taken: list[Side] = []
    refused: list[Gap] = []
    for side in sides:
        try:
            if side.program is not None:
                compile_program(side.program, model, learned=side.learned).detach()
        except SpecError as problem:
            refused.append(Gap(side.method, side.budget, problem.diagnostics[0].message))
            continue
        taken.append(side)
    return taken, refused


def _answers(
    panel: Panel,
    task: Task,
    examples: Sequence[Any],
    before: Sequence[tuple[Task, Sequence[Any]]],
    progress: Callable[[str], None],
) -> list[Record]:
    start = sum(len(own) for other, own in before if other is task)
    panel.new_batch()
    records: list[Record] = []
    for side in panel.sides:
        progress(f"{task.name}: {side.name}")
        given = panel.ask(side, examples)
        for place, (example, answer) in enumerate(zip(examples, given, strict=True)):
            records.append(
                Record(
                    side=side.name,
                    method=side.method,
                    budget=side.budget,
                    task=task.name,
                    index=start + place,
                    question=example.question,
                    answer=example.answer,
                    given=answer.text,
                    correct=correct(answer.text, example.answer),
                    tokens=round(answer.tokens, 4),
                    images=len(example.images),
                )
            )
    return records


def _speeds(
    panel: Panel,
    work: Sequence[tuple[Task, Sequence[Any]]],
    out: Path,
    chosen: Settings,
    progress: Callable[[str], None],
) -> tuple[Speed, ...]:
    """Timings, taken once: they stay what they are when the command is run again."""
    from eosdsl.evaluating.timing import Speed, timed

    if not chosen.rounds:
        return ()
    standing = out / TIMING
    if standing.is_file():
        speeds = tuple(Speed(**one) for one in json.loads(standing.read_text(encoding="utf-8")))
        if [one.side for one in speeds] == [side.name for side in panel.sides]:
            for side in panel.sides:
                progress(f"{side.name} (done before)")
            return speeds
    examples = next((own for _, own in work if own[0].images), work[0][1])
    speeds = tuple(timed(panel, examples, chosen.rounds, progress))
    write_text(standing, json.dumps([asdict(one) for one in speeds], indent=1) + "\n")
    return speeds


def _costs(panel: Panel, work: Sequence[tuple[Task, Sequence[Any]]]) -> tuple[int, dict[str, Cost]]:
    """Text tokens of a prompt, the mean of the first batch with images, and what every side costs for such a one."""
    from eosdsl.cost.plan import plan_schedule

    examples = next((own for _, own in work if own[0].images), work[0][1])
    panel.new_batch()
    inputs: Any = panel.inputs(panel.sides[0], examples)
    images = max(len(one.images) for one in examples)
    visual = int((inputs["input_ids"] == panel.model.config.image_token_id).sum())
    text = round((int(inputs["attention_mask"].sum()) - visual) / len(examples))
    compiled = {side.name: panel.compiled(side) for side in panel.sides}
    plans = {
        name: plan_schedule(one.schedule, text_tokens=text, images=max(images, 1))
        for name, one in compiled.items()
        if one is not None
    }
    return text, {side.name: cost_of(side, plans, panel.facts, text, images) for side in panel.sides}


def _manifest(
    chosen: Settings, tasks: Sequence[Task], sides: Sequence[Side], facts: ModelFacts, stamps: dict[str, Any]
) -> dict[str, Any]:
    """What has to be equal for answers to be put together."""
    return {
        "eos_eval": 1,
        "model": facts.name,
        **stamps,
        "tasks": {task.name: len(task.examples) for task in tasks},
        "data": None if chosen.data is None else chosen.data.name,
        "split": chosen.split,
        "difficulty": chosen.difficulty,
        "seed": chosen.seed,
        "batch": chosen.batch,
        "max_new_tokens": chosen.max_new_tokens,
        "suffix": chosen.suffix,
        "dtype": chosen.dtype,
        "specs": {side.name: side.spec or side.said for side in sides},
        **({"learned": learned} if (learned := _numbers(sides)) else {}),
    }


def _numbers(sides: Sequence[Side]) -> dict[str, str]:
    """A digest of the learned numbers of every side that has some."""
    from eosdsl.lowering.learned import tensors_of
    from eosdsl.lowering.weights_digest import tensors_digest

    given = {side.name: side.learned for side in sides if side.learned is not None}
    return {name: f"sha256 {tensors_digest(tensors_of(path))}" for name, path in given.items()}


def _random_weights(source: str) -> bool:
    from eosdsl.zoo.small_llava import has_random_weights

    return has_random_weights(source)
