"""Guards and laws for every registered score, pick, behaviour and support, whichever are put together.

The registries are walked: an operator that is added is held to these by being registered.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from every_operator import COLUMNS, LENGTH, ROWS, SHARED, given, images_of, texts, variants

from eosdsl import apply_step
from eosdsl.operators.base import Absorbing, Reduction
from eosdsl.operators.binding import bind_call
from eosdsl.operators.registry import operators
from eosdsl.operators.step import step_groups

SCORES = texts("scores")
PICKS = texts("picks")
SUPPORTS = texts("supports")
BEHAVIOURS = texts("behaviours", without=SHARED)
COUPLED = "over: batch"  # says itself that an image depends on its batch
BY_PLACE = ("alternate", "uniform", "grid", "bipartite", "distinct", "random", "extra")  # not the first of equals

INPUTS = given(0)
REVERSED = images_of(INPUTS, [1, 0])


def step(count: int, score: str = "norm(hidden)", pick: str = "top", behaviour: str = "prune") -> str:
    return f"retain {count} tokens by {score} pick {pick} via {behaviour}"


def run(text: str, inputs: dict[str, Any] | None = None) -> Reduction:
    return apply_step(text, **(INPUTS if inputs is None else inputs))


def asked(count: int, pick: str) -> int:
    """How many that is of `LENGTH` tokens, where the pick does not bring its own count."""
    bound, _ = bind_call("picks", step_groups(step(1, pick=pick))[0].pick)
    own = bound.own_count(LENGTH, (ROWS, COLUMNS)) if bound is not None else None
    return min(count, LENGTH) if own is None else own


def name_of(text: str) -> str:
    return text.split("(")[0]


def anchored(pick: str) -> bool:
    return operators("picks")[name_of(pick)].anchored


def absorbing(behaviour: str) -> type[Absorbing] | None:
    found = operators("behaviours")[name_of(behaviour)]
    return found if issubclass(found, Absorbing) else None


def check_anchors(made: Reduction, count: int, pick: str, what: str) -> None:
    """Exactly K, none twice, in order, all of them there."""
    assert made.anchors.shape == (2, count), what
    assert made.hidden.shape[1] == made.sizes.shape[1] == count, what
    assert made.valid is None, what
    assert made.hidden.isfinite().all(), what
    for row in made.anchors.tolist():
        if anchored(pick):
            assert row == sorted(set(row)) and row[0] >= 0 and row[-1] < LENGTH, what
        else:
            assert row == [-1] * count, what


def check_same(found: Reduction, wanted: Reduction, what: str) -> None:
    assert torch.equal(found.anchors, wanted.anchors), what
    close: dict[str, Any] = {"atol": 1e-5, "rtol": 1e-5, "msg": lambda text: f"{what}: {text}"}
    torch.testing.assert_close(found.hidden, wanted.hidden, **close)
    torch.testing.assert_close(found.sizes, wanted.sizes, **close)


@pytest.mark.parametrize("pick", sorted(operators("picks")))
def test_every_score_with_every_pick(pick: str) -> None:
    """Exact counts, unique anchors, and no image that depends on the others of its batch."""
    written = next(variants(operators("picks")[pick], pick))
    for score in SCORES:
        text = step(7, score, written)
        made = run(text)
        check_anchors(made, asked(7, written), written, text)
        if COUPLED not in score:
            check_same(run(text, REVERSED), _turned(made), text)


def _turned(made: Reduction) -> Reduction:
    return Reduction(made.hidden.flip(0), made.anchors.flip(0), made.sizes.flip(0))


@pytest.mark.parametrize("pick", PICKS)
def test_a_pick_keeps_its_guards(pick: str) -> None:
    """One, an odd number, all but one, all, and more than there are; an image alone; images of other lengths."""
    for count in (1, 6, LENGTH - 1, LENGTH, LENGTH + 9):
        made = run(step(count, pick=pick))
        check_anchors(made, asked(count, pick), pick, f"{count} by {pick}")
        if asked(count, pick) == LENGTH and anchored(pick):
            assert torch.equal(made.hidden, INPUTS["hidden"])
    together = run(step(6, pick=pick))
    for image in (0, 1):
        alone = run(step(6, pick=pick), images_of(INPUTS, [image]))
        assert torch.equal(alone.anchors[0], together.anchors[image])


@pytest.mark.parametrize("pick", [pick for pick in PICKS if name_of(pick) != "grid"])
def test_rows_that_do_not_exist_change_nothing(pick: str) -> None:
    """Images of 35 and of 22 tokens in one call, the rest of the rows garbage, against each alone."""
    valid = torch.arange(LENGTH) < torch.tensor([[LENGTH], [22]])
    inputs: dict[str, Any] = dict(INPUTS)
    for name in ("hidden", "keys", "values"):
        inputs[name] = torch.where(valid[:, :, None], inputs[name], 1e4)
    inputs["attention"] = {
        query: torch.where(valid[:, None, None], rows, 1e4) for query, rows in inputs["attention"].items()
    }
    for behaviour in ("prune", "merge", "reweight(temperature: 0.2)"):
        text = step(6, "attention(query: last)", pick, behaviour)
        made = apply_step(text, **inputs, valid=valid)
        for image, length in enumerate((LENGTH, 22)):
            one = images_of(_cut(INPUTS, length), [image])
            one.pop("grid")
            alone = apply_step(text, **one)
            assert made.anchors[image].tolist() == alone.anchors[0].tolist(), text
            torch.testing.assert_close(made.hidden[image], alone.hidden[0], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(made.sizes[image], alone.sizes[0])


def _cut(inputs: dict[str, Any], length: int) -> dict[str, Any]:
    cut = {name: inputs[name][:, :length] for name in ("hidden", "keys", "values", "sizes", "frame")}
    attention = {query: rows[..., :length] for query, rows in inputs["attention"].items()}
    return {
        **inputs,
        **cut,
        "attention": attention,
        "learned": {"predictor": inputs["learned"]["predictor"][:, :length]},
    }


@pytest.mark.parametrize("pick", PICKS)
def test_equal_tokens_zero_tokens_and_few_kinds_of_tokens(pick: str) -> None:
    """Ties go to the lower position in any batch; K beyond the rank of the features is K, and none comes twice."""
    for seed in (0, 1):
        equal = given(seed, equal=True)
        made = run(step(7, pick=pick), equal)
        check_anchors(made, asked(7, pick), pick, f"equal tokens, {pick}")
        assert torch.equal(made.anchors[0], made.anchors[1])
        assert torch.equal(run(step(7, pick=pick), images_of(equal, [1])).anchors[0], made.anchors[1])
        if name_of(pick) not in BY_PLACE:
            assert made.anchors[0].tolist() == list(range(7))
    nothing = {**INPUTS, **{name: torch.zeros_like(INPUTS[name]) for name in ("hidden", "keys", "values")}}
    kinds: dict[str, Any] = dict(INPUTS)
    for name in ("hidden", "keys", "values"):
        kinds[name] = kinds[name][:, torch.arange(LENGTH) % 3]
    for inputs in (nothing, kinds):
        for behaviour in ("prune", "merge", "reweight(temperature: 0.01)"):
            made = run(step(11, pick=pick, behaviour=behaviour), inputs)
            check_anchors(made, asked(11, pick), pick, f"{pick} via {behaviour}")
            assert made.weights.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("pick", PICKS)
def test_half_precision_chooses_as_single_does_of_the_same_numbers(pick: str, dtype: torch.dtype) -> None:
    half = given(3, dtype=dtype)
    single = {name: _float(value) for name, value in half.items()}
    for behaviour in ("merge", "pool"):
        found, wanted = (
            run(step(8, pick=pick, behaviour=behaviour), half),
            run(step(8, pick=pick, behaviour=behaviour), single),
        )
        assert found.hidden.dtype == dtype and found.sizes.dtype == torch.float32
        assert torch.equal(found.anchors, wanted.anchors)
        assert torch.equal(found.hidden, wanted.hidden.to(dtype))


def _float(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _float(one) for name, one in value.items()}
    return value.float() if isinstance(value, torch.Tensor) and value.is_floating_point() else value


def parts(behaviour: str) -> list[str]:
    """The behaviour with every support and, in turn, every similarity."""
    if absorbing(behaviour) is None:
        return [behaviour]
    likenesses = texts("similarities")
    inside = behaviour[len(name_of(behaviour)) :].strip("()")
    given_ = [inside] if inside else []
    every = [f"within: {one}, similarity: {likenesses[i % len(likenesses)]}" for i, one in enumerate(SUPPORTS)]
    every += [f"similarity: {one}" for one in likenesses]
    return [behaviour] + [f"{name_of(behaviour)}({', '.join([*given_, one])})" for one in every]


@pytest.mark.parametrize("behaviour", [*BEHAVIOURS, "reweight(temperature: 0.1)"])
@pytest.mark.parametrize("pick", sorted(operators("picks")))
def test_every_pick_with_every_behaviour_and_support(pick: str, behaviour: str) -> None:
    """Y = W X, W >= 0, averages sum to one, and no token is given away more than once."""
    written = next(variants(operators("picks")[pick], pick))
    for one in parts(behaviour):
        made = run(step(9, pick=written, behaviour=one))
        check_anchors(made, asked(9, written), written, one)
        check_average(made, one)


def check_average(made: Reduction, behaviour: str) -> None:
    hidden, sizes, weights = INPUTS["hidden"], INPUTS["sizes"], made.weights
    assert (weights >= 0).all(), behaviour
    torch.testing.assert_close(weights @ hidden, made.hidden, atol=1e-5, rtol=1e-5)
    empty = (made.anchors < 0) & (weights.sum(dim=2) == 0)  # an extra row that nothing went into
    torch.testing.assert_close(weights.sum(dim=2), (~empty).float())
    # A_ij = W_ij m'_i / m_j: how much of token j went to anchor i
    given_away = (weights * made.sizes[:, :, None] / sizes[:, None, :]).sum(dim=1)
    torch.testing.assert_close(made.sizes.sum(dim=1), (given_away * sizes).sum(dim=1))
    found = absorbing(behaviour)
    if found is None or not found.copies:
        assert (given_away <= 1 + 1e-5).all(), behaviour
    if found is not None and "within" not in behaviour and not found.copies and (made.anchors >= 0).all():
        destinations = given_away > 0
        torch.testing.assert_close(given_away, destinations.float(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("weight", ["size", "mean", "score", "sum"])
@pytest.mark.parametrize("combine", ["average", "add_mean", "add_sum", "sequential"])
def test_every_weighting_with_every_way_of_combining(weight: str, combine: str) -> None:
    """W >= 0 and Y = W X always; rows sum to one where averages are said, and to more where they are not."""
    hidden = INPUTS["hidden"]
    for behaviour in (one for one in BEHAVIOURS if absorbing(one) is not None):
        made = run(step(9, behaviour=f"{behaviour}(weight: {weight}, combine: {combine})"))
        assert (made.weights >= 0).all()
        torch.testing.assert_close(made.weights @ hidden, made.hidden, atol=1e-4, rtol=1e-4)
        sums = made.weights.sum(dim=2)
        if combine in ("average", "sequential") and weight != "sum":
            torch.testing.assert_close(sums, torch.ones_like(sums))
        else:
            assert (sums >= 1 - 1e-5).all() and (sums > 1.5).any()


@pytest.mark.parametrize("behaviour", [*BEHAVIOURS, "reweight(temperature: 0.3)"])
def test_gradients_are_those_of_finite_differences(behaviour: str) -> None:
    """Along one direction, in double precision, for every support and similarity."""
    inputs: dict[str, Any] = {name: value for name, value in INPUTS.items() if name in ("grid", "frame", "sizes")}
    generator = torch.Generator().manual_seed(1)
    hidden, keys, values, along = torch.randn(4, 2, LENGTH, 6, generator=generator, dtype=torch.float64)
    for one in parts(behaviour):
        text = step(6, "random(3)", behaviour=one)

        def total(shift: torch.Tensor, text: str = text) -> torch.Tensor:
            made = apply_step(text, hidden + shift * along, keys=keys, values=values, **inputs)
            return made.hidden.sin().sum()

        zero = torch.zeros((), dtype=torch.float64, requires_grad=True)
        (found,) = torch.autograd.grad(total(zero), zero)
        small = torch.tensor(1e-6, dtype=torch.float64)
        wanted = (total(small) - total(-small)) / (2 * small)
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5, msg=lambda text, one=one: f"{one}: {text}")


@pytest.mark.parametrize("budget", texts("budgets"))
def test_every_budget_that_depends_on_the_image_keeps_at_least_one_and_knows_no_batch(budget: str) -> None:
    for score in ("norm(hidden)", "attention(query: last)"):
        text = f"retain {budget} by {score} via merge"
        made = run(text)
        assert made.valid is not None
        for image in (0, 1):
            alone = run(text, images_of(INPUTS, [image]))
            count = alone.anchors.shape[1]
            assert count >= 1 and made.valid[image].tolist() == [i < count for i in range(made.anchors.shape[1])]
            assert made.anchors[image, :count].tolist() == alone.anchors[0].tolist()
            torch.testing.assert_close(made.hidden[image, :count], alone.hidden[0], atol=1e-5, rtol=1e-5)
            assert not made.weights[image, count:].any()


def test_texts_of_operators_are_what_the_language_takes() -> None:
    assert all(bind_call("scores", _call(f"by {one}", "score")) for one in SCORES)
    assert {name_of(one) for one in PICKS} == set(operators("picks"))
    assert {name_of(one) for one in SUPPORTS} == set(operators("supports"))


def _call(clause: str, field: str) -> Any:
    return getattr(step_groups(f"retain 1 token {clause}")[0], field)


@pytest.mark.slow
@pytest.mark.parametrize("behaviour", [*BEHAVIOURS, "reweight(temperature: 0.1)"])
@pytest.mark.parametrize("pick", PICKS)
def test_everything_with_everything(pick: str, behaviour: str) -> None:
    """All scores x picks x behaviours x supports, one by one."""
    for one in parts(behaviour):
        for score in SCORES:
            text = step(9, score, pick, one)
            made = run(text)
            check_anchors(made, asked(9, pick), pick, text)
            check_average(made, one)
