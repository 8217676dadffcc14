"""How soft a relaxed program is, decision by decision."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Temperatures:
    """Everything goes to the discrete program as these go to zero.

    gate, choice, behaviour divide the logits of gates, choices and shares of a mix; topk divides standardised scores
    (of deviation one); merge is the τ that stands for zero in sharp merging; faintness: how many times log p
    the attention to a key is lowered by. Beyond one, a token that is half there counts for next to nothing: at one, a
    quarter of every token tells a model all that the whole would, and a search believes that everything can be given
    up until it is too cold to turn back. round_counts: budgets become whole numbers as in the discrete program (the
    gradient passes as if they were not).
    """

    gate: float = 1.0
    topk: float = 0.5
    choice: float = 1.0
    behaviour: float = 1.0
    merge: float = 0.1
    faintness: float = 1.0
    round_counts: bool = False

    @classmethod
    def at(cls, temperature: float, faintness: float = 1.0) -> Temperatures:
        """All from the one number that a spec names, 2 -> 0.05 say. Shares keep their softmax: they have insides."""
        return cls(
            gate=temperature,
            topk=0.5 * temperature,
            choice=temperature,
            behaviour=1.0,
            merge=min(0.1 * temperature, 0.1),
            faintness=faintness,
        )

    @classmethod
    def cold(cls, temperature: float = 1e-4) -> Temperatures:
        """As good as zero, counts rounded: the relaxed program is the discrete one. Selection goes first, then τ."""
        return cls(temperature, temperature, temperature, temperature, 1e-2 * temperature, round_counts=True)
