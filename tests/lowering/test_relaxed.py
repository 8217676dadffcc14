"""Attaching, genomes and starts, what is refused by name, what plugins need: nothing."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, ClassVar

import pytest
import torch
from relaxed_runs import several, space
from tiny_models import prompt, tiny_llava

from eosdsl.diagnostics import SpecError
from eosdsl.ir.space import Space
from eosdsl.lowering.compile import compile
from eosdsl.lowering.relaxing.relax import relax
from eosdsl.lowering.relaxing.temperatures import Temperatures
from eosdsl.lowering.relaxing.topk import soft_top_k
from eosdsl.operators.base import CostContext, Score, Tokens


@pytest.fixture(scope="module")
def model() -> Any:
    return tiny_llava("sdpa")


@pytest.fixture(autouse=True)
def with_gradients() -> Generator[None]:
    with torch.enable_grad():
        yield


@pytest.mark.parametrize("temperature", [1.0, 0.05, 1e-4])
def test_soft_top_k_takes_exactly_k(temperature: float) -> None:
    torch.manual_seed(0)
    scores, presence = torch.randn(4, 50), torch.rand(4, 50)
    wanted = torch.tensor([1.0, 7.25, 20.0, 1e6], dtype=torch.float64)
    z = soft_top_k(scores, presence, wanted, temperature).exp()
    expected = torch.minimum(wanted.float(), presence.sum(dim=1))
    torch.testing.assert_close((presence * z).sum(dim=1), expected, atol=1e-3, rtol=1e-4)
    assert (z.gather(1, scores.argsort(dim=1)).diff(dim=1) >= 0).all()


def test_equal_scores_share_while_it_is_warm_and_the_first_come_first_when_it_is_cold() -> None:
    """As in a discrete program: say where no token is within the window of the row that is asked."""
    scores = torch.tensor([[2.0, 0.0, 0.0, -1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]])
    presence = torch.tensor([[1.0, 1.0, 1e-30, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]])
    wanted = torch.tensor([3.0, 2.0], dtype=torch.float64)
    warm = soft_top_k(scores, presence, wanted, 0.05).exp()
    torch.testing.assert_close(warm[0, [1, 4, 5]], torch.full((3,), 2 / 3), atol=1e-3, rtol=0)
    cold = soft_top_k(scores, presence, wanted, 1e-4).exp() * presence
    torch.testing.assert_close(cold[0], torch.tensor([1.0, 1.0, 0.0, 0.0, 1.0, 0.0]), atol=1e-6, rtol=0)
    torch.testing.assert_close(cold[1], torch.tensor([1.0, 1.0, 0.0, 0.0, 0.0, 0.0]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("temperature", [1.0, 0.05, 1e-3])
@pytest.mark.parametrize("missing", [0.0, 1e-6, 0.5])
def test_a_soft_top_k_of_as_good_as_all_has_a_gradient_of_its_size(temperature: float, missing: float) -> None:
    """The mean of log z moves by what is wanted more, over the number of tokens: not by a rounding error's inverse."""
    torch.manual_seed(0)
    scores = torch.randn(2, 50).requires_grad_()
    wanted = torch.full((2,), 50 - missing, dtype=torch.float64).requires_grad_()
    log_z = soft_top_k(scores, torch.ones(2, 50), wanted, temperature)
    (log_z.exp().sum() + 0.1 * log_z.sum()).backward()
    assert wanted.grad is not None and scores.grad is not None
    assert wanted.grad.abs().max() < 20 and scores.grad.abs().max() < 20 / temperature


@pytest.mark.parametrize("temperature", [1.0, 0.05])
def test_gates_compete_for_the_places_that_there_are(model: Any, temperature: float) -> None:
    with relax(space("at any 1..2 of layers 1, 2, 3, 4: retain ?"), model) as relaxed:
        relaxed.temperature = Temperatures(gate=temperature)
        (gates,) = relaxed.space.gates

        def opened(*logits: float) -> torch.Tensor:
            for name, logit in zip(gates.ids, logits, strict=True):
                relaxed.module[name].data.fill_(logit * temperature)
            return torch.stack([relaxed.values()[name] for name in gates.ids])

        within = torch.tensor([1.0, -1.0, -1.0, 0.5], dtype=torch.float64)
        torch.testing.assert_close(opened(*within.tolist()), within.sigmoid())
        many = opened(3.0, 2.0, 1.0, 2.5)
        assert many.argsort().tolist() == [2, 1, 3, 0] and float(many.detach().sum()) == pytest.approx(2, abs=1e-4)
        assert float(opened(-3.0, -2.0, -5.0, -2.5).detach().sum()) == pytest.approx(1, abs=1e-4)
        opened(3.0, 2.0, 1.0, 2.5)[0].backward()
        own, other = (relaxed.module[gates.ids[place]].grad for place in (0, 1))
        assert own is not None and other is not None and float(own) > 0 > float(other)


@torch.no_grad()
@pytest.mark.parametrize("seed", range(3))
def test_a_genome_comes_back(model: Any, seed: int) -> None:
    program = space(
        "at any 1..2 of layers 1, 2, 3: retain ? by ? * attention + ? * norm pick ? {top, dpp} "
        "via mix(? merge, ? 0.1..0.6 prune, ? reweight(temperature: ?)) with attention_bias: ? * log_size"
    )
    with relax(program, model) as relaxed:
        for temperatures in (Temperatures(), Temperatures.at(0.1), Temperatures.cold()):
            relaxed.temperature = temperatures
            genome = relaxed.space.sample(seed)
            relaxed.set_genome(genome)
            assert relaxed.genome() == genome
            relaxed.start(genome, sureness=0.5)
            assert relaxed.genome() == genome


def test_gates_of_the_likeliest_member_are_as_many_as_may_be(model: Any) -> None:
    with relax(space("at any 1..2 of layers 1, 2, 3: retain ?"), model) as relaxed:
        gates = relaxed.space.gates[0].ids
        for value, expected in ((1.0, 2), (-1.0, 1)):
            for place, name in enumerate(gates):
                relaxed.module[name].data.fill_(value + 0.1 * place)
            assert [name for name in gates if relaxed.genome()[name]] == list(gates[3 - expected :])


def test_logits_keep_their_shape_and_text_alone_passes(model: Any) -> None:
    inputs = several()
    with relax(space("at layer 1: retain ? via ? {merge, prune}"), model) as relaxed:
        out = relaxed(**inputs.inputs(labels=inputs.input_ids))
        assert out.logits.shape[:2] == inputs.input_ids.shape
        assert out.loss.requires_grad
        text = prompt([6])
        alone = relaxed(**text.inputs()).logits
        assert relaxed.flow is None
    torch.testing.assert_close(alone, model(**text.inputs(), use_cache=False).logits)


REFUSED = [
    ("at layer 2: retain ? pick density_peaks(k: ? 3..7)", "E0520"),
    ("at layer 2: retain ? pick density_peaks(spread: ? 0.5..2)", "E0520"),
    ("at layer 2: retain ? by norm(hidden, p: ? 1..3)", "E0520"),
    ("at layer 2: retain outliers(iqr: 1.5) via mix(? merge, ? prune)", "E0520"),
    ("at layer 2: retain ? via merge(combine: sequential)", "E0520"),
    ("at layer 2: retain ? pick extra via pool", "E0520"),
    ("at layer 2: retain ? via merge with positions: compact", "E0520"),
    ("at layer 2: retain ? via merge with order: score", "E0520"),
    ("at layer 9: retain ?", "E0302"),
    ("at layer 2: retain ? by attention(query: cls)", "E0403"),
]


@pytest.mark.parametrize(("text", "code"), REFUSED)
def test_what_cannot_be_relaxed_is_refused_by_name(model: Any, text: str, code: str) -> None:
    with pytest.raises(SpecError) as problem:
        relax(space(text), model)
    assert {one.code for one in problem.value.diagnostics} == {code}
    assert "forward" not in model.model.language_model.__dict__


def test_calls_that_have_no_right_answer_are_refused(model: Any) -> None:
    inputs = several().inputs()
    with relax(space("at layer 2: retain ?"), model) as relaxed:
        with pytest.raises(SpecError) as problem:
            relaxed.model.generate(**inputs)
        assert problem.value.diagnostics[0].code == "E0521"
        with pytest.raises(SpecError) as problem:
            relax(space("at layer 2: retain ?"), model)
        assert problem.value.diagnostics[0].code == "E0430"
        with pytest.raises(SpecError):
            compile("at layer 2: retain 50%", model)
    with pytest.raises(SpecError) as problem:
        relax(space("at layer 2: retain ?"), _with(model, "flex_attention"))
    model.set_attn_implementation("sdpa")
    assert problem.value.diagnostics[0].code == "E0439"


def _with(model: Any, implementation: str) -> Any:
    model.set_attn_implementation(implementation)
    return model


class Brightness(Score):
    """A score of a plugin: it knows nothing of searches."""

    name: ClassVar[str] = "brightness"

    def macs(self, context: CostContext) -> int:
        return 0

    def compute(self, tokens: Tokens) -> torch.Tensor:
        return tokens.hidden.float().mean(dim=2)


def test_a_score_of_a_plugin_relaxes_without_more(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from eosdsl.operators import registry

    scores = registry.operators("scores")
    monkeypatch.setitem(scores._loaded, "brightness", Brightness)  # type: ignore[attr-defined]
    monkeypatch.setitem(scores._doors, "brightness", None)  # type: ignore[attr-defined]
    program = space("at layer 2: retain ? by ? * brightness + ? * norm(hidden) via merge")
    with relax(Space.of(program), model) as relaxed:
        relaxed(**several().inputs()).logits.sum().backward()
        assert relaxed.module["steps[0].groups[0].score"].grad is not None


def test_a_budget_beyond_what_arrives_has_a_gradient(model: Any) -> None:
    """The second site asks for far more than the first leaves it: wanting less of it must still show."""
    inputs = several()
    with relax(
        space("at layer 1: retain 10% by norm via prune\nat layer 3: retain ? 5%..90% by norm via prune"), model
    ) as r:
        r.temperature = Temperatures.at(0.5)
        r.start(r.space.prior())
        out = r(**inputs.inputs())
        assert r.flow is not None
        (r.flow.decoder[:, -1].sum() + 0 * out.logits.sum()).backward()
        (point,) = [one for one in r.space.points if one.kind == "fraction"]
        grad = r.module[point.id].grad
        assert grad is not None and float(grad.abs().sum()) > 0


def test_faint_tokens_count_for_less_and_whole_ones_as_before(model: Any) -> None:
    inputs = several()
    with torch.no_grad(), relax(space("at any 0..1 of layers 2: remove all"), model) as r:
        changes: list[float] = []
        for faintness in (1.0, 6.0):
            r.temperature = Temperatures.at(1.0, faintness)
            (gate,) = r.space.gates[0].ids
            r.module[gate].fill_(-40.0)
            whole = r(**inputs.inputs()).logits
            r.module[gate].fill_(0.0)
            changes.append(float((r(**inputs.inputs()).logits - whole).abs().mean()))
        assert changes[1] > 2 * changes[0] > 0
