"""The laws that hold for every family, on a tiny instance of each: see `families.py` for the rows."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
import torch
import transformers
from every_family import FAMILIES, every_family
from families import END, START, VIDEO, Family, Inputs, batch
from tiny_models import IMAGE
from torch import Tensor

import eosdsl
from eosdsl.lowering.anatomy import dissect
from eosdsl.models.registry import facts, profile_for

WANTED: dict[str, Any] = {
    "suppress_tokens": [START, END, VIDEO, IMAGE],  # a placeholder in an answer is refused by transformers itself
    "max_new_tokens": 3,
    "do_sample": False,
    "output_logits": True,
    "return_dict_in_generate": True,
}
SPECS = [
    "at layer 2: retain 25%",
    "at layers 1, 3: retain 50%, 1/4 via mix(merge, prune) with attention_bias: log_size, positions: mean",
    "at input: retain 5 tokens by norm(hidden) via merge with positions: median\n"
    "at layer 3 after attention: retain 3 tokens by attention(query: text) via prune with positions: compact",
]
each_spec = pytest.mark.parametrize("spec", SPECS, ids=["prune", "mix", "input_and_middle"])


@cache
def model_of(name: str) -> Any:
    return FAMILIES[name].build(FAMILIES[name].attentions[0])


def prompts(family: Family) -> list[Inputs]:
    """Other sizes, several images, videos where the family has them, none; of other lengths."""
    seen = [family.usual, *family.others]
    every = [family.prompt([3, one, 5 + 2 * number], number) for number, one in enumerate(seen)]
    several = family.prompt([1, seen[-1], 2, seen[0], seen[0], 4], 9)
    return [*every, several, family.prompt([7], 8)]


def fitting(spec: str, family: Family) -> str:
    """The spec, in front of a layer where the family's layers have no middle."""
    return spec if family.divides else spec.replace(" after attention", "")


def logits(model: Any, inputs: Inputs, **more: Any) -> Tensor:
    """[B, steps, V] of a greedy answer."""
    return torch.stack(model.generate(**inputs, **{**WANTED, **more}).logits, dim=1)


@every_family
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_retaining_all_is_the_model_bit_for_bit(family: Family, attention: str) -> None:
    if attention not in family.attentions:
        pytest.skip(f"transformers does not run {family.name} with it")
    model = family.build(attention)
    together = batch(prompts(family))
    every = [together, family.prompt([3, family.usual, 5]), family.prompt([6])]
    for inputs in every:
        for more in ({}, {"use_cache": False}):
            full = model(**inputs, **more).logits
            with eosdsl.compile("at layers 0, 2: retain 100% via merge", model) as compiled:
                assert torch.equal(compiled(**inputs, **more).logits, full)
            assert torch.equal(model(**inputs, **more).logits, full)
    full = logits(model, together)
    with eosdsl.compile("at layers 0, 2: retain 100% via merge", model) as compiled:
        assert torch.equal(logits(compiled, together), full)


@every_family
def test_a_budget_beyond_what_there_is_changes_nothing(family: Family) -> None:
    """The reducers are there, and find nothing to do."""
    model = model_of(family.name)
    together = batch(prompts(family))
    full = logits(model, together)
    with eosdsl.compile("at layers 0, 2: retain 200 tokens by norm(hidden)", model) as compiled:
        torch.testing.assert_close(logits(compiled, together), full, atol=1e-5, rtol=1e-5)


@every_family
@each_spec
def test_batch_equals_singles(family: Family, spec: str) -> None:
    with eosdsl.compile(fitting(spec, family), model_of(family.name)) as compiled:
        together = logits(compiled, batch(prompts(family)))
        for row, one in enumerate(prompts(family)):
            torch.testing.assert_close(together[row], logits(compiled, one)[0], atol=2e-4, rtol=2e-4)


@every_family
@each_spec
def test_cached_equals_uncached(family: Family, spec: str) -> None:
    together = batch(prompts(family))
    with eosdsl.compile(fitting(spec, family), model_of(family.name)) as compiled:
        torch.testing.assert_close(
            logits(compiled, together), logits(compiled, together, use_cache=False), atol=2e-4, rtol=2e-4
        )


@every_family
@each_spec
def test_beams_cached_equal_uncached(family: Family, spec: str) -> None:
    if transformers.__version__.startswith("5.18."):
        pytest.skip("transformers 5.18 itself mixes up images there, with or without an operator")
    together = batch(prompts(family)[:3] + prompts(family)[-2:])
    asked: dict[str, Any] = {"max_new_tokens": 4, "do_sample": False, "num_beams": 3, "num_return_sequences": 2}
    asked["suppress_tokens"] = WANTED["suppress_tokens"]
    with eosdsl.compile(fitting(spec, family), model_of(family.name)) as compiled:
        cached = compiled.generate(**together, **asked)
        assert torch.equal(cached, compiled.generate(**together, **asked, use_cache=False))


@every_family
@each_spec
def test_the_cache_holds_what_the_plan_counts(family: Family, spec: str) -> None:
    inputs = family.prompt([3, family.usual, 5])
    text = int(family.text_rows(inputs).sum())
    with eosdsl.compile(fitting(spec, family), model_of(family.name)) as compiled:
        layers = compiled(**inputs).past_key_values.layers
        usual = compiled.schedule.model.model_copy(update={"visual_tokens": int(inputs["input_ids"].shape[1]) - text})
        planned = eosdsl.plan(eosdsl.parse(fitting(spec, family)), usual).tokens_per_layer
    assert tuple(layer.keys.shape[2] - text for layer in layers) == planned


@every_family
def test_text_rows_survive_bit_for_bit(family: Family) -> None:
    """On entry to a reduced layer, the rows of text are those that came, in their order."""
    model = model_of(family.name)
    layer = dissect(model, profile_for(model), facts(model)).layers[2]
    inputs = batch(prompts(family))
    with entering(layer) as entered:
        model(**inputs)
        with eosdsl.compile("at layer 2: retain 25% via pool", model) as compiled:
            compiled(**inputs)
    before, after = entered
    assert after.shape[1] < before.shape[1]
    for row, text in enumerate(family.text_rows(inputs)):
        wanted = before[row, text]
        matches = (after[row][:, None] == wanted[None]).all(dim=2)
        assert [rows.nonzero()[:, 0].tolist() for rows in matches.unbind(1)] == [
            [place] for place in matches.nonzero()[:, 0].tolist()
        ]
        assert matches.any(dim=1).sum() == len(wanted)


@every_family
def test_what_is_pruned_is_what_nobody_sees_any_more(family: Family) -> None:
    """Positions kept, windows and blocks as they were: the model itself, with the keys of pruned rows masked from the
    layer on, says the same of every row that stays.
    """
    model = family.build("eager")
    layers = dissect(model, profile_for(model), facts(model)).layers
    inputs = family.prompt([3, family.usual, 5, family.usual, 6], 4)
    with eosdsl.compile("at layer 2: retain 30% by random(seed: 3)", model) as compiled, entering(layers[2]) as reduced:
        out = compiled(**inputs, use_cache=False).logits[0]
    with entering(layers[2]) as whole:
        model(**inputs, use_cache=False)
    stays = (whole[0][0][:, None] == reduced[0][0][None]).all(dim=2).any(dim=1)
    assert int(stays.sum()) == len(out) < len(stays)

    def unseen(_: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        gone = torch.finfo(torch.float32).min
        return args, {**kwargs, "attention_mask": kwargs["attention_mask"].masked_fill(~stays, gone)}

    hooks = [layer.register_forward_pre_hook(unseen, with_kwargs=True) for layer in layers[2:]]
    expected = model(**inputs, use_cache=False).logits[0, stays]
    for hook in hooks:
        hook.remove()
    torch.testing.assert_close(out, expected, atol=2e-4, rtol=2e-4)


@every_family
@pytest.mark.parametrize("query", ["last", "all"])
def test_scores_are_the_models_own_attention(family: Family, query: str) -> None:
    """The rows that stay are those that eager attention of the layer before looked at most, by its own weights."""
    model = family.build("eager")
    layers: Any = dissect(model, profile_for(model), facts(model)).layers
    inputs = family.prompt([3, family.usual, 7], 5)
    weights: list[Tensor] = []
    hook = layers[1].self_attn.register_forward_hook(lambda _, args, out: weights.append(out[1]))
    with entering(layers[2]) as whole:
        model(**inputs)
    hook.remove()
    spec = f"at layer 2: retain 4 tokens by attention(query: {query})"
    with eosdsl.compile(spec, model) as compiled, entering(layers[2]) as reduced:
        compiled(**inputs)
    seen = (~family.text_rows(inputs))[0].nonzero()[:, 0]
    rows = weights[0][0].mean(dim=0)
    scores = (rows[-1] if query == "last" else rows.mean(dim=0))[seen]
    wanted = seen[scores.sort(descending=True, stable=True).indices[:4]]
    stays = (whole[0][0][:, None] == reduced[0][0][None]).all(dim=2).any(dim=1)
    assert stays[seen].nonzero()[:, 0].tolist() == sorted((seen[:, None] == wanted).any(dim=1).nonzero()[:, 0].tolist())


@contextmanager
def entering(layer: Any) -> Generator[list[Tensor]]:
    """The rows that enter a layer, forward by forward."""
    rows: list[Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, args: rows.append(args[0].clone()))
    try:
        yield rows
    finally:
        hook.remove()


@every_family
@each_spec
def test_a_second_turn_on_the_same_cache(family: Family, spec: str) -> None:
    """What is asked next meets the rows that are left, with or without being told so in one go."""
    first = family.prompt([3, family.usual, 5])
    more = torch.randint(2, 90, (1, 4), generator=torch.Generator().manual_seed(3))
    with eosdsl.compile(fitting(spec, family), model_of(family.name)) as compiled:
        answered = compiled.generate(**first, **WANTED)
        longer = torch.cat([answered.sequences, more], dim=1)
        grown = {"input_ids": longer, "attention_mask": torch.ones_like(longer)}
        again = logits(compiled, grown, past_key_values=answered.past_key_values)
        by_hand = _by_hand(compiled, first, answered.sequences, longer)
    torch.testing.assert_close(again[:, 0], by_hand, atol=2e-4, rtol=2e-4)


def _by_hand(compiled: Any, first: Inputs, answered: Tensor, longer: Tensor) -> Tensor:
    """The last row's logits where the same rows are fed with teacher forcing: prompt, then one token after another."""
    start = first["input_ids"].shape[1]

    def forced(_: int, ids: Tensor) -> list[int]:
        return longer[0, ids.shape[-1] : ids.shape[-1] + 1].tolist() or [2]

    rest = longer.shape[1] - start
    out = compiled.generate(**first, **{**WANTED, "max_new_tokens": rest + 1}, prefix_allowed_tokens_fn=forced)
    assert torch.equal(out.sequences[:, : longer.shape[1]], longer)
    return out.logits[rest]
