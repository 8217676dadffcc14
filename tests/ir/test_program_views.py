"""Views of any program: they say something of each, and a program does not differ from itself."""

from __future__ import annotations

from hypothesis import given
from ir_programs import PROGRAMS, calm, operators

from eosdsl.ir.nodes import DiscreteProgram, RelaxedProgram
from eosdsl.views.difference import program_difference
from eosdsl.views.difference_text import difference_json, difference_text
from eosdsl.views.graph.build import flow_graph
from eosdsl.views.graph.dot import dot
from eosdsl.views.graph.mermaid import mermaid
from eosdsl.views.graph.order import stages
from eosdsl.views.graph.page import page
from eosdsl.views.graph.tree import tree
from eosdsl.views.prose import describe


@calm(40)
@given(PROGRAMS)
def test_any_program_is_described_step_by_step(program: DiscreteProgram | RelaxedProgram) -> None:
    text = describe(program)
    assert text.startswith(program.name)
    for number in range(1, len(program.steps) + 1):
        assert f"\n\n{number}. " in text


@calm(25)
@given(PROGRAMS)
def test_any_program_is_drawn(program: DiscreteProgram | RelaxedProgram) -> None:
    graph = flow_graph(program)
    assert sum(stage.kind == "site" for stage in stages(graph)) == len(program.steps)
    for draw in (tree, dot, mermaid, page):
        assert program.name in draw(graph)


@calm(40)
@given(PROGRAMS)
def test_no_program_differs_from_itself(program: DiscreteProgram | RelaxedProgram) -> None:
    found = program_difference(program, program)
    assert found.is_empty
    assert "nothing changes" in difference_text(found)
    assert '"same": true' in difference_json(found)


@calm(25)
@given(operators(), operators())
def test_differences_of_any_two_are_told(one: DiscreteProgram, other: DiscreteProgram) -> None:
    found = program_difference(one, other)
    if one.steps != other.steps and not found.is_empty:
        assert "steps" in difference_text(found)
