"""`eosdsl zoo train NAME`: train a small model here, from nothing, resumably."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eosdsl.cli.console import say
from eosdsl.cli.options import Color, ColorMode, Quiet, Verbose

if TYPE_CHECKING:
    from eosdsl.zoo.train_loop import Progress, Report

EXAMPLES = """
eosdsl zoo train tiny-llava --out models/tiny-llava                 all stages; run it again to go on
eosdsl zoo train tiny-llava --out models/tiny-llava --stage read    one stage, so that two run side by side
eosdsl zoo train tiny-llava --out models/tiny-llava --minutes 30    stop after half an hour, saved
eosdsl zoo train tiny-llava --out rehearsal --steps 4               see in a minute that every stage runs
eosdsl zoo train tiny-qwen-vl --out models/tiny-qwen-vl             begins with the shipped tiny-llava
"""


class Action(StrEnum):
    TRAIN = "train"


class StageName(StrEnum):
    READ = "read"
    SPREAD = "spread"
    ALIGN = "align"
    JOIN = "join"


def command(
    action: Annotated[Action, typer.Argument(help="What to do.", show_default=False)],
    name: Annotated[str, typer.Argument(metavar="NAME", help="tiny-llava or tiny-qwen-vl", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="The folder that the finished model is written to.")],
    stage: Annotated[list[StageName] | None, typer.Option("--stage", help="Only these stages.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of weights and data.")] = 0,
    minutes: Annotated[float | None, typer.Option("--minutes", help="Stop after so long, saved.", min=0)] = None,
    steps: Annotated[
        int | None,
        typer.Option("--steps", help="A rehearsal: so many steps of each stage, to see that all runs.", min=1),
    ] = None,
    threads: Annotated[int | None, typer.Option("--threads", help="Processor threads.", min=1)] = None,
    color: Color = ColorMode.AUTO,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Train a model from nothing. Checkpoints lie beside --out; the same command goes on from them.

    Hours on two processor cores: read (and spread), align, which may run beside them, and join, which writes the model.
    """
    from eosdsl.zoo.train import STAGES, recipe_of, train, use_threads

    if threads is not None:
        use_threads(threads)
    stages = tuple(one.value for one in stage) if stage else STAGES
    limit = float("inf") if minutes is None else 60 * minutes
    recipe = recipe_of(name, seed) if steps is None else recipe_of(name, seed).rehearsed(steps)
    with _Bar(quiet) as report:
        finished = train(name, out, report, stages=stages, recipe=recipe, stop_after=limit, threads=threads)
    if not quiet:
        say(_ending(finished, stages, out))


def _ending(finished: bool, stages: tuple[str, ...], out: Path) -> str:
    if not finished:
        return "stopped and saved; the same command goes on"
    return f"{out} is written" if "join" in stages else f"{', '.join(stages)}: done"


class _Bar:
    """A progress bar on standard error, with the running accuracies."""

    def __init__(self, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        columns = (
            TextColumn("{task.description}"),
            BarColumn(20),
            TimeElapsedColumn(),
            TextColumn("{task.fields[now]}"),
        )
        self.bar = Bar(*columns, console=Console(stderr=True), disable=quiet)
        self.tasks: dict[str, int] = {}

    def __enter__(self) -> Report:
        self.bar.start()
        return self._report

    def __exit__(self, *problem: object) -> None:
        self.bar.stop()

    def _report(self, stage: str, progress: Progress, loss: float) -> None:
        from rich.progress import TaskID

        if stage not in self.tasks:
            self.tasks[stage] = self.bar.add_task(stage, total=None, now="")
        families = " ".join(f"{name} {share:.0%}" for name, share in sorted(progress.accuracy.items()))
        now = f"step {progress.step} loss {loss:.2f} mean {progress.mean():.1%} | {families}"
        self.bar.update(TaskID(self.tasks[stage]), now=now)
