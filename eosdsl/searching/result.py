"""From the genome that a search ends with to what it hands back: operator, report, files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from eosdsl.cost.expect import predicted
from eosdsl.cost.learned import asked_by
from eosdsl.cost.plan import plan_schedule
from eosdsl.ir.genome import Genome
from eosdsl.ir.nodes import Constraint, DiscreteProgram
from eosdsl.ir.schedule import Schedule
from eosdsl.ir.spell import spell
from eosdsl.lowering.compile import compile_program
from eosdsl.lowering.learned import TENSORS, networks, tensor_bytes
from eosdsl.parsing import parse
from eosdsl.passes.bind import bind
from eosdsl.resources import resource
from eosdsl.run.clock import synchronise
from eosdsl.searching.batch import Batch
from eosdsl.searching.constraints import title
from eosdsl.searching.derive import derive
from eosdsl.searching.judge import Judge, Verdict, seen_on
from eosdsl.searching.members import Members
from eosdsl.searching.objective import Seen, Weights
from eosdsl.searching.provenance import Origin, stamped
from eosdsl.searching.report import Check, Judged, Report, write_report
from eosdsl.searching.session import Session
from eosdsl.writing import file_in_one_piece, write_text

GENOME = "genome.json"
_TIMED = 5


@dataclass(frozen=True)
class Result:
    """`program` can be planned, compiled and run; `report` says how it does; `text` is the `.eos` file; `learned`: the
    numbers of its learned scores, for `compile(program, model, learned=…)`.
    """

    program: DiscreteProgram
    report: Report
    text: str
    folder: Path | None = None
    learned: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])


@dataclass(frozen=True)
class Run:
    """What a way of searching came to: a genome, how it was got, and what that took. `others`: members that it met
    before and that deriving compares with it; `networks`: of learned scores, as they were trained on the way."""

    genome: Genome
    method: str
    steps: int
    seed: int
    seconds: float
    forwards: int
    skipped: int = 0
    relaxed_loss: float | None = None
    others: Sequence[Genome] = ()
    rows: Sequence[Mapping[str, Any]] = ()
    networks: nn.ModuleDict | None = None


def finish(
    run: Run,
    session: Session,
    weights: Weights,
    constraints: tuple[Constraint, ...],
    folder: Path | None,
    say: Callable[[str], None] = lambda line: None,
    *,
    refine: int = 0,
) -> Result:
    """Derive, measure, stamp, report and write.

    Raises:
        SpecError: E0675 where no member near the searched one meets the constraints, E060x where nothing can be
            written.
    """
    members = Members(session.space, session.facts, constraints, session.profile)
    targets = _targets(session, weights) if weights.aligns else None
    judge = Judge(session.model, session.derive_on, weights, targets, run.networks)
    derived = derive(run.genome, members, judge, say, refine=refine, others=run.others)
    check = Judge(session.model, session.check_on, Weights(task=1.0), networks=run.networks)
    verdict, full = check.verdict(derived.program), check.full()
    origin = _origin(run, session)
    program = stamped(derived.program, constraints, session.facts, origin, verdict, full, session.profile)
    text = spell(program)
    report = _report(run, session, program, text, derived.genome, derived.steps, judge, check, constraints)
    learned = _learned(program, session, run)
    if folder is not None:
        _write(report, run, program, text, derived.genome, learned, folder)
    return Result(program, report, text, folder, learned.state_dict())


def _targets(session: Session, weights: Weights) -> list[Seen]:
    """What the derived operator is compared with: the model as it is, or under the teacher's spec."""
    if session.teacher is None:
        return seen_on(session.model, session.derive_on, weights)
    with compile_program(session.teacher, session.model) as compiled:
        return seen_on(compiled, session.derive_on, weights)


def _origin(run: Run, session: Session) -> Origin:
    return Origin(
        spec=session.spec_name,
        spec_hash=session.spec_hash,
        model=session.model_name,
        model_hash=session.model_hash,
        seed=run.seed,
        how=f"{run.method}, step {run.steps}" if run.method != "relaxed" else f"step {run.steps}",
        data=session.data.validation.name,
        questions=sum(len(batch.images) for batch in session.check_on),
    )


def _report(
    run: Run,
    session: Session,
    program: DiscreteProgram,
    text: str,
    genome: Genome,
    steps: tuple[str, ...],
    judge: Judge,
    check: Judge,
    constraints: tuple[Constraint, ...],
) -> Report:
    schedule, _ = bind(program, session.facts)
    assert schedule is not None
    plan = plan_schedule(schedule)
    bare = program.model_copy(update={"expectations": ()})
    milliseconds, whole = _timed(bare, session)
    return Report(
        space=session.space.program.name,
        model=session.model_name,
        method=run.method,
        operator=text,
        genome=json.loads(genome.to_json()),
        steps=run.steps,
        seed=run.seed,
        skipped=run.skipped,
        seconds=run.seconds,
        forwards=run.forwards,
        deriving_forwards=judge.forwards,
        relaxed_loss=run.relaxed_loss,
        derived_loss=float(judge.verdict(bare).task.mean()),
        check=_checked(check.verdict(bare), check.full()),
        tokens_per_layer=plan.tokens_per_layer,
        mean_tokens=plan.mean_tokens,
        flops_ratio=plan.ratio,
        kv_cache_ratio=plan.kv_cache_ratio,
        constraints=tuple(_told(one) for one in constraints),
        deriving=steps,
        judged=tuple(_judged(judge, session)),
        milliseconds=milliseconds,
        full_milliseconds=whole,
        predicted_latency=_predicted(schedule, session),
    )


def _predicted(schedule: Schedule, session: Session) -> float | None:
    """The share of the full model's prefill that the profile expects for the prompt that is timed; None without one."""
    rows = session.raw([session.data.validation.question(0)]).inputs["input_ids"].shape[1]
    text = max(rows - session.facts.visual_tokens, 0)
    reduced, full = predicted(schedule, text, 1, session.profile)
    return None if reduced is None or full is None else reduced / full


def _told(constraint: Constraint) -> str:
    bound = constraint.bound
    shown = f"{float(100 * bound.value):g}%" if bound.unit == "ratio" else f"{float(bound.value):g} {bound.unit}"
    return f"{title(constraint)} {constraint.comparison} {shown}"


def _checked(verdict: Verdict, full: Verdict) -> Check:
    count = len(verdict.right)
    share = verdict.accuracy
    return Check(
        questions=count,
        accuracy=share,
        accuracy_error=(share * (1 - share) / max(count, 1)) ** 0.5,
        task=float(verdict.task.mean()),
        full_accuracy=full.accuracy,
        full_task=float(full.task.mean()),
    )


def _judged(judge: Judge, session: Session) -> list[Judged]:
    """Every program that was measured while deriving, with its mean tokens by the plan."""
    found: list[Judged] = []
    for program, verdict in judge.measured():
        schedule, _ = bind(program, session.facts)
        if schedule is not None:
            found.append(Judged(float(schedule.mean_tokens), float(verdict.task.mean()), verdict.accuracy))
    return found


@torch.no_grad()
def _timed(program: DiscreteProgram, session: Session) -> tuple[float, float]:
    """Median milliseconds of a forward over one question, with the operator and without, taken in turns."""
    batch = session.raw([session.data.validation.question(0)])
    compiled = compile_program(program, session.model)
    reduced: list[float] = []
    full: list[float] = []
    for _ in range(_TIMED + 1):
        reduced.append(_milliseconds(session.model, batch))
        compiled.detach()
        full.append(_milliseconds(session.model, batch))
        compiled.attach()
    compiled.detach()
    return median(reduced[1:]), median(full[1:])


def _milliseconds(model: Any, batch: Batch) -> float:
    started = perf_counter()
    model(**batch.inputs, use_cache=True, logits_to_keep=1)
    synchronise(batch.labels.device)
    return 1000 * (perf_counter() - started)


def _learned(program: DiscreteProgram, session: Session, run: Run) -> nn.ModuleDict:
    """The networks that the derived operator asks, with what the search taught them."""
    schedule, _ = bind(program, session.facts)
    assert schedule is not None
    return networks(asked_by(schedule), pool=run.networks)


def _write(
    report: Report,
    run: Run,
    program: DiscreteProgram,
    text: str,
    genome: Genome,
    learned: nn.ModuleDict,
    folder: Path,
) -> None:
    write_text(folder / f"{program.name}.eos", text)
    numbers = tensor_bytes(learned)
    if numbers is not None:
        with file_in_one_piece(folder / TENSORS) as unfinished:
            unfinished.write_bytes(numbers)
    write_text(folder / GENOME, genome.to_json(indent=2) + "\n")
    write_report(report, run.rows, program, landmarks(), folder)


def landmarks() -> list[DiscreteProgram]:
    """The named methods, for the map."""
    methods = sorted(resource("specs").glob("methods/*.eos"))
    programs = [parse(path) for path in methods if "as_published" not in path.name]
    return [one for one in programs if isinstance(one, DiscreteProgram)]
