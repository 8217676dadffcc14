"""`eosdsl search`: a space, a model and data to a derived operator with its report."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eosdsl.cli.console import complain, say, settings_of, spec_source
from eosdsl.cli.options import Color, ColorMode, Device, Dtype, Quiet, Settings, StdinFilename, Verbose
from eosdsl.cli.warned import warnings_of

if TYPE_CHECKING:
    from eosdsl.ir.nodes import DiscreteProgram, RelaxedProgram
    from eosdsl.searching.result import Result
    from eosdsl.source import SourceFile

EXAMPLES = """
eosdsl search hybrid.eos --model tiny-llava --data tasks --out found        search, derive, report
eosdsl search hybrid.eos --model tiny-llava --data tasks --out found --resume  go on after a crash
eosdsl search hybrid.eos --model ./my-llava --data vqa.jsonl --out front --budgets 192,128,64
eosdsl search hybrid.eos --model tiny-llava --data tasks --out random --method random
accelerate launch --multi_gpu --num_processes 2 -m eosdsl search hybrid.eos --model tiny-llava --data tasks --out found
"""


def command(
    space: Annotated[str, typer.Argument(metavar="SPACE", help="A .eos file with a space.", show_default=False)],
    model: Annotated[str, typer.Option("--model", "-m", metavar="MODEL", help="A folder with weights, or a hub id.")],
    data: Annotated[
        str, typer.Option("--data", "-d", metavar="DATA", help="tasks, families (count,ocr), or JSONL files.")
    ],
    out: Annotated[str, typer.Option("--out", "-o", metavar="FOLDER", help="Where everything is written.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the search in FOLDER.")] = False,
    budgets: Annotated[
        str | None,
        typer.Option("--budgets", help="Bounds on tokens, a search for each: 192,128,64.", show_default=False),
    ] = None,
    method: Annotated[str, typer.Option("--method", help="relaxed, random, halving, tpe or cma-es.")] = "relaxed",
    teacher: Annotated[
        str | None,
        typer.Option("--teacher", metavar="SPEC", help="Match the model under this operator.", show_default=False),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option("--profile", metavar="FILE", help="What `eosdsl profile` measured.", show_default=False),
    ] = None,
    questions: Annotated[int, typer.Option("--questions", min=2, help="Held back to derive by; as many check.")] = 128,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="As the space says.", show_default=False)] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="As the space says.", show_default=False)] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", min=1, help="Questions a step; as the space says.", show_default=False)
    ] = None,
    accumulate: Annotated[
        int | None, typer.Option("--accumulate", min=1, help="Parts of a batch; as the space says.", show_default=False)
    ] = None,
    checkpoint: Annotated[
        int | None, typer.Option("--checkpoint", min=1, help="Steps between checkpoints.", show_default=False)
    ] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Metrics for TensorBoard too.")] = False,
    dtype: Dtype = None,
    device: Device = None,
    set_: Settings = None,
    stdin_filename: StdinFilename = None,
    color: Color = ColorMode.AUTO,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Search a space for a model on data; write the derived operator, its report and everything needed to go on.

    FOLDER receives NAME.eos, report.html, report.png, report.json, metrics.jsonl, genome.json and the checkpoint. Exit
    code 1 where the space has errors or warnings on the model, 2 where files, model or data are at fault.
    """
    from eosdsl.searching.search import opened, search_front, search_session

    source = spec_source(space, stdin_filename)
    program = _checked(source, model, settings_of(set_), color, quiet)
    overrides = {"steps": steps, "seed": seed, "batch": batch, "accumulate": accumulate, "checkpoint": checkpoint}
    session, settings = opened(
        program,
        source,
        model,
        data,
        overrides=overrides,
        teacher=Path(teacher) if teacher else None,
        profile=Path(profile) if profile else None,
        questions=questions,
        dtype=dtype,
        device=device,
    )
    shown = not quiet and session.processes.leads
    tell = partial(say, to_stderr=True) if shown else _nothing
    bounds = _bounds(budgets)
    common: dict[str, Any] = {"method": method, "resume": resume, "tensorboard": tensorboard, "say": tell}
    if bounds:
        with _watching(shown, settings.steps * len(bounds)) as watch:
            found = search_front(session, bounds, settings, Path(out), watch=lambda budget: watch, **common)
    else:
        with _watching(shown, settings.steps) as watch:
            constraints = session.space.program.constraints
            found = [search_session(session, constraints, settings, Path(out), watch=watch, **common)]
    if session.processes.leads:
        for one in found:
            say(_summary(one))


def _checked(
    source: SourceFile, model: str, settings: dict[str, str], color: ColorMode, quiet: bool
) -> RelaxedProgram | DiscreteProgram:
    """The program of a text without errors on the model; its warnings are printed."""
    from eosdsl.parsing import parse_source

    warnings = warnings_of(source, model, settings)
    if warnings and not quiet:
        complain(warnings, source, color)
    return parse_source(source, settings=settings)


def _bounds(budgets: str | None) -> list[int]:
    if budgets is None:
        return []
    parts = [part.strip() for part in budgets.split(",")]
    if not all(part.isdigit() and int(part) > 0 for part in parts):
        raise typer.BadParameter(f"{budgets!r} is no list of numbers of tokens", param_hint="--budgets")
    return [int(part) for part in parts]


@contextmanager
def _watching(shown: bool, steps: int) -> Generator[Callable[[Mapping[str, Any]], None]]:
    """A progress bar on standard error, and what moves it."""
    if not shown:
        yield _nothing
        return
    from rich.console import Console

    from eosdsl.cli.steps_bar import StepsBar

    with StepsBar(steps, Console(stderr=True)) as bar:
        yield bar.watch


def _summary(result: Result) -> str:
    report, check = result.report, result.report.check
    lines = [
        result.text.rstrip(),
        "",
        f"accuracy {check.accuracy:.3f} ± {check.accuracy_error:.3f} (full model {check.full_accuracy:.3f}) "
        f"on {check.questions} held-back questions",
    ]
    if report.gap is not None:
        lines.append(f"discretisation gap {report.gap:+.4f} in task loss")
    lines.append(
        f"written to {result.folder}/: {', '.join(sorted(p.name for p in (result.folder or Path()).iterdir()))}"
    )
    return "\n".join(lines)


def _nothing(_: Any) -> None:
    pass
