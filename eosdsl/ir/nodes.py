"""The typed program: what a spec means, before it meets a model.

Frozen, torch-free, JSON both ways (`eosdsl.ir.serde`).

`DiscreteProgram` can be run; `RelaxedProgram` (a space) holds `Open` values and can only be searched or sampled.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal

from eosdsl.ir.node import BY_KIND, Node
from eosdsl.ir.quantities import Call, Open, Quantity, Word

Stream = Literal["decoder", "encoder", "encoder_output"]


class LayerRef(Node):
    """A layer by 0-based index, or by depth (a ratio of the model's layers, `depth 25%`). Exactly one is set."""

    index: int | None = None
    depth: Fraction | None = None


class Where(Node):
    """The sites of one `at` statement.

    `input` is decoder layer 0. `gradual`: one budget spread over a range (`layer 2..8`), of which `layers` holds the
    two ends; otherwise `layers` holds each layer. `choose`: a space leaves the place open (`any 1..3 of layers …`).
    """

    stream: Stream
    layers: tuple[LayerRef, ...] = ()
    gradual: bool = False
    after_attention: bool = False
    choose: tuple[int, int] | None = None


class Amount(Node):
    """How many: a quantity (ratio or tokens), `all`, an adaptive rule (`outliers(iqr: 1.5)`, `mass(90%)`), or open."""

    value: Annotated[Quantity | Word | Call | Open, BY_KIND]
    of: Literal["original", "incoming"] = "original"


class Budget(Node):
    """`retain`/`remove` with one amount, or one per site of a list, or from `start` to the amount along `curve`."""

    verb: Literal["retain", "remove"]
    amounts: tuple[Amount, ...]
    start: Amount | None = None
    curve: Call | None = None


class Weighted(Node):
    """`0.7 * score`."""

    kind: Literal["weighted"] = "weighted"
    weight: Annotated[Quantity | Open, BY_KIND]
    score: ScoreExpr


class Sum(Node):
    """A sum of scores; each term is standardised per image over the tokens present (`raw(...)` opts out)."""

    kind: Literal["sum"] = "sum"
    terms: tuple[ScoreExpr, ...]


class Product(Node):
    """A product of raw scores."""

    kind: Literal["product"] = "product"
    factors: tuple[ScoreExpr, ...]


ScoreExpr = Annotated[Call | Weighted | Sum | Product, BY_KIND]


class MixPart(Node):
    """One part of a mix; `share` is exact (bare names have been given what was left)."""

    share: Annotated[Quantity | Open, BY_KIND]
    behaviour: Call


class Mix(Node):
    """`mix(0.6 merge, 0.4 prune)`. Shares sum to at most one; what is missing is dropped."""

    kind: Literal["mix"] = "mix"
    parts: tuple[MixPart, ...]


Behaviour = Annotated[Call | Mix | Open, BY_KIND]


class Group(Node):
    """Anchors chosen by one budget, score and pick, and what becomes of the rest.

    `score` is None while the default for the site has not been taken (`eosdsl.passes.resolve` fills it in).
    """

    budget: Budget
    score: ScoreExpr | None = None
    pick: Annotated[Call | Open, BY_KIND] = Call(name="top")
    behaviour: Behaviour = Call(name="prune")


class AttentionBias(Node):
    """What later attention adds to a key's logit: `strength * log(size)`.

    none = 0, log_size = 1; `calibrated` is a rule.
    """

    strength: Annotated[Quantity | Open | Word, BY_KIND] = Quantity(value=Fraction(0))


class Bookkeeping(Node):
    """`with` options of a site."""

    positions: Literal["keep", "compact", "mean", "median"] = "keep"
    order: Literal["position", "score", "anchors_then_rest"] = "position"
    attention_bias: AttentionBias = AttentionBias()
    extra: tuple[tuple[str, Word | Quantity | Call], ...] = ()


class Step(Node):
    """One `at` statement."""

    where: Where
    groups: tuple[Group, ...]
    bookkeeping: Bookkeeping = Bookkeeping()


class Constraint(Node):
    """`tokens(mean) <= 64`, as in `expect` and `subject to`."""

    measure: Call
    comparison: Literal["<=", ">=", "="] = "<="
    bound: Quantity


class ProgramBase(Node):
    """What operators and spaces share."""

    language: int = 1
    name: str = "unnamed"
    family: str | None = None
    steps: tuple[Step, ...]
    comment: tuple[str, ...] = ()


class DiscreteProgram(ProgramBase):
    """Nothing is left open: it can be planned, compiled and run."""

    kind: Literal["operator"] = "operator"
    expectations: tuple[Constraint, ...] = ()


class RelaxedProgram(ProgramBase):
    """A space: some values are open."""

    kind: Literal["space"] = "space"
    objective: ScoreExpr | None = None
    constraints: tuple[Constraint, ...] = ()
    search: tuple[tuple[str, Call | Quantity | Word | Budget], ...] = ()


Program = Annotated[DiscreteProgram | RelaxedProgram, BY_KIND]
