"""`eosdsl plan`: tokens, FLOPs and KV cache of a spec on a model, without weights."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eosdsl.cli.console import complain, say, settings_of, spec_source, table_width, wants_color, writes_blocks
from eosdsl.cli.exits import exit_code
from eosdsl.cli.options import AllowOutside, Color, ColorMode, Quiet, Settings, Spec, StdinFilename, Verbose
from eosdsl.cli.warned import warnings_of
from eosdsl.diagnostics import Diagnostic

if TYPE_CHECKING:
    from eosdsl.cost.plan import Plan
    from eosdsl.ir.schedule import Schedule
    from eosdsl.source import SourceFile

EXAMPLES = """
eosdsl plan fastv.eos --model llava                     on LLaVA-1.5-7B, whose config ships with eosdsl
eosdsl plan fastv.eos --model ./my-llava                on a model folder
eosdsl plan fastv.eos --model llava --text-tokens 512   with a longer question
eosdsl plan fastv.eos --model ./my-llava --profile laptop.json  milliseconds, as this machine was measured
eosdsl plan fastv.eos --model llava --output-format json | jq .ratio
eosdsl plan trim.eos --model llava --serving            whether an engine like vLLM can run it
"""


class PlanFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


def command(
    spec: Spec,
    model: Annotated[
        str,
        typer.Option("--model", "-m", metavar="MODEL", help="A shipped name (eosdsl models), a folder or a hub id."),
    ],
    text_tokens: Annotated[int, typer.Option("--text-tokens", min=0, help="Text tokens of the prompt.")] = 64,
    images: Annotated[int, typer.Option("--images", min=1, help="Images in the prompt.")] = 1,
    serving: Annotated[
        bool, typer.Option("--serving", help="Say whether a serving engine can run it, instead of what it costs.")
    ] = False,
    profile: Annotated[
        str | None,
        typer.Option("--profile", metavar="FILE", help="What `eosdsl profile` measured.", show_default=False),
    ] = None,
    set_: Settings = None,
    allow_outside: AllowOutside = False,
    output_format: Annotated[PlanFormat, typer.Option("--output-format", help="How it is printed.")] = PlanFormat.TEXT,
    stdin_filename: StdinFilename = None,
    color: Color = ColorMode.AUTO,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Count tokens, FLOPs and KV cache of a spec on a model, without weights.

    Tokens are those that enter every layer, per image. Exit code 1 where the spec has warnings or an `expect` of it
    does not hold (the plan is printed all the same), or errors.
    """
    from eosdsl.cost.expect import check_expectations
    from eosdsl.cost.latency import read_profile
    from eosdsl.cost.plan import bound_schedule, plan_schedule
    from eosdsl.parsing import parse_source
    from eosdsl.views.plan_table import plan_table

    source = spec_source(spec, stdin_filename)
    settings = settings_of(set_)
    found = _findings(source, model, settings, allow_outside)
    program = parse_source(source, settings=settings, allow_outside=allow_outside)
    schedule, _ = bound_schedule(program, model)
    table = read_profile(Path(profile)) if profile is not None else None
    made = plan_schedule(schedule, text_tokens=text_tokens, images=images, profile=table)
    found += check_expectations(schedule, text_tokens=text_tokens, images=images, profile=table)
    if serving:
        say(_serving(schedule, output_format))
    elif output_format is PlanFormat.JSON:
        say(made.to_json().rstrip())
    else:
        paint = wants_color(color, sys.stdout)
        say(plan_table(made, color=paint, width=table_width(), ascii_only=not writes_blocks()))
    if table is not None and output_format is PlanFormat.TEXT and not serving:
        say(_predicted(made))
    shown = [d for d in found if d.is_error or not quiet]
    if shown:
        complain(shown, source, color)
    if code := exit_code(found):
        raise typer.Exit(code)


def _serving(schedule: Schedule, output_format: PlanFormat) -> str:
    from eosdsl.serving.fitness import fitness
    from eosdsl.views.serving import serving_text

    answers = fitness(schedule)
    return (
        json.dumps(answers.to_json(), indent=2) if output_format is PlanFormat.JSON else serving_text(schedule, answers)
    )


def _predicted(made: Plan) -> str:
    assert made.milliseconds is not None and made.full_milliseconds is not None
    ratio = made.full_milliseconds / made.milliseconds
    return (
        f"\nPrefill predicted by the profile: {made.milliseconds:.2f} ms, full model {made.full_milliseconds:.2f} ms, "
        f"{ratio:.2f} times as fast."
    )


def _findings(source: SourceFile, model: str, settings: dict[str, str], allow_outside: bool) -> list[Diagnostic]:
    """Warnings of the spec on the model; its errors are raised, but for expectations: those depend on the prompt, and
    on a machine's profile."""
    from eosdsl.cost.expect import UNMEASURED, UNMET

    return warnings_of(source, model, settings, allow_outside=allow_outside, let_pass=(UNMET, UNMEASURED))
