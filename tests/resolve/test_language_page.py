"""Every example of the language's page: it parses, means what the page says, and is as the formatter writes it."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import pytest

import eosdsl
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
    ScoreExpr,
    Step,
    Sum,
    Weighted,
    Where,
)
from eosdsl.ir.quantities import Argument, Call, Dims, Open, Quantity, Unit, Value, Word
from eosdsl.syntax.format import format_text

PAGE = (Path(__file__).parent / "language_page.md").read_text(encoding="utf-8")
EXAMPLES = {match[1]: match[2] for match in re.finditer(r"^```eos (\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)}


def number(value: str, unit: Unit = "number") -> Quantity:
    return Quantity(value=Fraction(value), unit=unit)


def share(value: str) -> Quantity:
    return number(value, "ratio")


def call(name: str, *given: Value, **named: Value) -> Call:
    positional = [Argument(value=value) for value in given]
    return Call(name=name, arguments=(*positional, *(Argument(name=key, value=value) for key, value in named.items())))


def word(name: str) -> Word:
    return Word(name=name)


def layers(*indices: int, gradual: bool = False, after: bool = False) -> Where:
    refs = tuple(LayerRef(index=index) for index in indices)
    return Where(stream="decoder", layers=refs, gradual=gradual, after_attention=after)


def tower(*indices: int, after: bool = False) -> Where:
    return Where(stream="encoder", layers=tuple(LayerRef(index=index) for index in indices), after_attention=after)


def retain(*amounts: Quantity | Call | Open) -> Budget:
    return Budget(verb="retain", amounts=tuple(Amount(value=amount) for amount in amounts))


def weighted(weight: str, score: ScoreExpr) -> Weighted:
    return Weighted(weight=number(weight), score=score)


def only(
    *steps: Step, name: str = "unnamed", family: str | None = None, comment: tuple[str, ...] = ()
) -> DiscreteProgram:
    return DiscreteProgram(name=name, family=family, steps=steps, comment=comment)


def step(where: Where, *groups: Group, **bookkeeping: object) -> Step:
    return Step(where=where, groups=groups, bookkeeping=Bookkeeping.model_validate(bookkeeping))


LAST = call("attention", query=word("last"))
MERGE_AND_PRUNE = Mix(
    parts=(
        MixPart(share=number("1/2"), behaviour=call("merge")),
        MixPart(share=number("1/2"), behaviour=call("prune")),
    )
)
LOG_SIZE = AttentionBias(strength=number("1"))

MEANINGS: dict[str, DiscreteProgram | RelaxedProgram] = {
    "one_line": only(step(layers(2, 8, gradual=True), Group(budget=retain(share("1/4")), behaviour=MERGE_AND_PRUNE))),
    "visionzip": only(
        step(
            Where(stream="encoder_output"),
            Group(
                budget=retain(number("54", "tokens")),
                score=call("attention", query=word("cls"), heads=word("sum")),
                behaviour=call("prune"),
            ),
            Group(
                budget=retain(number("10", "tokens")),
                pick=call("uniform"),
                behaviour=call("merge", similarity=call("cosine", word("keys")), combine=word("add_mean")),
            ),
        ),
        name="visionzip",
        family="llava",
        comment=("VisionZip (arXiv 2412.04467): 54 dominant patches, 10 contextual ones that take in the rest",),
    ),
    "fastv": only(
        step(layers(2), Group(budget=retain(share("1/2")), score=LAST)),
        name="fastv",
        family="llava",
        comment=("FastV (arXiv 2403.06764)",),
    ),
    "pyramiddrop": only(
        step(
            layers(8, 16, 24),
            Group(
                budget=retain(share("1/2"), share("1/4"), share("1/8")),
                score=call("attention", query=word("last"), layer=word("next")),
            ),
            positions="compact",
        ),
        name="pyramiddrop",
        family="llava",
        comment=("PyramidDrop (arXiv 2410.17247)",),
    ),
    "tome": only(
        step(
            tower(*range(23), after=True),
            Group(
                budget=Budget(verb="remove", amounts=(Amount(value=number("16", "tokens")),)),
                pick=call("bipartite", on=word("keys")),
                behaviour=call("merge", weight=word("size")),
            ),
            attention_bias=LOG_SIZE,
        ),
        name="tome",
        family="llava",
        comment=("ToMe in the vision tower (arXiv 2210.09461)",),
    ),
    "hybrid": RelaxedProgram(
        name="hybrid",
        family="llava",
        steps=(
            step(
                Where(stream="decoder", layers=tuple(LayerRef(index=i) for i in range(25)), choose=(1, 3)),
                Group(
                    budget=retain(Open(low=share("1/50"), high=share("3/5"))),
                    score=Sum(
                        terms=(
                            Weighted(weight=Open(), score=LAST),
                            Weighted(weight=Open(), score=call("attention", query=word("text"))),
                            Weighted(weight=Open(), score=call("norm", word("hidden"))),
                        )
                    ),
                    pick=Open(choices=(call("top"), call("diverse"), call("grid", Dims(rows=2, columns=2)))),
                    behaviour=Mix(
                        parts=(
                            MixPart(share=Open(), behaviour=call("prune")),
                            MixPart(share=Open(), behaviour=call("merge")),
                            MixPart(share=Open(), behaviour=call("pool")),
                            MixPart(
                                share=Open(),
                                behaviour=call("reweight", temperature=Open(low=number("1/100"), high=number("10"))),
                            ),
                        )
                    ),
                ),
                attention_bias=AttentionBias(strength=Open(low=number("0"), high=number("3/2"))),
            ),
        ),
        objective=Sum(terms=(call("task"), weighted("1/10", call("alignment", word("hidden"))))),
        constraints=(
            Constraint(measure=call("tokens", word("mean")), bound=number("64", "tokens")),
            Constraint(measure=call("flops"), bound=share("3/10")),
        ),
        search=(
            ("steps", number("600")),
            ("optimiser", call("adamw", lr=number("3/100"))),
            (
                "temperature",
                Budget(
                    verb="retain",
                    start=Amount(value=number("2")),
                    amounts=(Amount(value=number("1/20")),),
                    curve=call("cosine"),
                ),
            ),
            ("seed", number("0")),
        ),
    ),
    "hybrid_64": DiscreteProgram(
        name="hybrid_64",
        family="llava",
        comment=(
            "derived from specs/spaces/hybrid.eos (sha256 4f1c…), seed 0, step 600; model llava-1.5-7b (sha256 9a0e…)",
            "task 0.913 (full model 0.921), tokens(mean) 60.75 <= 64, flops 19% <= 30%",
        ),
        steps=(
            step(
                layers(0),
                Group(
                    budget=retain(share("3/20")),
                    pick=call("diverse"),
                    behaviour=Mix(
                        parts=(
                            MixPart(share=number("9/10"), behaviour=call("merge")),
                            MixPart(share=number("1/10"), behaviour=call("prune")),
                        )
                    ),
                ),
                attention_bias=AttentionBias(strength=number("9/10")),
            ),
            step(
                layers(11),
                Group(
                    budget=retain(share("2/25")),
                    score=Sum(
                        terms=(
                            weighted("4/5", call("attention", query=word("text"))),
                            weighted("1/5", call("norm", word("hidden"))),
                        )
                    ),
                    behaviour=call("reweight", temperature=number("21/100")),
                ),
            ),
        ),
        expectations=(
            Constraint(measure=call("tokens", word("mean")), bound=number("64", "tokens")),
            Constraint(measure=call("flops"), bound=share("3/10")),
        ),
    ),
    # in the order of the forward pass, whatever the order of lines
    "sites": only(
        *(
            step(where, Group(budget=retain(share("1/4"))))
            for where in (
                tower(3, after=True),
                tower(22),
                Where(stream="encoder_output"),
                layers(0),
                layers(2),
                layers(5, after=True),
                layers(8, 16, 24),
            )
        )
    ),
    "depths": only(
        step(Where(stream="decoder", layers=(LayerRef(depth=Fraction(1, 4)),)), Group(budget=retain(share("1/4")))),
        step(
            Where(
                stream="decoder",
                layers=(LayerRef(depth=Fraction(1, 2)), LayerRef(depth=Fraction(3, 4))),
                gradual=True,
            ),
            Group(budget=retain(share("1/10"))),
        ),
    ),
    "budgets": only(
        step(layers(2), Group(budget=retain(share("1/3")))),
        step(layers(3), Group(budget=retain(number("64", "tokens")))),
        step(layers(4), Group(budget=Budget(verb="retain", amounts=(Amount(value=share("1/2"), of="incoming"),)))),
        step(layers(5), Group(budget=Budget(verb="remove", amounts=(Amount(value=number("16", "tokens")),)))),
        step(layers(6, 7, 8), Group(budget=retain(share("1/2"), share("1/4"), share("1/8")))),
        step(
            layers(10, 12, gradual=True),
            Group(
                budget=Budget(
                    verb="retain",
                    start=Amount(value=share("1")),
                    amounts=(Amount(value=share("1/10")),),
                    curve=call("cosine"),
                )
            ),
        ),
        step(layers(13), Group(budget=retain(call("outliers", iqr=number("3/2"))))),
        step(layers(14), Group(budget=retain(call("mass", share("9/10"))))),
        step(layers(15), Group(budget=retain(call("rank", number("27/2"))))),
        step(layers(16), Group(budget=retain(call("distance", number("21/100"))))),
        step(layers(17), Group(budget=Budget(verb="remove", amounts=(Amount(value=word("all")),)))),
    ),
    "scores": only(
        step(
            layers(2),
            Group(
                budget=retain(share("1/2")),
                score=Sum(terms=(weighted("7/10", LAST), weighted("3/10", call("norm", word("keys"))))),
            ),
        ),
        step(
            layers(3),
            Group(
                budget=retain(share("2/5")),
                score=Sum(
                    terms=(
                        Product(factors=(call("normalise", call("norm", word("hidden"))), call("position"))),
                        weighted("-1/2", call("random", number("7"))),
                    )
                ),
            ),
        ),
        step(
            layers(4),
            Group(
                budget=retain(share("3/10")),
                score=Sum(terms=(call("negate", call("relevance", word("text"))), call("raw", word("pagerank")))),
            ),
        ),
    ),
}


def test_every_example_has_a_meaning() -> None:
    assert MEANINGS.keys() == EXAMPLES.keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_meaning(name: str) -> None:
    assert eosdsl.parse(EXAMPLES[name]) == MEANINGS[name]


@pytest.mark.parametrize("name", EXAMPLES)
def test_formatter_keeps_the_meaning(name: str) -> None:
    formatted = format_text(EXAMPLES[name])
    assert eosdsl.parse(formatted) == MEANINGS[name]
    assert format_text(formatted) == formatted


@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - {"sites"}))
def test_the_page_is_laid_out_as_the_formatter_does(name: str) -> None:
    assert format_text(EXAMPLES[name]) == EXAMPLES[name]
