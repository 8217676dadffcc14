"""No text breaks anything: sentences of the grammar, mutated specs, and plain noise."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from spec_texts import SPECS, anything, mutants, places, sentences, walk
from survival import check_survives, editor_survives, passes_survive, survives

from eosdsl.source import SourceFile
from eosdsl.syntax.parse import parse_syntax

CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
often = settings(CALM, max_examples=150)
seldom = settings(CALM, max_examples=60)


@often
@given(sentences)
def test_sentences_of_the_grammar_have_no_syntax_errors(text: str) -> None:
    wrong = {"E0102", "E0103", "E0104", "E0107", "E0108"}
    assert [d for d in parse_syntax(SourceFile("<text>", text))[1] if d.code in wrong] == []


def test_walks_reach_every_kind_of_statement() -> None:
    import random

    drawn = random.Random(0)
    tapes = [[drawn.randrange(4096) for _ in range(80)] for _ in range(120)]
    file = [statement for tape in tapes for statement in (_tree(walk(tape)))]
    kinds = {type(statement).__name__ for statement in file}
    wanted = {"Version", "Header", "Use", "Param", "Score", "At", "Minimise", "SubjectTo", "SearchWith", "Expect"}
    assert kinds == wanted


def _tree(text: str):
    file = parse_syntax(SourceFile("<text>", text))[0]
    return file.statements if file is not None else ()


@often
@given(sentences)
def test_check_survives_sentences(text: str) -> None:
    check_survives(text)


@often
@given(mutants)
def test_check_survives_mutants(text: str) -> None:
    check_survives(text)


@often
@given(mutants)
def test_passes_survive_mutants(text: str) -> None:
    passes_survive(text)


@seldom
@given(sentences)
def test_passes_survive_sentences(text: str) -> None:
    passes_survive(text)


@seldom
@given(mutants, places)
def test_the_editor_survives_mutants(text: str, offset: int) -> None:
    editor_survives(text, offset)


@seldom
@given(anything, places)
def test_noise_is_survived(text: str, offset: int) -> None:
    survives(text, offset)


@pytest.mark.parametrize("number", range(len(SPECS)))
def test_every_beginning_of_a_spec_is_survived_by_the_editor(number: int) -> None:
    """As it is typed: cut off after each of some characters, with the cursor at the end."""
    text = SPECS[number]
    for end in range(0, len(text), max(1, len(text) // 6)):
        editor_survives(text[:end], end)


@pytest.mark.parametrize("number", range(len(SPECS)))
def test_specs_that_ship_survive(number: int) -> None:
    survives(SPECS[number], len(SPECS[number]) // 2)
