"""An evaluation as tables for the terminal: what every side costs and keeps, then its accuracy task by task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from eosdsl.evaluating.sides import FULL
from eosdsl.evaluating.summary import MEAN, Cell
from eosdsl.views.plan_table import amount, size

if TYPE_CHECKING:
    from rich.table import Table

    from eosdsl.evaluating.evaluate import Evaluation

RANDOM = "The weights of this model are random: its answers say nothing; counts, times and memory do."


def headline(made: Evaluation) -> str:
    """The task that stands for all: the mean where there is one, else the first."""
    tasks = list(dict.fromkeys(cell.task for cell in made.cells))
    return MEAN if MEAN in tasks else tasks[0]


def of_task(made: Evaluation, task: str) -> dict[str, Cell]:
    """The cells of one task by side, in the order of the sides."""
    return {cell.side: cell for cell in made.cells if cell.task == task}


def tables(made: Evaluation, *, color: bool = False, width: int = 120) -> str:
    """All tables and remarks, without a line end at their end."""
    from rich.text import Text

    from eosdsl.run.report import rendered

    parts = [
        Text(title(made), style="bold"),
        _accuracy(made),
        _cost(made),
        *([_by_task(made)] if len({cell.task for cell in made.cells}) > 1 else []),
        *([_unreached(made)] if made.gaps else []),
        *(Text(line, style="dim") for line in remarks(made)),
    ]
    return rendered(parts, color=color, width=width)


def title(made: Evaluation) -> str:
    """Model, questions and what a row's accuracy is."""
    tasks = made.settings["tasks"]
    questions = sum(tasks.values())
    of = f"{len(tasks)} tasks" if len(tasks) > 1 else next(iter(tasks))
    return f"{made.model} ({made.visual_tokens} visual tokens an image): {questions} questions of {of}"


ACCURACY = ("", "tokens, plan", "measured", "accuracy", "95%", "of full", "p", "fidelity", "image adds")
COST = ("", "FLOPs", "of full", "KV cache", "of full", "prefill", "", "decode", "")


def accuracy_row(made: Evaluation, cell: Cell) -> list[str]:
    """Of one side: tokens by the plan and measured, accuracy and what it is worth."""
    side = next(one for one in made.sides if one.name == cell.side)
    return [
        cell.side,
        _tokens(side.tokens, at_most=made.costs[cell.side].at_most),
        f"{cell.tokens:.4g}",
        f"{cell.accuracy:.1%}",
        f"{100 * cell.interval.low:.0f}–{100 * cell.interval.high:.0f}",
        "" if cell.relative is None else f"{cell.relative:.1%}",
        "" if cell.side == FULL else _p(cell),
        f"{cell.fidelity:.1%}",
        "" if cell.contribution is None else f"{cell.contribution:+.2f}",
    ]


def cost_row(made: Evaluation, cell: Cell) -> list[str]:
    """Of one side: what a prompt costs by count, what a batch takes."""
    cost = made.costs[cell.side]
    most = "≤ " if cost.at_most else ""
    speed = next((one for one in made.speeds if one.side == cell.side), None)
    times = (
        ["", "", "", ""]
        if speed is None
        else [
            f"{1000 * speed.prefill:.0f} ms",
            f"{speed.prefill_ratio:.2f}x",
            f"{1000 * speed.decode:.1f} ms",
            f"{speed.decode_ratio:.2f}x",
        ]
    )
    return [
        cell.side,
        f"{most}{amount(cost.flops)}",
        f"{most}{cost.flops_ratio:.1%}",
        f"{most}{size(cost.kv_bytes)}",
        f"{most}{cost.kv_ratio:.1%}",
        *times,
    ]


def remarks(made: Evaluation) -> Iterator[str]:
    """How to read the numbers."""
    full = of_task(made, headline(made))[FULL]
    without = (("by chance", full.chance), ("without the image", full.blind))
    known = [f"{name} {share:.1%}" for name, share in without if share is not None]
    if known:
        yield f"Accuracy {', '.join(known)}."
    yield f"FLOPs of one prefill and KV cache: counted, for a prompt with {made.text_tokens} text tokens."
    yield (
        "tokens: mean entering decoder layers, an image. 95%: bootstrap. p: McNemar, exact, against the full model, "
        "by Holm over all rows. fidelity: share of the full model's answers. image adds: (accuracy − blind) / blind."
    )
    if made.speeds:
        yield (
            f"Times: a batch of {made.speeds[0].batch}, vision tower included; ratios are medians of pairs taken in "
            "turns, above 1 is faster than the full model."
        )
    if made.random_weights:
        yield RANDOM
    if made.skipped:
        yield f"{len(made.skipped)} bad line{'s' * (len(made.skipped) != 1)} of the data skipped."


def _accuracy(made: Evaluation) -> Table:
    table = _table(ACCURACY)
    for cell in of_task(made, headline(made)).values():
        table.add_row(*accuracy_row(made, cell))
    return table


def _cost(made: Evaluation) -> Table:
    table = _table(COST)
    for cell in of_task(made, headline(made)).values():
        table.add_row(*cost_row(made, cell))
    return table


def _by_task(made: Evaluation) -> Table:
    tasks = [task for task in dict.fromkeys(cell.task for cell in made.cells) if task != MEAN]
    table = _table(["accuracy", *tasks])
    of = {task: of_task(made, task) for task in tasks}
    chance = [next(iter(of[task].values())).chance for task in tasks]
    table.add_row("chance", *("" if one is None else f"{one:.0%}" for one in chance), style="dim")
    for side in made.sides:
        table.add_row(side.name, *(f"{of[task][side.name].accuracy:.0%}" for task in tasks))
    return table


def _unreached(made: Evaluation) -> Table:
    table = _table(["not reached", "why"])
    table.columns[1].justify = "left"
    table.columns[1].no_wrap = False
    for names, reason in grouped(made):
        table.add_row(names, reason)
    return table


def grouped(made: Evaluation) -> list[tuple[str, str]]:
    """Empty cells with one reason together: `fastv@64, 16`."""
    found: dict[tuple[str, str], list[str]] = {}
    for gap in made.gaps:
        found.setdefault((gap.method, gap.reason), []).append(gap.budget)
    return [(f"{method}@{', '.join(of)}" if of[0] else method, why) for (method, why), of in found.items()]


def _table(columns: Sequence[str]) -> Table:
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for number, name in enumerate(columns):
        made.add_column(name, justify="right" if number else "left", no_wrap=True)
    return made


def _tokens(planned: float | None, *, at_most: bool) -> str:
    if planned is None:
        return ""
    return f"{'≤ ' if at_most else ''}{planned:.4g}"


def _p(cell: Cell) -> str:
    p = cell.p if cell.p_holm is None else cell.p_holm
    return "<.001" if p < 0.001 else f"{p:.3f}".lstrip("0") if p < 1 else "1"
