"""An evaluation as one self-contained HTML page: drawing, tables, what was not reached, specs as they ran."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from eosdsl.evaluating.pareto import pareto
from eosdsl.evaluating.published import MODEL
from eosdsl.evaluating.summary import MEAN
from eosdsl.evaluating.table import (
    ACCURACY,
    COST,
    accuracy_row,
    cost_row,
    grouped,
    headline,
    of_task,
    remarks,
    title,
)

if TYPE_CHECKING:
    from eosdsl.evaluating.evaluate import Evaluation
    from eosdsl.evaluating.published import Published
    from eosdsl.evaluating.summary import Cell

_STYLE = """
  :root { color-scheme: light dark }
  body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem; padding: 0 1rem }
  figure, .wide { margin: 0; overflow-x: auto }
  table { border-collapse: collapse; margin: 1rem 0 }
  th, td { border-bottom: 1px solid #8884; padding: .25rem .6rem; text-align: right; white-space: nowrap }
  th:first-child, td:first-child, .words td { text-align: left; white-space: normal }
  td { font-variant-numeric: tabular-nums } pre { background: #8881; padding: .6rem; overflow-x: auto }
  .note { color: #888 } .cited { font-style: italic; color: #888 }
"""


def page(made: Evaluation, cited: Sequence[Published] = ()) -> str:
    """The document; it loads nothing from anywhere."""
    rows = of_task(made, headline(made)).values()
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            f"<title>{escape(title(made))}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{escape(title(made))}</h1>",
            f"<figure>{pareto(made, cited)}</figure>",
            "<h2>Cost and accuracy</h2>",
            *_table((*ACCURACY, *COST[1:]), [_row(made, cell) for cell in rows], "costs"),
            *(f'<p class="note">{escape(line)}</p>' for line in remarks(made)),
            *_tasks(made),
            *_gaps(made),
            *_cited(cited),
            *_specs(made),
            *_origin(made),
            "</body></html>\n",
        ]
    )


def _row(made: Evaluation, cell: Cell) -> list[str]:
    return [*accuracy_row(made, cell), *cost_row(made, cell)[1:]]


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], name: str) -> Iterator[str]:
    yield f'<div class="wide"><table id="{name}"><thead><tr>'
    yield "".join(f"<th>{escape(column)}</th>" for column in columns) + "</tr></thead><tbody>"
    for cells in rows:
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
    yield "</tbody></table></div>"


def _tasks(made: Evaluation) -> Iterator[str]:
    """Accuracy by task, the darker the nearer to the full model's; the interval and the test in the tip."""
    tasks = [task for task in dict.fromkeys(cell.task for cell in made.cells) if task != MEAN]
    if len(tasks) < 2:
        return
    by = {(cell.side, cell.task): cell for cell in made.cells}
    yield '<h2>By task</h2><div class="wide"><table id="tasks"><thead><tr><th></th>'
    yield "".join(f"<th>{escape(task)}</th>" for task in tasks) + "</tr></thead><tbody><tr><td>chance</td>"
    first = made.sides[0].name
    for task in tasks:
        chance = by[first, task].chance
        yield f"<td>{'' if chance is None else f'{chance:.0%}'}</td>"
    yield "</tr>"
    for side in made.sides:
        yield f"<tr><td>{escape(side.name)}</td>"
        for task in tasks:
            cell = by[side.name, task]
            strength = min(max(cell.relative or 0.0, 0.0), 1.0) ** 2
            tip = (
                f"{cell.interval.low:.1%} to {cell.interval.high:.1%}; lost {cell.lost}, won {cell.won}, p {cell.p:.2g}"
            )
            yield f'<td style="background:rgba(76,120,168,{0.5 * strength:.2f})" title="{tip}">{cell.accuracy:.0%}</td>'
        yield "</tr>"
    yield "</tbody></table></div>"


def _gaps(made: Evaluation) -> Iterator[str]:
    if made.gaps:
        yield '<h2>Not reached</h2><div class="words">'
        yield from _table(("cell", "why"), grouped(made), "unreached")
        yield "</div>"


def _cited(cited: Sequence[Published]) -> Iterator[str]:
    if not cited:
        return
    yield f'<h2>Published, for {MODEL}</h2><p class="cited">Another model, other questions, and numbers of tokens as '
    yield "the sources count them: cited for comparison of orders, not measured here.</p>"
    rows = [(one.method, str(one.tokens), f"{one.relative:.1%}", one.source) for one in cited]
    yield '<div class="cited">'
    yield from _table(("method", "tokens of 576", "of full", "source"), rows, "published")
    yield "</div>"


def _specs(made: Evaluation) -> Iterator[str]:
    yield "<h2>What ran</h2>"
    for side in made.sides:
        if side.spec:
            yield f"<details><summary>{escape(side.name)}: {escape(side.said)}</summary>"
            yield f"<pre>{escape(side.spec)}</pre></details>"


def _origin(made: Evaluation) -> Iterator[str]:
    facts = {**made.origin, **{k: v for k, v in made.settings.items() if k != "tasks"}}
    said = ", ".join(f"{name} {value}" for name, value in facts.items() if value not in (None, ""))
    yield f'<p class="note">{escape(said)}</p>'
