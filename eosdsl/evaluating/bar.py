"""A progress bar whose length is known once work begins."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager


@contextmanager
def bar(shown: bool) -> Generator[Callable[[str, int], None]]:
    """A function to call before every step with its name and the number of all steps, on standard error."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not shown) as drawn:
        task = drawn.add_task("", total=None)
        begun = 0

        def step(name: str, steps: int) -> None:
            nonlocal begun
            drawn.update(task, description=name, completed=begun, total=steps)
            begun += 1

        yield step
