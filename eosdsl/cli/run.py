"""`eosdsl run`: ask a model about images, full and reduced, side by side."""

from __future__ import annotations

import shutil
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eosdsl.cli.console import complain, say, settings_of, spec_source, wants_color
from eosdsl.cli.exits import exit_code
from eosdsl.cli.options import (
    AllowOutside,
    Color,
    ColorMode,
    Device,
    Dtype,
    Learned,
    Quiet,
    Settings,
    Spec,
    StdinFilename,
    Verbose,
)
from eosdsl.cli.warned import warnings_of
from eosdsl.diagnostics import SpecError
from eosdsl.run.question import Candidate, Question, ask_all
from eosdsl.run.steps import progress_bar, steps_of

if TYPE_CHECKING:
    from eosdsl.run.comparison import Comparison, Progress
    from eosdsl.source import SourceFile

EXAMPLES = """
eosdsl run fastv.eos --model ./llava-1.5-7b-hf --image cat.png --prompt "What animal is this?"
eosdsl run fastv.eos --model ./llava --image cat.png --prompt "Describe it." --overlay kept.png
eosdsl run fastv.eos --model ./llava --image a.png --image b.png --prompt "What differs?" --device cuda --dtype bfloat16
eosdsl run fastv.eos --model ./llava --image cat.png --prompt "Hm?" --output-format json | jq .reduced.answer
"""


class RunFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


def command(
    spec: Spec,
    model: Annotated[str, typer.Option("--model", "-m", metavar="PATH", help="A model folder or a hub id.")],
    image: Annotated[list[str], typer.Option("--image", metavar="FILE", help="A picture; repeatable, in order.")],
    prompt: Annotated[str, typer.Option("--prompt", metavar="TEXT", help="What to ask about the images.")],
    max_new_tokens: Annotated[int, typer.Option("--max-new-tokens", min=1, help="Longest answer.")] = 32,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Timings behind each median.")] = 5,
    overlay: Annotated[
        str | None,
        typer.Option("--overlay", metavar="FILE", help="Draw the tokens that survive each step.", show_default=False),
    ] = None,
    dtype: Dtype = None,
    device: Device = None,
    learned: Learned = None,
    set_: Settings = None,
    allow_outside: AllowOutside = False,
    output_format: Annotated[RunFormat, typer.Option("--output-format", help="How it is printed.")] = RunFormat.TEXT,
    stdin_filename: StdinFilename = None,
    color: Color = ColorMode.AUTO,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Ask a model about images, full and reduced, side by side.

    Prints both answers, the tokens that every layer holds, prefill and decode time, and the KV cache. Answers are
    greedy. Exit code 1 where the spec has errors or warnings, 2 where an image, the model or a file is at fault.
    """
    source = spec_source(spec, stdin_filename)
    settings = settings_of(set_)
    warnings = warnings_of(source, model, settings, allow_outside=allow_outside)
    question = Question(prompt, tuple(Path(one) for one in image), max_new_tokens, rounds)
    with progress_bar(steps_of(rounds), shown=not quiet and sys.stderr.isatty()) as progress:
        comparison = _ask(source, settings, allow_outside, model, question, overlay, dtype, device, learned, progress)
    warnings += list(comparison.warnings)
    say(_report(comparison, model, output_format, color))
    if warnings and not quiet:
        complain(warnings, source, color)
    if code := exit_code(warnings):
        raise typer.Exit(code)


def _ask(
    source: SourceFile,
    settings: dict[str, str],
    allow_outside: bool,
    model: str,
    question: Question,
    overlay: str | None,
    dtype: str | None,
    device: str | None,
    learned: str | None,
    progress: Progress,
) -> Comparison:
    from eosdsl.parsing import parse_source

    program = parse_source(source, settings=settings, allow_outside=allow_outside)
    try:
        candidate = Candidate(program, Path(overlay) if overlay else None, learned)
        return ask_all(model, question, [candidate], dtype=dtype, device=device, progress=progress)[0]
    except SpecError as problem:
        raise SpecError(problem.diagnostics, problem.source or source) from problem


def _report(comparison: Comparison, model: str, output_format: RunFormat, color: ColorMode) -> str:
    from eosdsl.run.report import report_json, report_text
    from eosdsl.zoo.small_llava import has_random_weights

    random_weights = has_random_weights(model)
    if output_format is RunFormat.JSON:
        return report_json(comparison, random_weights=random_weights)
    width = min(max(shutil.get_terminal_size((80, 24)).columns, 60), 100)
    return report_text(comparison, random_weights=random_weights, color=wants_color(color, sys.stdout), width=width)
