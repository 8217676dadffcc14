"""A progress bar on standard error for what takes long."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager


def steps_of(rounds: int, candidates: int = 1) -> int:
    """How often `eosdsl.run.question.ask_all` reports progress: the model, then answers and timings of every side."""
    return 1 + (1 + candidates) * (1 + rounds)


@contextmanager
def progress_bar(total: int, shown: bool) -> Generator[Callable[[str], None]]:
    """A function to call before each of `total` steps with its name; it draws nothing unless `shown`."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not shown) as bar:
        task = bar.add_task("", total=total)
        begun = 0

        def step(name: str) -> None:
            nonlocal begun
            bar.update(task, description=name, completed=begun)
            begun += 1

        yield step
