"""Who is asked: the full model, every spec at every budget, and the controls that a table needs.

`full`: the model as it is. `blind`: the question without the image. `no visual tokens`: the image is announced, and all
of its tokens are gone before the first layer. `downsample`: a smaller image is shown, so that the tower makes fewer
tokens of it. `lowres`: the same few pixels, blown up again: all tokens, little to see. Torch-free.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from eosdsl.evaluating.budgets import TokenBudget
from eosdsl.evaluating.knobs import asks_learned
from eosdsl.evaluating.retarget import Reached, Unreached, as_written, retargeted
from eosdsl.ir.nodes import DiscreteProgram
from eosdsl.models.facts import ModelFacts
from eosdsl.source import SourceFile

Kind = Literal["full", "blind", "operator", "downsample", "lowres"]
FULL, BLIND, NO_TOKENS = "full", "blind", "no visual tokens"
_NO_TOKENS = "operator no_visual_tokens\nat input: remove all\n"


@dataclass(frozen=True, slots=True)
class Side:
    """One who is asked. `budget`: its label, "" where there is none; `tokens`: mean entering by the plan (at most,
    where the image decides), None where nothing says it; `grid`: rows and columns of a smaller image; `said`: what was
    turned to meet the budget; `spec`: the program as text; `learned`: where the numbers of its learned scores are."""

    method: str
    budget: str
    kind: Kind
    tokens: float | None = None
    program: DiscreteProgram | None = None
    grid: tuple[int, int] | None = None
    said: str = ""
    spec: str = ""
    learned: str | None = None

    @property
    def name(self) -> str:
        """`fastv@64`; without a budget the method alone."""
        return f"{self.method}@{self.budget}" if self.budget else self.method


@dataclass(frozen=True, slots=True)
class Gap:
    """A cell of the table that stays empty, with the reason."""

    method: str
    budget: str
    reason: str
    least: float | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A spec to evaluate; `home`: the model it was written for, None where it was written for the one at hand;
    `learned`: a file or folder with the numbers of its learned scores, if it has any."""

    name: str
    source: SourceFile
    home: ModelFacts | None = None
    learned: str | None = None

    def at(self, budget: TokenBudget | None, model: ModelFacts) -> Reached | Unreached:
        """The program on a model, at a budget or, with None, as it is written.

        Raises:
            SpecError: what is wrong with the spec as text.
        """
        trained = self.learned is not None
        if budget is None:
            return as_written(self.source, model, self.home, trained=trained)
        return retargeted(self.source, budget, model, self.home, trained=trained)


def sides_of(
    candidates: Sequence[Candidate], budgets: Sequence[TokenBudget], model: ModelFacts, *, controls: bool = True
) -> tuple[list[Side], list[Gap]]:
    """All sides in the order of the table, and the cells that cannot be filled.

    Without budgets every spec runs as it is written, and so it does with them where the image decides its number of
    tokens.

    Raises:
        SpecError: where a spec has errors as text.
    """
    sides = [Side(FULL, "", "full", float(model.visual_tokens))]
    gaps: list[Gap] = []
    if controls:
        sides += [Side(BLIND, "", "blind", 0.0), _no_tokens(model)]
        for budget in budgets:
            sides += _smaller_images(budget, model)
    for candidate in candidates:
        more, empty = _cells(candidate, budgets, model)
        sides += more
        gaps += empty
    return sides, gaps


def _no_tokens(model: ModelFacts) -> Side:
    found = as_written(SourceFile("<control>", _NO_TOKENS), model)
    assert isinstance(found, Reached)
    return Side(NO_TOKENS, "", "operator", 0.0, found.program, spec=found.text)


def _smaller_images(budget: TokenBudget, model: ModelFacts) -> list[Side]:
    if model.grid is None or model.encoder is None:
        return []
    rows, columns = smaller_grid(budget.tokens(model.visual_tokens), model.grid)
    said = f"an image of {rows}x{columns} patches"
    return [
        Side("downsample", budget.label, "downsample", float(rows * columns), grid=(rows, columns), said=said),
        Side("lowres", budget.label, "lowres", float(model.visual_tokens), grid=(rows, columns), said=said),
    ]


def smaller_grid(tokens: Fraction, grid: tuple[int, int]) -> tuple[int, int]:
    """The largest grid of at most `tokens` cells that is nearest to the shape of `grid`; at least one cell."""
    rows, columns = grid
    sizes = [(r, c) for r in range(1, rows + 1) for c in range(1, columns + 1) if r * c <= max(tokens, 1)]

    def worth(size: tuple[int, int]) -> tuple[float, int]:
        stretch = size[0] * columns / (size[1] * rows)
        return size[0] * size[1] * min(stretch, 1 / stretch), size[0]

    return max(sizes, key=worth)


def _cells(candidate: Candidate, budgets: Sequence[TokenBudget], model: ModelFacts) -> tuple[list[Side], list[Gap]]:
    sides: list[Side] = []
    gaps: list[Gap] = []
    for budget in budgets:
        found = candidate.at(budget, model)
        if isinstance(found, Reached):
            sides.append(_side(candidate, budget.label, found))
        else:
            gaps.append(_gap(candidate.name, budget.label, found))
    if (budgets and any(gap.least is not None for gap in gaps)) or sides:
        return sides, gaps
    own = candidate.at(None, model)
    if isinstance(own, Reached):
        return [_side(candidate, "", own)], gaps
    return [], gaps or [_gap(candidate.name, "", own)]


def _side(candidate: Candidate, budget: str, found: Reached) -> Side:
    learned = candidate.learned if asks_learned(found.program) else None
    program, text = found.program, found.text
    return Side(candidate.name, budget, "operator", float(found.tokens), program, None, found.said, text, learned)


def _gap(method: str, budget: str, found: Unreached) -> Gap:
    return Gap(method, budget, found.reason, None if found.least is None else float(found.least))
