"""Programs drawn by hypothesis, straight as nodes: sound ones, so that laws can be stated over them."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from eosdsl.ir.nodes import (
    Amount,
    AttentionBias,
    Bookkeeping,
    Budget,
    Constraint,
    DiscreteProgram,
    Group,
    LayerRef,
    Mix,
    MixPart,
    Product,
    RelaxedProgram,
    Step,
    Sum,
    Weighted,
    Where,
)
from eosdsl.ir.quantities import Argument, Call, Dims, Open, Quantity, Word
from eosdsl.source import Span


def calm(examples: int) -> settings:
    """So many examples, however long a busy machine takes over them."""
    return settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])


NAMES = st.sampled_from(["attention", "norm", "random", "top", "learned_x", "cosine", "café"])
SPANS = st.none() | st.builds(
    lambda start, line: Span(start, start + 3, line, 1, line, 4), st.integers(0, 99), st.integers(1, 9)
)
RATIOS = st.fractions(min_value=Fraction(1, 1000), max_value=1).map(lambda value: Quantity(value=value, unit="ratio"))
TOKENS = st.integers(1, 10**6).map(lambda value: Quantity(value=Fraction(value), unit="tokens"))
NUMBERS = st.fractions(min_value=-10, max_value=10).map(lambda value: Quantity(value=value))
WORDS = st.builds(Word, name=NAMES, span=SPANS)
DIMS = st.builds(Dims, rows=st.integers(1, 9), columns=st.integers(1, 9))
OPEN = st.builds(Open, low=st.none() | NUMBERS, high=st.none() | NUMBERS, prior=st.none() | NUMBERS) | st.builds(
    Open, choices=st.lists(WORDS, min_size=1, max_size=3).map(tuple)
)


def calls(leaf: st.SearchStrategy[Word | Quantity | Dims | Open]) -> st.SearchStrategy[Call]:
    """Calls, their arguments nested two deep."""
    arguments = st.builds(Argument, name=st.none() | NAMES, value=leaf)
    inner = st.builds(Call, name=NAMES, arguments=st.lists(arguments, max_size=2).map(tuple), span=SPANS)
    outer = st.builds(Argument, name=st.none() | NAMES, value=leaf | inner)
    return st.builds(Call, name=NAMES, arguments=st.lists(outer, max_size=2).map(tuple), span=SPANS)


def scores(
    call: st.SearchStrategy[Call], weight: st.SearchStrategy[Quantity | Open]
) -> st.SearchStrategy[Call | Weighted | Sum | Product]:
    return st.recursive(
        call,
        lambda inner: (
            st.builds(Weighted, weight=weight, score=inner)
            | st.lists(inner, min_size=2, max_size=3).map(lambda terms: Sum(terms=tuple(terms)))
            | st.lists(inner, min_size=2, max_size=2).map(lambda factors: Product(factors=tuple(factors)))
        ),
        max_leaves=4,
    )


@st.composite
def mixes(draw: st.DrawFn, call: st.SearchStrategy[Call]) -> Mix:
    """Shares that add up to at most one."""
    weights = draw(st.lists(st.integers(0, 5), min_size=1, max_size=3))
    whole = max(sum(weights), 1) + draw(st.integers(0, 3))
    parts = [MixPart(share=Quantity(value=Fraction(w, whole)), behaviour=draw(call)) for w in weights]
    return Mix(parts=tuple(parts))


@st.composite
def steps(draw: st.DrawFn, leaf: st.SearchStrategy[Word | Quantity | Dims | Open]) -> Step:
    call = calls(leaf)
    layers = sorted(draw(st.lists(st.integers(0, 40), min_size=1, max_size=4, unique=True)))
    gradual = len(layers) == 2 and draw(st.booleans())
    where = Where(
        stream=draw(st.sampled_from(["decoder", "encoder"])),
        layers=tuple(LayerRef(index=layer) for layer in layers),
        gradual=gradual,
        after_attention=draw(st.booleans()),
        span=draw(SPANS),
    )
    values = RATIOS | TOKENS | call | st.just(Word(name="all"))
    amounts = [Amount(value=draw(values), of=draw(st.sampled_from(["original", "incoming"])))]
    if not gradual and draw(st.booleans()):
        amounts = [Amount(value=draw(values)) for _ in layers]
    start = Amount(value=draw(RATIOS)) if gradual and draw(st.booleans()) else None
    budget = Budget(verb=draw(st.sampled_from(["retain", "remove"])), amounts=tuple(amounts), start=start)
    group = Group(
        budget=budget,
        score=draw(st.none() | scores(call, NUMBERS)),
        pick=draw(call),
        behaviour=draw(call | mixes(call)),
    )
    bookkeeping = Bookkeeping(
        positions=draw(st.sampled_from(["keep", "compact", "mean", "median"])),
        order=draw(st.sampled_from(["position", "score", "anchors_then_rest"])),
        attention_bias=AttentionBias(strength=draw(NUMBERS | st.just(Word(name="calibrated")))),
        extra=draw(st.lists(st.tuples(NAMES, WORDS | NUMBERS), max_size=1).map(tuple)),
    )
    return Step(where=where, groups=(group,), bookkeeping=bookkeeping, span=draw(SPANS))


CONSTRAINTS = st.builds(
    Constraint,
    measure=calls(WORDS | NUMBERS),
    comparison=st.sampled_from(["<=", ">=", "="]),
    bound=RATIOS | TOKENS,
)


@st.composite
def operators(draw: st.DrawFn) -> DiscreteProgram:
    """Programs without holes."""
    return DiscreteProgram(
        name=draw(NAMES),
        family=draw(st.none() | NAMES),
        steps=tuple(draw(st.lists(steps(WORDS | NUMBERS | DIMS), max_size=3))),
        comment=tuple(draw(st.lists(st.text(max_size=8), max_size=2))),
        expectations=tuple(draw(st.lists(CONSTRAINTS, max_size=2))),
    )


@st.composite
def spaces(draw: st.DrawFn) -> RelaxedProgram:
    """Programs with holes."""
    leaf = WORDS | NUMBERS | DIMS | OPEN
    return RelaxedProgram(
        name=draw(NAMES),
        steps=tuple(draw(st.lists(steps(leaf), max_size=2))),
        objective=draw(st.none() | scores(calls(leaf), NUMBERS | OPEN)),
        constraints=tuple(draw(st.lists(CONSTRAINTS, max_size=2))),
        search=tuple(draw(st.lists(st.tuples(NAMES, NUMBERS | WORDS), max_size=2))),
    )


PROGRAMS = operators() | spaces()
