"""`eosdsl sample`: random members of a space, as specs."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eosdsl.cli.console import complain, say, settings_of, spec_source
from eosdsl.cli.options import AllowOutside, Color, ColorMode, Model, Quiet, Settings, Spec, StdinFilename, Verbose
from eosdsl.diagnostics import SpecError, error

if TYPE_CHECKING:
    from eosdsl.ir.genome import Genome
    from eosdsl.ir.nodes import DiscreteProgram
    from eosdsl.ir.space import Space
    from eosdsl.source import SourceFile

CODES = {
    "E0518": """There is nothing to sample.

    An operator leaves nothing open: it is its only member. `eosdsl sample` draws from a `space`, a spec with `?` or
    `any … of` in it.
    """,
}

EXAMPLES = """
eosdsl sample space.eos -n 8 --seed 0              eight random members, as specs
eosdsl sample space.eos --model llava              members that are sound on that model
eosdsl sample space.eos -n 8 --out members         a file each: members/0.eos …
eosdsl sample space.eos --json > genome.json       the genome, one a line
eosdsl sample space.eos --genome genome.json       the member of a genome
"""


def command(
    spec: Spec,
    number: Annotated[int, typer.Option("--number", "-n", min=1, help="How many members.")] = 1,
    seed: Annotated[int, typer.Option("--seed", help="The same seed, the same members.")] = 0,
    model: Model = None,
    json: Annotated[bool, typer.Option("--json", help="Print genomes, one a line, instead of specs.")] = False,
    genome: Annotated[
        Path | None, typer.Option("--genome", help="Print the members of these genomes instead.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="A folder to write one file a member to.", show_default=False)
    ] = None,
    set_: Settings = None,
    allow_outside: AllowOutside = False,
    stdin_filename: StdinFilename = None,
    color: Color = ColorMode.AUTO,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Draw random members of a space: what a search chooses among, each an operator that plans, compiles and runs.

    Values are uniform within their bounds, by their logarithm where those are ten times apart. What a candidate place
    cannot offer is left out there, and said on standard error.
    """
    from eosdsl.ir.spell import spell

    source = spec_source(spec, stdin_filename)
    space = _space(source, model, settings_of(set_), allow_outside)
    if space.left_out and not quiet:
        complain(space.left_out, source, color)
    rng = random.Random(seed)
    genomes = _read(genome) if genome is not None else [space.sample(rng) for _ in range(number)]
    if json:
        say("\n".join(one.to_json() for one in genomes))
        return
    members = [spell(_named(space.fill(one), place)) for place, one in enumerate(genomes)]
    if out is None:
        say("\n".join(members).rstrip())
        return
    _write(out, members)
    if not quiet:
        say(f"{len(members)} members written to {out}/", to_stderr=True)


def _space(source: SourceFile, model: str | None, settings: dict[str, str], allow_outside: bool) -> Space:
    from eosdsl.ir.nodes import RelaxedProgram
    from eosdsl.ir.space import Space
    from eosdsl.models.registry import facts
    from eosdsl.parsing import parse_source

    program = parse_source(source, settings=settings, allow_outside=allow_outside)
    if not isinstance(program, RelaxedProgram):
        message = f"{program.name} leaves nothing open"
        raise SpecError([error("E0518", message, program.span, helps=("write `?` for a value",))], source)
    try:
        return Space.of(program, facts(model) if model is not None else None)
    except SpecError as problem:
        raise SpecError(problem.diagnostics, problem.source or source) from problem


def _read(file: Path) -> list[Genome]:
    from eosdsl.ir.genome import Genome
    from eosdsl.reading import read_source

    lines = read_source(file).text.splitlines()
    return [Genome.from_json(line) for line in lines if line.strip()]


def _named(member: DiscreteProgram, place: int) -> DiscreteProgram:
    return member.model_copy(update={"name": f"{member.name}_{place}"})


def _write(folder: Path, members: list[str]) -> None:
    from eosdsl.reading import os_error_diagnostic
    from eosdsl.writing import write_text

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise SpecError([os_error_diagnostic(problem, folder)]) from problem
    for place, text in enumerate(members):
        write_text(folder / f"{place}.eos", text)
