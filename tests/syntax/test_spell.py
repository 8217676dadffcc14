"""Programs printed as text mean what they meant."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from strategies import operators

from eosdsl.ir.nodes import DiscreteProgram
from eosdsl.ir.quantities import Quantity
from eosdsl.ir.spell import spell, spell_value
from eosdsl.parsing import parse
from eosdsl.resources import resource

TEXTS = [
    "at layer 2..8: retain 25% via mix(merge, prune)",
    "operator visionzip for llava\nat encoder output:\n  retain 54 tokens by attention(query: cls, heads: sum)\n"
    "  and retain 10 tokens pick uniform via merge(similarity: cosine(keys), combine: add_mean)",
    "at encoder layers 0..22 after attention: remove 16 tokens pick bipartite(on: keys) via merge with keep cls",
    "at layer 1: retain 1/3 by norm(hidden) - 0.3 * norm(keys) + raw(norm(values)) * norm(keys)\n"
    "  via mix(merge, pool, reweight(temperature: 0.2)) with attention_bias: 0.9 * log_size\n"
    "at layer depth 50%: retain 50% of incoming\nat layer 28..30: retain 100% -> 10% along logistic(3)\n"
    "expect tokens(mean) <= 64, tokens(layer 9) <= 3 tokens, flops <= 30%",
    "at layers 8, 16, 24: retain 50%, 25%, 12.5% by -attention(query: last, layer: next) with positions: compact",
    "at layers 3, 5..7, 9: remove 4 tokens by -0.5 * (norm(hidden) + 2 * norm(keys)) with order: score",
    "space s for llava\nat any 1..3 of layers 0..24: retain ? 2%..60% by ? * attention(query: last, layer: next) + "
    "? prior 0.5 * norm(hidden) pick ? {top, grid(2x2)} via mix(? prune, ? merge)\n"
    "  with attention_bias: ? 0..1.5 * log_size\n"
    "minimise task + 0.1 * alignment(hidden)\nsubject to tokens(mean) <= 64\n"
    "search with steps: 600, temperature: 2 -> 0.05 along cosine, seed: 0",
]


@pytest.mark.parametrize("text", [*TEXTS, *(p.read_text("utf-8") for p in sorted(resource("specs").rglob("*.eos")))])
def test_written_specs(text: str) -> None:
    program = parse(text)
    again = spell(program)
    assert parse(again) == program
    assert spell(parse(again)) == again


@given(operators())
@settings(max_examples=60, deadline=None)
def test_generated_specs(text: str) -> None:
    program = parse(text)
    assert isinstance(program, DiscreteProgram)
    assert parse(spell(program)) == program


@pytest.mark.parametrize(
    ("value", "shown"),
    [("1/8", "0.125"), ("-5/2", "-2.5"), ("1/3", "1/3"), ("1/20", "0.05"), ("300", "300"), ("1/1024", "0.0009765625")],
)
def test_numbers_are_exact(value: str, shown: str) -> None:
    assert spell_value(Quantity(value=Fraction(value))) == shown
