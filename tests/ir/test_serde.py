"""Programs as JSON: what is loaded is what was dumped; what is not a program is refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from ir_programs import PROGRAMS, calm

from eosdsl.diagnostics import SpecError
from eosdsl.ir.nodes import DiscreteProgram, RelaxedProgram
from eosdsl.ir.quantities import Node
from eosdsl.ir.schema import FILE, program_schema, schema_text
from eosdsl.ir.serde import dump_program, load_program
from eosdsl.ir.walk import walk

SCHEMAS = Path(__file__).parents[2] / "docs" / "schema"


@calm(50)
@given(PROGRAMS)
def test_round_trip(program: DiscreteProgram | RelaxedProgram) -> None:
    assert load_program(dump_program(program)) == program
    assert load_program(dump_program(program, indent=None)) == program


@calm(30)
@given(PROGRAMS)
def test_spans_travel_when_asked_for(program: DiscreteProgram | RelaxedProgram) -> None:
    def spans(node: Node) -> list[Any]:
        return [inner.span for inner in walk(node)]

    assert spans(load_program(dump_program(program, spans=True))) == spans(program)
    assert set(spans(load_program(dump_program(program)))) == {None}


@calm(25)
@given(PROGRAMS)
def test_what_is_dumped_keeps_to_the_schema(program: DiscreteProgram | RelaxedProgram) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(program_schema())
    validator.validate(json.loads(dump_program(program)))
    validator.validate(json.loads(dump_program(program, spans=True)))


def test_the_committed_schema_is_fresh() -> None:
    fresh = "run `python -m eosdsl.ir.schema docs/schema`"
    assert (SCHEMAS / FILE).read_text(encoding="utf-8") == schema_text(), fresh


GOOD = {"eos_ir": 1, "program": {"kind": "operator", "name": "a", "steps": []}}


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [
        ("", "E0610", "not JSON"),
        ("{", "E0610", "not JSON"),
        ("[1]", "E0610", '"eos_ir"'),
        ('{"program": {}}', "E0610", '"eos_ir"'),
        ('{"eos_ir": 2, "program": {}}', "E0611", "format 2"),
        ('{"eos_ir": "1", "program": {}}', "E0611", "format '1'"),
        ('{"eos_ir": true, "program": {}}', "E0611", "format True"),
        ('{"eos_ir": 1}', "E0610", "program"),
        ('{"eos_ir": 1, "program": {"kind": "poem"}}', "E0610", "program"),
        ('{"eos_ir": 1, "program": {"kind": "operator", "steps": [{}]}}', "E0610", "program.operator.steps.0"),
        ('{"eos_ir": 1, "program": {"kind": "operator", "steps": [], "surplus": 1}}', "E0610", "surplus"),
        ("[" * 100_000, "E0610", ""),
    ],
)
def test_what_is_not_a_program_is_refused(text: str, code: str, part: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_program(text)
    (first, *_) = caught.value.diagnostics
    assert first.code == code
    assert part in first.message


def test_the_smallest_program_loads() -> None:
    assert load_program(json.dumps(GOOD)) == DiscreteProgram(name="a", steps=())
