"""A program bound to a model: absolute sites in forward order, and counts for the model's usual image.

At run time images may differ in size: `eosdsl.passes.infer_tokens.count_tokens(reductions, original)` gives the
counts for any number of original tokens by the same rules.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from eosdsl.ir.nodes import Amount, Behaviour, Bookkeeping, Constraint, ScoreExpr
from eosdsl.ir.quantities import Call, Node
from eosdsl.models.facts import ModelFacts


class Site(Node):
    """One absolute place. `encoder_output` has layer -1."""

    stream: Literal["decoder", "encoder", "encoder_output"]
    layer: int
    after_attention: bool = False


class SiteAmount(Node):
    """The amount at one site.

    A point of a gradual range is step `index` (1-based) of `steps` from `start` (None: everything that was there) to
    `amount` along `curve` (None: geometric); outside a range index = steps = 1.
    """

    verb: Literal["retain", "remove"]
    amount: Amount
    start: Amount | None = None
    curve: Call | None = None
    index: int = 1
    steps: int = 1


class BoundGroup(Node):
    """A group at one site; `count` anchors for the model's usual image, None where the count adapts to the image."""

    amount: SiteAmount
    score: ScoreExpr
    pick: Call
    behaviour: Behaviour
    count: int | None


class SiteReduction(Node):
    """What happens at one site.

    `incoming`/`retained`: tokens per usual image before and after (upper bound if adaptive).
    """

    site: Site
    statement: int
    groups: tuple[BoundGroup, ...]
    bookkeeping: Bookkeeping
    incoming: int
    retained: int


class Schedule(Node):
    """`decoder_tokens[l]`: visual tokens entering decoder layer l, per usual image; likewise `encoder_tokens`."""

    name: str
    model: ModelFacts
    reductions: tuple[SiteReduction, ...]
    encoder_tokens: tuple[int, ...]
    decoder_tokens: tuple[int, ...]
    expectations: tuple[Constraint, ...] = ()

    @property
    def main_tokens(self) -> tuple[int, ...]:
        """Tokens entering the layers that are counted: the decoder's, or an encoder's that stands alone."""
        return self.decoder_tokens or self.encoder_tokens

    @property
    def mean_tokens(self) -> Fraction:
        """Mean over decoder layers of the visual tokens entering."""
        return Fraction(sum(self.main_tokens), len(self.main_tokens))
