"""`compile`: programs and models in all their forms, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import LAYERS, batch, program, prompt, ratio, step, tiny_llava
from torch import fx

import eosdsl
from eosdsl.diagnostics import SpecError
from eosdsl.lowering.anatomy import dissect
from eosdsl.lowering.build import build
from eosdsl.lowering.compile import Compiled
from eosdsl.models.profiles import profiles
from eosdsl.models.registry import facts
from eosdsl.passes.bind import bind

FASTV = "operator fastv for llava\nat layer 2: retain 50% by attention(query: last) via prune\n"


def code_of(problem: pytest.ExceptionInfo[SpecError]) -> str:
    assert str(problem.value).startswith("error[")
    return problem.value.diagnostics[0].code


def test_program_text_path_and_name_mean_the_same(tmp_path: Path) -> None:
    path = tmp_path / "fastv.eos"
    path.write_text(FASTV)
    model = tiny_llava()
    found = []
    for given in (FASTV, path, str(path), eosdsl.parse(FASTV)):
        with eosdsl.compile(given, model) as compiled:
            assert isinstance(compiled, Compiled)
            found.append(compiled(**prompt([3, 0, 5]).inputs()).logits)
    assert all(torch.equal(one, found[0]) for one in found)


def test_the_public_attributes() -> None:
    model = tiny_llava()
    compiled = eosdsl.compile(FASTV, model)
    assert compiled.model is model
    assert isinstance(compiled.graph, fx.GraphModule)
    assert compiled.schedule.decoder_tokens == compiled.plan.tokens_per_layer == (16, 16, 8, 8, 8)
    assert [n.target for n in compiled.graph.graph.nodes if n.op == "call_module"] == [
        "layer_0",
        "layer_1",
        "at_layer_2",
        *(f"layer_{layer}" for layer in range(2, LAYERS)),
        "norm",
    ]


def test_a_shipped_name_needs_no_weights() -> None:
    compiled = eosdsl.compile(FASTV, "llava")
    assert compiled.model.device.type == "meta"
    assert compiled.plan.tokens_per_layer == (576, 576, *[288] * 30)
    assert compiled.schedule.model.name == "llava-1.5-7b"
    ids = prompt([3]).input_ids
    for use in (lambda: compiled(input_ids=ids), lambda: compiled.generate(input_ids=ids, max_new_tokens=1)):
        with pytest.raises(SpecError) as caught:
            use()
        assert code_of(caught) == "E0435"


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ("operator x for qwen2_vl\nat layer 2: retain 50%", "E0401"),
        ("at layer 9: retain 50%", "E0302"),
        ("at layer 2: retain 50%\nexpect tokens(mean) <= 2", "E0330"),
        ("at layer 2: retain 50% by atention(query: last)", "E0220"),
        ("at layer 2: retain ? 2%..60%", "E0443"),
        ("at layer 2: retain 50% with attention_bias: calibrated", "E0436"),
        ("no such thing", "E0101"),
    ],
)
def test_a_wrong_spec_leaves_the_model_alone(spec: str, code: str) -> None:
    model = tiny_llava()
    before = sorted(vars(model.model.language_model))
    with pytest.raises(SpecError) as caught:
        eosdsl.compile(spec, model)
    assert code in {d.code for d in caught.value.diagnostics} or code_of(caught)[:3] == code[:3]
    assert caught.value.source is not None
    assert sorted(vars(model.model.language_model)) == before


def test_an_expectation_that_holds() -> None:
    eosdsl.compile(FASTV + "expect tokens(mean) <= 12, flops <= 95%", tiny_llava()).detach()


def test_a_bias_is_refused_where_attention_cannot_take_one() -> None:
    model: Any = tiny_llava()
    model.model.language_model.config._attn_implementation = "flash_attention_2"
    with pytest.raises(SpecError) as caught:
        eosdsl.compile(program(step(2, ratio("1/2"), bias=1.0)), model)
    assert code_of(caught) == "E0439"


def test_a_model_that_is_none() -> None:
    with pytest.raises(SpecError):
        eosdsl.compile(FASTV, "no-such-model")
    with pytest.raises(SpecError):
        eosdsl.compile(FASTV, torch.nn.Linear(2, 2))


def test_the_graph_is_what_runs() -> None:
    """A module of the graph that does nothing silences the model: nothing runs beside it."""
    compiled = eosdsl.compile(FASTV, tiny_llava())
    seen: list[tuple[int, ...]] = []
    compiled.graph.get_submodule("at_layer_2").register_forward_hook(
        lambda _, __, out: seen.append(tuple(out.hidden.shape))
    )
    compiled(**batch([prompt([3, 0, 5]), prompt([1, 0, 2])]).inputs())
    assert seen == [(2, 17, 32)]


def test_a_family_that_cannot_be_compiled_for_says_why() -> None:
    known = facts("llava").model_copy(update={"unsupported": ("its layers are not understood",)})
    schedule, _ = bind(program(step(2, ratio("1/2"))), known)
    model = tiny_llava()
    assert schedule is not None
    with pytest.raises(SpecError) as caught:
        anatomy = dissect(model, profiles()["llava"], facts(model))
        build(schedule, anatomy, lambda: pytest.fail("no tower is asked for"), torch.nn.ModuleDict())
    assert [(one.code, "not understood" in one.message) for one in caught.value.diagnostics] == [("E0442", True)]
