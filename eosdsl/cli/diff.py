"""`eosdsl diff`: what changes from one spec to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from eosdsl.cli.console import say, settings_of, spec_source
from eosdsl.cli.exits import FINDINGS
from eosdsl.cli.models import TableFormat
from eosdsl.cli.options import AllowOutside, Color, ColorMode, Model, Quiet, Settings, Verbose
from eosdsl.diagnostics import SpecError

if TYPE_CHECKING:
    from eosdsl.ir.nodes import DiscreteProgram, RelaxedProgram
    from eosdsl.ir.schedule import Schedule
    from eosdsl.models.facts import ModelFacts
    from eosdsl.source import SourceFile
    from eosdsl.views.difference import Difference

EXAMPLES = """
eosdsl diff fastv.eos mine.eos                  on the first model of their family
eosdsl diff fastv.eos mine.eos --model qwen2-vl-7b
git show HEAD~1:fastv.eos | eosdsl diff - fastv.eos
"""

USUAL = "llava-1.5-7b"

Before = Annotated[str, typer.Argument(metavar="BEFORE", help="A .eos file, or - for stdin.", show_default=False)]
After = Annotated[str, typer.Argument(metavar="AFTER", help="Another.", show_default=False)]


def command(
    before: Before,
    after: After,
    model: Model = None,
    output_format: Annotated[TableFormat, typer.Option("--output-format", help="Text or JSON.")] = TableFormat.TEXT,
    set_: Settings = None,
    allow_outside: AllowOutside = False,
    color: Color = ColorMode.AUTO,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Say what changes from one spec to another: tokens in every layer, costs, behaviour; not the text.

    Exit code 0 where they do the same, 1 where they differ. Spaces are compared without a model.
    """
    from eosdsl.views.difference_text import difference_json, difference_text

    if before == after == "-":
        raise typer.BadParameter("only one of the two can be standard input", param_hint="AFTER")
    settings = settings_of(set_)
    old, new = (_read(spec, settings, allow_outside) for spec in (before, after))
    found = _difference(old, new, model)
    if output_format is TableFormat.JSON:
        say(difference_json(found))
    elif not quiet:
        say(difference_text(found))
    if not found.is_empty:
        raise typer.Exit(FINDINGS)


Read = tuple["SourceFile", "DiscreteProgram | RelaxedProgram"]


def _read(spec: str, settings: dict[str, str], allow_outside: bool) -> Read:
    from eosdsl.parsing import parse_source

    source = spec_source(spec)
    return source, parse_source(source, settings=settings, allow_outside=allow_outside)


def _difference(old: Read, new: Read, model: str | None) -> Difference:
    from eosdsl.ir.nodes import DiscreteProgram
    from eosdsl.models.registry import facts
    from eosdsl.views.difference import program_difference, schedule_difference

    if not isinstance(old[1], DiscreteProgram) or not isinstance(new[1], DiscreteProgram):
        return program_difference(old[1], new[1])
    known = facts(model or _usual_model(old[1].family or new[1].family))
    return schedule_difference(_bound(old[0], old[1], known), _bound(new[0], new[1], known))


def _usual_model(family: str | None) -> str:
    """The first shipped model of a family."""
    from eosdsl.models.registry import facts, names

    return next((name for name in names() if facts(name).family == family), USUAL)


def _bound(source: SourceFile, program: DiscreteProgram, known: ModelFacts) -> Schedule:
    from eosdsl.passes.bind import bind

    schedule, found = bind(program, known)
    if schedule is None:
        raise SpecError([d for d in found if d.is_error], source)
    return schedule
