"""`eosdsl ir`: the typed program of a spec as versioned JSON."""

from __future__ import annotations

from typing import Annotated

import typer

from eosdsl.cli.console import say, settings_of, spec_source
from eosdsl.cli.options import AllowOutside, Color, ColorMode, Quiet, Settings, StdinFilename, Verbose

EXAMPLES = """
eosdsl ir fastv.eos                    the program as JSON
eosdsl ir fastv.eos --spans            with the place of every node
eosdsl ir fastv.eos | jq .program.steps
eosdsl ir --schema                     the JSON Schema of that output
"""


def command(
    spec: Annotated[str | None, typer.Argument(metavar="SPEC", help="A .eos file, or - for stdin.")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema instead.")] = False,
    spans: Annotated[bool, typer.Option("--spans", help="Keep where each node was written.")] = False,
    set_: Settings = None,
    allow_outside: AllowOutside = False,
    stdin_filename: StdinFilename = None,
    color: Color = ColorMode.AUTO,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Print the typed program as versioned JSON: exact ratios, names resolved, params filled in."""
    if schema:
        from eosdsl.ir.schema import schema_text

        say(schema_text().rstrip())
        return
    if spec is None:
        raise typer.BadParameter("name a spec, or ask for --schema", param_hint="SPEC")
    from eosdsl.ir.serde import dump_program
    from eosdsl.parsing import parse_source

    program = parse_source(spec_source(spec, stdin_filename), settings=settings_of(set_), allow_outside=allow_outside)
    say(dump_program(program, spans=spans))
