"""`eosdsl.search(space, model, data, out=folder)`: a space in, an operator out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from eosdsl.cost.latency import LatencyProfile, read_profile
from eosdsl.diagnostics import SpecError, error
from eosdsl.ir.nodes import Constraint, DiscreteProgram, RelaxedProgram
from eosdsl.ir.spell import spell
from eosdsl.parsing import parse, parse_source, source_of
from eosdsl.searching.baselines import by_method
from eosdsl.searching.gradient import METRICS, by_gradient
from eosdsl.searching.objective import Weights, weights_of
from eosdsl.searching.processes import Processes, launched
from eosdsl.searching.provenance import with_bound
from eosdsl.searching.result import Result, finish
from eosdsl.searching.session import Session, open_session
from eosdsl.searching.settings import Settings, settings_of
from eosdsl.searching.trainer import CHECKPOINT
from eosdsl.source import SourceFile

RELAXED = "relaxed"
_UNFINISHED = re.compile(r"\.(checkpoint|metrics|genome|report)-\w{8}\.\w+")
"""What a search that was killed while it wrote has left beside the files that it was to replace."""
Watch = Callable[[Mapping[str, Any]], None]


def search(
    space: RelaxedProgram | Path | str,
    model: Any,
    data: Any,
    out: Path | str | None = None,
    *,
    processor: Any = None,
    settings: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    method: str = RELAXED,
    resume: bool = False,
    teacher: DiscreteProgram | Path | str | None = None,
    profile: LatencyProfile | Path | str | None = None,
    questions: int = 128,
    dtype: str | None = None,
    device: str | None = None,
    tensorboard: bool = False,
    watch: Watch = lambda row: None,
    say: Callable[[str], None] = lambda line: None,
) -> Result:
    """Search a space for a model.

    Args:
        space: a space, a path, or its text. What it says under `minimise`, `subject to` and `search with` holds.
        model: a transformers vision-language model, or a folder or hub id of one. Its weights do not change.
        data: `"tasks"` (all task families), families (`"count,ocr"`), JSONL files, or examples.
        out: folder for checkpoint, metrics, operator and report; None writes nothing.
        processor: of the model; by default the one beside its weights.
        settings: values of the space's params, as text (`{"budget": "16"}`).
        overrides: of `search with`: steps, seed, batch, accumulate, checkpoint, rate, precision.
        method: `relaxed` (by gradient), or `random`, `halving`, `tpe`, `cma-es` at as many forward passes.
        resume: go on with the search in `out`.
        teacher: an operator whose hidden states are to be matched, instead of the unreduced model's.
        profile: of `eosdsl profile`, where a constraint is on latency.
        questions: held-back questions to derive by; as many others check the result.
        watch, say: called with the numbers of every step, and with what is done while deriving.

    Raises:
        SpecError: what is wrong with space, model or data, or E0670 to E0678.
    """
    program, source = _read(space, settings)
    session, chosen = opened(
        program,
        source,
        model,
        data,
        processor=processor,
        overrides=overrides,
        teacher=teacher,
        profile=profile,
        questions=questions,
        dtype=dtype,
        device=device,
    )
    return search_session(
        session,
        session.space.program.constraints,
        chosen,
        Path(out) if out is not None else None,
        method=method,
        resume=resume,
        tensorboard=tensorboard,
        watch=watch,
        say=say,
    )


def opened(
    program: RelaxedProgram | DiscreteProgram,
    source: SourceFile,
    model: Any,
    data: Any,
    *,
    processor: Any = None,
    overrides: Mapping[str, Any] | None = None,
    teacher: DiscreteProgram | Path | str | None = None,
    profile: LatencyProfile | Path | str | None = None,
    questions: int = 128,
    dtype: str | None = None,
    device: str | None = None,
) -> tuple[Session, Settings]:
    """What a search needs, loaded and looked at, and its settings. Raises SpecError as `search` does."""
    told = settings_of(program) if isinstance(program, RelaxedProgram) else Settings()
    settings = told.changed(**dict(overrides or {}))
    session = open_session(
        program,
        source,
        model,
        data,
        processor=processor,
        questions=questions,
        seed=settings.seed,
        pool=settings.pool,
        dtype=dtype,
        device=device,
        profile=read_profile(Path(profile)) if isinstance(profile, (str, Path)) else profile,
        teacher=_teacher(teacher),
        processes=launched(),
    )
    return session, settings


def search_session(
    session: Session,
    constraints: tuple[Constraint, ...],
    settings: Settings,
    folder: Path | None,
    *,
    method: str = RELAXED,
    resume: bool = False,
    tensorboard: bool = False,
    watch: Watch = lambda row: None,
    say: Callable[[str], None] = lambda line: None,
) -> Result:
    """As `search`, for a session: several searches can share one."""
    weights = objective_of(session)
    if folder is not None:
        _prepare(folder, resume, session.processes)
    if method == RELAXED:
        run = by_gradient(
            session, weights, constraints, settings, folder, resume=resume, tensorboard=tensorboard, report=watch
        )
    else:
        run = by_method(method, session, weights, constraints, settings, watch)
    session.processes.wait()
    tries = settings.refine if method == RELAXED else 0
    return finish(run, session, weights, constraints, folder if session.processes.leads else None, say, refine=tries)


def search_front(
    session: Session,
    budgets: Sequence[int],
    settings: Settings,
    folder: Path,
    *,
    method: str = RELAXED,
    resume: bool = False,
    tensorboard: bool = False,
    watch: Callable[[int], Watch] = lambda budget: lambda row: None,
    say: Callable[[str], None] = lambda line: None,
) -> list[Result]:
    """A search for every bound on tokens, each in a folder of its own; model and data are loaded once."""
    own = session.space.program.constraints
    return [
        search_session(
            session,
            with_bound(own, budget),
            settings,
            folder / str(budget),
            method=method,
            resume=resume,
            tensorboard=tensorboard,
            watch=watch(budget),
            say=say,
        )
        for budget in budgets
    ]


def objective_of(session: Session) -> Weights:
    """The space's objective; with a teacher alignment of hidden states alone."""
    if session.teacher is not None:
        return Weights(hidden=1.0, rooted=True)
    return weights_of(session.space.program.objective)


def _read(
    space: RelaxedProgram | Path | str, settings: Mapping[str, str] | None
) -> tuple[RelaxedProgram | DiscreteProgram, SourceFile]:
    if isinstance(space, (Path, str)):
        source = source_of(space)
        return parse_source(source, settings=settings), source
    return space, SourceFile(space.name, spell(space))


def _teacher(given: DiscreteProgram | Path | str | None) -> DiscreteProgram | None:
    if given is None or isinstance(given, DiscreteProgram):
        return given
    program = parse(given)
    if isinstance(program, DiscreteProgram):
        return program
    raise SpecError([error("E0677", f"the teacher {program.name} is a space", helps=("a teacher is an operator",))])


def _prepare(folder: Path, resume: bool, processes: Processes) -> None:
    """Make the folder, on the process that leads: one that comes later would take its first rows for another search's.

    Raises:
        SpecError: E0676 where a search lies in it that is not to go on.
    """
    if processes.leads:
        _refuse_another(folder, resume)
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            if _UNFINISHED.fullmatch(path.name):
                path.unlink()
    processes.wait()


def _refuse_another(folder: Path, resume: bool) -> None:
    there = [name for name in (CHECKPOINT, METRICS, "report.json") if (folder / name).exists()]
    if there and not resume:
        message = f"{folder} holds a search already ({there[0]})"
        raise SpecError([error("E0676", message, helps=("go on with it: --resume", "or name another folder"))])
