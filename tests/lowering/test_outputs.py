"""What a forward gives besides logits: hidden states of every layer, gradients, tuples."""

from __future__ import annotations

import pytest
import torch
from test_batches import SPECS
from tiny_models import LAYERS, batch, call, program, prompt, ratio, step, tiny_llava

from eosdsl.ir.nodes import Step
from eosdsl.lowering.compile import compile

P = batch([prompt([3, 0, 5]), prompt([2, 0, 9], 1)])


def test_hidden_states_have_the_rows_that_each_layer_saw() -> None:
    spec = program(step([1, 3], [ratio("1/2"), ratio("1/4")], via=call("merge")))
    with compile(spec, tiny_llava()) as compiled:
        out = compiled(**P.inputs(), output_hidden_states=True)
        text = P.input_ids.shape[1] - 16
        entering = compiled.plan.tokens_per_layer
    assert [state.shape[1] - text for state in out.hidden_states] == [16, *entering]
    assert len(out.hidden_states) == LAYERS + 1
    torch.testing.assert_close(compiled.model.lm_head(out.hidden_states[-1]), out.logits)


def test_a_tuple_is_given_where_one_is_asked_for() -> None:
    with compile(program(step(2, ratio("1/2"))), tiny_llava()) as compiled:
        expected = compiled(**P.inputs()).logits
        assert torch.equal(compiled(**P.inputs(), return_dict=False)[0], expected)


@pytest.mark.parametrize("spec", SPECS)
def test_gradients_reach_every_layer_and_the_tower(spec: Step) -> None:
    """Training through a reduced forward works: what is kept and merged carries gradients back."""
    model = tiny_llava()
    with torch.enable_grad(), compile(program(spec), model) as compiled:
        compiled(**P.inputs(), use_cache=False).logits[:, -1].square().mean().backward()
    for name, parameter in model.model.language_model.layers.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    tower = model.model.vision_tower.encoder.layers[0].mlp.fc1.weight
    assert tower.grad is not None and tower.grad.abs().sum() > 0
