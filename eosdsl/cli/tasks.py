"""`eosdsl tasks`: the families of questions there are, and writing them in formats that other tools read."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eosdsl.cli.console import say
from eosdsl.cli.models import TableFormat
from eosdsl.cli.options import Color, ColorMode, Quiet, Verbose

if TYPE_CHECKING:
    from eosdsl.tasks.base import Family

EXAMPLES = """
eosdsl tasks list
eosdsl tasks export --tasks exist,count --questions 500 --out questions
eosdsl tasks export --tasks all --format lmms-eval --out eosdsl-tasks      then: lmms-eval … --include_path eosdsl-tasks
eosdsl tasks export --tasks all --format vlmevalkit --out sheets            then: cp sheets/*.tsv $LMUData
"""


class Action(StrEnum):
    LIST = "list"
    EXPORT = "export"


def command(
    action: Annotated[Action, typer.Argument(help="What to do.", show_default=False)],
    tasks: Annotated[str, typer.Option("--tasks", help="Families, by commas; all for the standard ones.")] = "all",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="export: where to write.", show_default=False)
    ] = None,
    form: Annotated[str, typer.Option("--format", help="export: eosdsl, lmms-eval or vlmevalkit.")] = "eosdsl",
    questions: Annotated[int, typer.Option("--questions", min=1, help="export: of each family.")] = 100,
    split: Annotated[str, typer.Option("--split", help="export: train, validation or test.")] = "test",
    difficulty: Annotated[
        str, typer.Option("--difficulty", help="export: easy, medium, hard, or as hard,clutter=0.5.")
    ] = "medium",
    seed: Annotated[int, typer.Option("--seed", help="export: of the questions.")] = 0,
    output_format: Annotated[
        TableFormat, typer.Option("--output-format", help="How it is printed.")
    ] = TableFormat.TEXT,
    color: Color = ColorMode.AUTO,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """List the families of questions, or write questions of theirs for other tools."""
    from eosdsl.tasks.registry import families, family, standard_families

    names = [name.strip() for name in tasks.split(",") if name.strip()]
    every = families() if action is Action.LIST else standard_families()
    chosen = list(every.values()) if names == ["all"] else [family(name) for name in names]
    if action is Action.LIST:
        say(_listed(chosen, output_format))
        return
    if out is None:
        raise typer.BadParameter("export needs a folder to write to", param_hint="--out")
    from eosdsl.tasks.exporting import export

    files = export(chosen, out, form, split=split, seed=seed, questions=questions, difficulty=difficulty)
    if not quiet:
        say("\n".join(str(out / file.name) for file in files))


def _listed(chosen: list[Family], output_format: TableFormat) -> str:
    rows = [
        {"name": one.name, "mirrors": one.mirrors, "images": one.images, "chance": one.chance(), "breaks": one.breaks}
        for one in chosen
    ]
    if output_format is TableFormat.JSON:
        return json.dumps({"version": 1, "tasks": rows}, indent=2, ensure_ascii=False)
    return "\n".join(
        f"{row['name']:9} {row['chance']:4.0%} by chance  {row['mirrors']}: {row['breaks']}" for row in rows
    )
