"""Budgets as people write them: `192` of LLaVA-1.5's 576 visual tokens, `25%`, `1/3`; the same share on any model."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from eosdsl.diagnostics import SpecError, error

OF = 576
"""Visual tokens of LLaVA-1.5, of which a bare number is a share: what published tables count in."""


@dataclass(frozen=True, slots=True)
class TokenBudget:
    """A share of a model's visual tokens that the mean over decoder layers may take in; `label`: as it was written."""

    label: str
    share: Fraction

    def tokens(self, visual_tokens: int) -> Fraction:
        """Of a model with so many visual tokens an image; not rounded."""
        return self.share * visual_tokens


def parse_budgets(text: str) -> tuple[TokenBudget, ...]:
    """`192,128,25%` → budgets, each once, in the order given. Raises SpecError (E0681)."""
    found: dict[Fraction, TokenBudget] = {}
    for part in text.split(","):
        budget = _budget(part.strip())
        found.setdefault(budget.share, budget)
    return tuple(found.values())


def _budget(text: str) -> TokenBudget:
    try:
        share = _share(text)
    except (ValueError, ZeroDivisionError):
        share = Fraction(-1)
    if not 0 < share <= 1:
        helps = (f"write tokens of {OF} (`64`), a percentage (`25%`) or a fraction (`1/9`)",)
        raise SpecError([error("E0681", f"`{text}` is no budget", helps=helps)])
    return TokenBudget(text, share)


def _share(text: str) -> Fraction:
    if text.endswith("%"):
        return Fraction(text[:-1].strip()) / 100
    return Fraction(text) if "/" in text else Fraction(int(text), OF)
