"""The rows of the language page's tables, one by one: options, scores, picks, behaviours, open values, measures."""

from __future__ import annotations

from fractions import Fraction

import pytest

import eosdsl
from eosdsl.ir.nodes import AttentionBias, DiscreteProgram, Group, RelaxedProgram
from eosdsl.ir.quantities import Argument, Call, Dims, Open, Quantity, Unit, Value, Word
from eosdsl.syntax.format import format_text


def number(value: str, unit: Unit = "number") -> Quantity:
    return Quantity(value=Fraction(value), unit=unit)


def word(name: str) -> Word:
    return Word(name=name)


def call(name: str, *given: Value, **named: Value) -> Call:
    arguments = [Argument(value=value) for value in given]
    return Call(name=name, arguments=(*arguments, *(Argument(name=key, value=value) for key, value in named.items())))


def group_of(clauses: str) -> Group:
    text = f"at layer 9: {clauses}"
    program = eosdsl.parse(text)
    assert eosdsl.parse(format_text(text)) == program
    return program.steps[0].groups[0]


@pytest.mark.parametrize("position", ["keep", "compact", "mean", "median"])
def test_positions(position: str) -> None:
    step = eosdsl.parse(f"at layer 9: retain 50% via merge with positions: {position}").steps[0]
    assert step.bookkeeping.positions == position


@pytest.mark.parametrize("order", ["position", "score", "anchors_then_rest"])
def test_orders(order: str) -> None:
    assert eosdsl.parse(f"at layer 9: retain 50% via merge with order: {order}").steps[0].bookkeeping.order == order


@pytest.mark.parametrize(
    ("option", "strength"),
    [
        ("attention_bias: log_size", "1"),
        ("attention_bias: 0.7 * log_size", "7/10"),
        ("proportional_attention", "1"),
    ],
)
def test_biases(option: str, strength: str) -> None:
    step = eosdsl.parse(f"at layer 9: retain 50% via merge with {option}").steps[0]
    assert step.bookkeeping.attention_bias == AttentionBias(strength=number(strength))


SCORES = {
    **{
        f"attention(query: {query}, layer: previous, heads: mean)": call(
            "attention", query=word(query), layer=word("previous"), heads=word("mean")
        )
        for query in ("last", "cls", "text", "raters", "all")
    },
    "attention(query: last, layer: 5)": call("attention", query=word("last"), layer=number("5")),
    "attention(query: last, heads: top(14))": call("attention", query=word("last"), heads=call("top", number("14"))),
    "norm(hidden, p: 1)": call("norm", word("hidden"), p=number("1")),
    "norm(values)": call("norm", word("values")),
    "similarity(others)": call("similarity", word("others")),
    "relevance(text)": call("relevance", word("text")),
    "random(7)": call("random", number("7")),
    "learned(some)": call("learned", word("some")),
}
PICKS = {
    **{name: call(name) for name in ("top", "uniform", "alternate", "diverse", "dpp", "random")},
    "grid(2x2)": call("grid", Dims(rows=2, columns=2)),
    "repel(pivots: 8)": call("repel", pivots=number("8")),
    "density_peaks(k: 5)": call("density_peaks", k=number("5")),
    "bipartite(on: keys)": call("bipartite", on=word("keys")),
}
BEHAVIOURS = {
    **{
        f"merge(similarity: cosine({of}))": call("merge", similarity=call("cosine", word(of)))
        for of in ("hidden", "keys", "values")
    },
    **{f"merge(weight: {weight})": call("merge", weight=word(weight)) for weight in ("size", "mean", "score", "sum")},
    **{
        f"merge(combine: {way})": call("merge", combine=word(way))
        for way in ("average", "add_mean", "add_sum", "sequential")
    },
    "pool(within: window(2x2))": call("pool", within=call("window", Dims(rows=2, columns=2))),
    "pool(within: nearest(32))": call("pool", within=call("nearest", number("32"))),
    "pool(within: distance 0.3)": call("pool", within=call("distance", number("3/10"))),
    "pool(within: everywhere)": call("pool", within=word("everywhere")),
    "pool(within: frame)": call("pool", within=word("frame")),
    "reweight(temperature: 0.2)": call("reweight", temperature=number("1/5")),
}


@pytest.mark.parametrize("written", SCORES)
def test_scores(written: str) -> None:
    assert group_of(f"retain 50% by {written}").score == SCORES[written]


@pytest.mark.parametrize("written", PICKS)
def test_picks(written: str) -> None:
    assert group_of(f"retain 50% pick {written}").pick == PICKS[written]


@pytest.mark.parametrize("written", BEHAVIOURS)
def test_behaviours(written: str) -> None:
    assert group_of(f"retain 50% via {written}").behaviour == BEHAVIOURS[written]


def test_what_may_be_left_open() -> None:
    low, high = number("1/50", "ratio"), number("3/5", "ratio")
    for written, value in {
        "?": Open(),
        "? 2%..60%": Open(low=low, high=high),
        "? {2%, 60%}": Open(choices=(low, high)),
        "? 2%..60% prior 60%": Open(low=low, high=high, prior=high),
    }.items():
        assert group_of(f"retain {written}").budget.amounts[0].value == value
    (step,) = eosdsl.parse("at any 3 of layers 2..24: retain 25%").steps
    assert step.where.choose == (3, 3)
    assert [ref.index for ref in step.where.layers] == list(range(2, 25))


def test_measures() -> None:
    program = eosdsl.parse(
        "at layer 9: retain 50%\n"
        "expect tokens(layer 9) <= 64, tokens(max) <= 576, prefill_flops <= 40%, kv_cache <= 300 MiB, latency <= 30 ms"
    )
    assert isinstance(program, DiscreteProgram)
    assert [(one.measure, one.bound) for one in program.expectations] == [
        (call("tokens", call("layer", number("9"))), number("64", "tokens")),
        (call("tokens", word("max")), number("576", "tokens")),
        (call("prefill_flops"), number("2/5", "ratio")),
        (call("kv_cache"), number(str(300 * 2**20), "bytes")),
        (call("latency"), number("30", "milliseconds")),
    ]


def test_params_and_their_settings() -> None:
    text = "eos 1\nspace s\nparam budget = 64 tokens\nat layer 2: retain ?\nsubject to tokens(mean) <= budget"
    for settings, bound in (({}, "64"), ({"budget": "16"}, "16")):
        program = eosdsl.parse(text, settings=settings)
        assert isinstance(program, RelaxedProgram)
        assert [one.bound for one in program.constraints] == [number(bound, "tokens")]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("at layer 2: retain 0%", "E0340"),
        ("at input: retain 50%\nat layer 0: retain 25%", "E0342"),
        ("at input: retain 50% by attention(query: last)", "E0343"),
        ("at layer 2: retain 50% via mix(0.7 merge, 0.4 prune)", "E0208"),
        ("operator a\nat layer 2: retain ?", "E0501"),
        ("at layer 2: retain 50%  # eos: allow(E0302)", "E0190"),
        ("eos 2\nat layer 2: retain 50%", "E0113"),
        ("operator a\nat layer 2: retain 50%\nspace b", "E0112"),
    ],
)
def test_what_the_page_calls_an_error(text: str, code: str) -> None:
    assert [d.code for d in eosdsl.check(text) if d.is_error] == [code]


def test_what_the_page_does_not_call_an_error() -> None:
    for text in ("at layer 2: remove all", "at layer 2: retain 100%", "at layer 2: retain 50% via merge"):
        assert not [d for d in eosdsl.check(text) if d.is_error]
