"""What `diff` says: nothing for programs that mean the same, and the right numbers where they differ."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eosdsl.cli.main import app
from eosdsl.cost.plan import plan
from eosdsl.ir.nodes import DiscreteProgram
from eosdsl.models.registry import facts
from eosdsl.parsing import parse
from eosdsl.passes.bind import bind
from eosdsl.views.difference import Difference, StepChange, program_difference, schedule_difference
from eosdsl.views.difference_text import difference_text

MODEL = "llava-1.5-7b"
A = "at layer 2: retain 50% by attention(query: last) via prune"
SAME = [
    A,
    "at layer 2: retain 1/2",
    "# a comment\nat   layer 2:\n  retain 50%\n  pick top",
    "param share = 50%\nat layer 2: retain share",
    "score worth = attention(query: last)\nat layer 2: retain 288 tokens by worth",
    "at layer 2: remove 288 tokens with positions: keep, attention_bias: none",
]


def difference(before: str, after: str) -> Difference:
    schedules = []
    for text in (before, after):
        program = parse(text)
        assert isinstance(program, DiscreteProgram)
        schedule, _ = bind(program, facts(MODEL))
        assert schedule is not None
        schedules.append(schedule)
    return schedule_difference(*schedules)


@pytest.mark.parametrize("text", SAME)
def test_another_way_of_writing_the_same_is_no_difference(text: str) -> None:
    found = difference(A, text)
    assert found.is_empty
    assert "nothing changes" in difference_text(found)


CHANGED = [
    "at layer 2: retain 49%",
    "at layer 3: retain 50%",
    "at layer 2: retain 50% by attention(query: text)",
    "at layer 2: retain 50% pick uniform",
    "at layer 2: retain 50% via merge",
    "at layer 2: retain 50% with positions: compact",
    "at layer 2: retain 50% with attention_bias: log_size",
    "at layer 2: retain 25% and retain 25% by norm(keys)",
    "at layer 2: retain 50%\nat layer 9: retain 25%",
]


@pytest.mark.parametrize("text", CHANGED)
def test_every_change_of_meaning_is_a_difference_both_ways(text: str) -> None:
    there, back = difference(A, text), difference(text, A)
    assert not there.is_empty
    assert not back.is_empty
    assert [step.place for step in there.steps] == [step.place for step in back.steps]
    turned = {"added": "removed", "removed": "added", "changed": "changed"}
    assert [turned[step.kind] for step in there.steps] == [step.kind for step in back.steps]


def test_a_difference_names_the_clauses_that_change() -> None:
    (step,) = difference(A, "at layer 2: retain 25% by norm(keys) via merge with positions: mean").steps
    assert step.place == "layer 2"
    assert {(f.name, f.before, f.after) for f in step.fields} == {
        ("retain", "288 tokens", "144 tokens"),
        ("by", "attention(query: last)", "norm(keys)"),
        ("via", "prune", "merge"),
        ("positions", None, "mean"),
    }


def test_tokens_and_figures_are_those_of_the_plans() -> None:
    other = "at layer 2: retain 25%\nat layer 20: retain 32 tokens"
    found, plans = difference(A, other), (plan(parse(A), MODEL), plan(parse(other), MODEL))
    layers = [(run.before, run.after) for run in found.tokens for _ in range(run.first, run.last + 1)]
    assert layers == list(zip(plans[0].tokens_per_layer, plans[1].tokens_per_layer, strict=True))
    figures = {figure.name: (figure.before, figure.after) for figure in found.figures}
    assert figures["FLOPs"] == tuple(one.flops for one in plans)
    assert figures["KV cache"] == tuple(one.kv_cache_bytes for one in plans)
    assert figures["mean tokens"] == tuple(one.mean_tokens for one in plans)
    text = difference_text(found)
    assert "layers 2..19   288 → 144" in text
    assert "layers 20..31  288 → 32" in text


def test_properties_that_turn_are_told() -> None:
    found = difference(A, "at encoder output: retain 50% by norm(hidden)")
    turned = {one.name: (one.before, one.after) for one in found.properties if one.before != one.after}
    assert turned == {"reads the question": (True, False), "all before the decoder": (False, True)}
    assert "reads the question: yes → no" in difference_text(found)


def test_spaces_are_compared_statement_by_statement() -> None:
    space = (
        "space s\nat layer 2: retain ? 2%..60% by norm(hidden) pick {pick}\nminimise task\nsubject to flops <= 30%\n"
    )
    before, after = (parse(space.replace("{pick}", pick)) for pick in ("top", "? {top, diverse}"))
    found = program_difference(before, after)
    assert [(s.place, s.kind, [f.name for f in s.fields]) for s in found.steps] == [("layer 2", "changed", ["pick"])]
    assert isinstance(found.steps[0], StepChange)
    assert program_difference(before, before).is_empty


def test_the_command_and_its_exit_codes(tmp_path: Path) -> None:
    before, after = tmp_path / "a.eos", tmp_path / "b.eos"
    before.write_text(f"operator a for llava\n{A}\n")
    after.write_text("operator b for llava\nat layer 2: retain 25%\n")

    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["diff", *arguments], input=before.read_text())
        return result.exit_code, result.output

    assert run(str(before), str(before))[0] == 0
    code, text = run(str(before), str(after))
    assert code == 1
    assert text.startswith("a → b on llava-1.5-7b\n")
    assert run("-", str(after)) == (code, text)
    document = json.loads(run(str(before), str(after), "--output-format", "json")[1])
    assert (document["version"], document["same"]) == (1, False)
    assert run("-", "-")[0] == 2
    assert run(str(before), str(tmp_path / "gone.eos"))[0] == 2
    assert run(str(before), str(after), "--model", "qwen2-vl-7b")[0] == 1
    assert "E0401" in run(str(before), str(after), "--model", "qwen2-vl-7b")[1]
