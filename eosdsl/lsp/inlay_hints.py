"""Inlay hints: the tokens that are left after each statement, on the chosen model."""

from __future__ import annotations

from dataclasses import dataclass

from eosdsl.lsp.document import Document
from eosdsl.lsp.steps import PlacedStep, flow, placed_steps
from eosdsl.passes.sites import site_name


@dataclass(frozen=True)
class Hint:
    """A remark that the editor shows behind the character at `offset`."""

    offset: int
    label: str
    tooltip: str


def inlay_hints(document: Document, start: int = 0, end: int | None = None) -> list[Hint]:
    """Hints of the statements that end between two offsets."""
    stop = len(document.text) if end is None else end
    return [
        _hint(placed, document.schedule.model.name)
        for placed in placed_steps(document)
        if document.schedule is not None and placed.reductions and start <= placed.statement.span.end <= stop
    ]


def _hint(placed: PlacedStep, model: str) -> Hint:
    rows = [f"- {site_name(r.site)}: {r.incoming} → {r.retained}" for r in placed.reductions]
    tooltip = "\n".join([f"Visual tokens of an image on {model}:", "", *rows])
    return Hint(placed.statement.span.end, f"{flow(placed.reductions)} tokens", tooltip)
