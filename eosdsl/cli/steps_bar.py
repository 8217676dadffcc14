"""The progress bar of a search: how far it is, and below that the numbers of the last step, on any width of screen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text


class StepsBar(Progress):
    """A bar with a line of numbers under it. `watch` moves it on by a step, told the numbers of that."""

    def __init__(self, steps: int, console: Console) -> None:
        self._told = "the first step"
        columns = (BarColumn(24), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("left"))
        super().__init__(*columns, console=console)
        self._task: TaskID = self.add_task("", total=steps)

    def watch(self, row: Mapping[str, Any]) -> None:
        """Called with the numbers of every step."""
        self._told = numbers(row)
        self.update(self._task, advance=1)

    def get_renderables(self) -> Iterable[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        yield Text(self._told)


def numbers(row: Mapping[str, Any]) -> str:
    """A step in a few words: losses, temperature, tokens, and of every constraint how near its bound is and its λ."""
    words = [f"{name} {row[name]:.3f}" for name in ("task", "hidden", "logits", "best") if name in row]
    if "temperature" in row:
        words.append(f"T {row['temperature']:.2f}")
    if "tokens" in row:
        words.append(f"tokens {sum(row['tokens']) / len(row['tokens']):.1f}")
    over: Mapping[str, float] = row.get("over", {})
    pulls: Mapping[str, float] = row.get("multipliers", {})
    words += [f"{name} {1 + value:.0%} of its bound (λ {pulls.get(name, 0.0):.2f})" for name, value in over.items()]
    return ", ".join(words)
