"""The loop: constraints are met, parts of a batch add up, checkpoints bring back everything, NaN does no harm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from toy import Toy, below, example, tokens_below, trainer

from eosdsl.diagnostics import SpecError
from eosdsl.searching import checkpoint
from eosdsl.searching.batch import Batch
from eosdsl.searching.constraints import Multiplier, ascended, coefficients, loosened, slack
from eosdsl.searching.metrics import Metrics, read_rows
from eosdsl.searching.objective import Seen, Weights, see
from eosdsl.searching.processes import Processes, launched, own_share
from eosdsl.searching.settings import Settings, Temperature
from eosdsl.searching.trainer import CHECKPOINT

SETTINGS = Settings(steps=300, batch=4, rate=0.05, checkpoint=10)


def state(toy: Toy) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in toy.module.named_parameters()}


def test_without_a_constraint_everything_is_kept() -> None:
    toy = Toy()
    trainer(toy, SETTINGS).run()
    assert float(toy.module["x"].sigmoid()) > 0.95


@pytest.mark.parametrize("bound", [20, 50, 80])
def test_a_constraint_is_met_and_used(bound: int) -> None:
    toy = Toy()
    rows: list[Any] = []
    trainer(toy, SETTINGS.changed(steps=600), tokens_below(bound)).run(rows.append)
    assert float(toy.module["x"].sigmoid()) * 100 == pytest.approx(bound, rel=0.05)
    assert rows[0]["multipliers"]["tokens(mean)"] >= 0 and rows[-1]["multipliers"]["tokens(mean)"] > 0


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("tokens(mean) <= 30%", 30.0),
        ("tokens(layer 2) <= 40", 40.0),
        ("prefill_flops <= 25%", 25.0),
        ("flops <= 50%", 69.09),  # 12 x + x² is half of what it is at 100
        ("kv_cache <= 80 B", 40.0),
        ("latency <= 60%", 40.0),  # 5 + 0.1 x of 15 ms
        ("latency <= 7 ms", 20.0),
        ("tokens(mean) <= 60%, kv_cache <= 35%, latency <= 90%", 35.0),  # the tightest of several
    ],
)
def test_every_measure_is_held_by_dual_ascent(text: str, tokens: float) -> None:
    toy = Toy()
    rows: list[Any] = []
    run = trainer(toy, SETTINGS.changed(steps=600), below(text))
    run.run(rows.append)
    assert float(toy.module["x"].sigmoid()) * 100 == pytest.approx(tokens, rel=0.05)
    # those that do not bind have multipliers of nothing
    found = [value > 1e-3 for value in rows[-1]["multipliers"].values()]
    assert found.count(True) == 1, rows[-1]["multipliers"]


def test_a_constraint_that_holds_costs_nothing() -> None:
    free, bounded = Toy(), Toy()
    trainer(free, SETTINGS).run()
    trainer(bounded, SETTINGS, tokens_below(110)).run()
    assert state(free)["x"] == state(bounded)["x"]


def test_multipliers_are_one_sided() -> None:
    (under,) = constraints = tokens_below(10)
    del under
    (low,) = ascended([Multiplier()], constraints, [-0.5])
    assert low.value == 0 and coefficients([low], constraints) == [0.0]
    (high,) = ascended([Multiplier()], constraints, [0.5])
    assert high.value > 0 and coefficients([high], constraints)[0] > high.value


def test_bounds_are_tightened_on_the_way() -> None:
    constraints = tokens_below(10)
    first = [4.0]
    assert slack(4.0, 0.0) == pytest.approx(5.0) and slack(4.0, 0.25) == pytest.approx(5**0.5)
    assert slack(4.0, 0.5) == slack(4.0, 1.0) == slack(-0.5, 0.0) == 1.0
    over = torch.tensor([4.0])
    assert float(loosened(over, constraints, first, 0.0)) == pytest.approx(0.0)
    assert float(loosened(over, constraints, first, 0.7)) == pytest.approx(4.0)


def test_parts_of_a_batch_add_up_to_the_whole() -> None:
    whole, parts = Toy(), Toy()
    settings = SETTINGS.changed(steps=5, batch=8)
    trainer(whole, settings, tokens_below(30)).run()
    trainer(parts, settings.changed(accumulate=4), tokens_below(30)).run()
    for name, value in state(whole).items():
        torch.testing.assert_close(state(parts)[name], value, rtol=0, atol=1e-5)


def test_the_unreduced_model_is_run_once_for_every_part_of_a_batch() -> None:
    """Whatever compares with it shares what it gave: hidden states and logits here."""
    toy = Toy()
    targets: list[Batch] = []
    run = trainer(toy, SETTINGS.changed(steps=3, accumulate=2), weights=Weights(task=1.0, hidden=0.5, logits=0.5))

    def target(batch: Batch) -> Seen:
        targets.append(batch)
        return see(Toy(), batch, hidden=True)

    run.goal = replace(run.goal, target=target)
    run.run()
    assert len(targets) == toy.forwards == 3 * 2


def test_a_batch_is_shared_out_without_loss() -> None:
    batch = [example(number) for number in range(12)]
    lots = [own_share(batch, Processes(rank, 2), 3) for rank in range(2)]
    assert [one for process in lots for part in process for one in part] == batch
    with pytest.raises(SpecError) as problem:
        own_share(batch, Processes(0, 5), 1)
    assert problem.value.diagnostics[0].code == "E0672"


@pytest.mark.parametrize(
    ("variable", "name"), [("ACCELERATE_USE_DEEPSPEED", "DEEPSPEED"), ("FSDP_OFFLOAD_PARAMS", "FSDP WITH WEIGHTS KEPT")]
)
def test_models_divided_in_other_ways_are_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, name: str
) -> None:
    monkeypatch.setenv(variable, "true")
    with pytest.raises(SpecError) as problem:
        launched()
    assert problem.value.diagnostics[0].code == "E0673" and name in problem.value.diagnostics[0].message.upper()


@pytest.mark.parametrize("stopped", [7, 10, 23])
def test_a_resumed_search_ends_as_one_that_was_not_stopped(tmp_path: Path, stopped: int) -> None:
    settings = SETTINGS.changed(steps=40)
    whole = Toy()
    trainer(whole, settings, tokens_below(40)).run()
    dead = Toy()
    trainer(dead, settings, tokens_below(40), folder=tmp_path).run(until=stopped)
    alive = Toy()
    going = trainer(alive, settings, tokens_below(40), folder=tmp_path)
    assert going.resume()
    assert going.progress.step == stopped  # `until` is an end, and an end is saved
    going.run()
    assert all(torch.equal(value, state(alive)[name]) for name, value in state(whole).items())
    assert going.progress.multipliers[0].value > 0


def test_a_checkpoint_of_another_search_is_refused(tmp_path: Path) -> None:
    trainer(Toy(), SETTINGS.changed(steps=3), folder=tmp_path).run()
    other = trainer(Toy(), SETTINGS.changed(steps=3), folder=tmp_path)
    other.progress.identity = {"search": "another"}
    with pytest.raises(SpecError) as problem:
        other.resume()
    assert problem.value.diagnostics[0].code == "E0670" and "toy" in problem.value.diagnostics[0].message


@pytest.mark.parametrize("text", [b"", b"not safetensors at all", b"\x80\x04pickle"])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / CHECKPOINT).write_bytes(text)
    with pytest.raises(SpecError) as problem:
        checkpoint.load(tmp_path / CHECKPOINT)
    assert problem.value.diagnostics[0].code == "E0670"


def test_a_step_without_a_number_is_skipped_and_counted() -> None:
    toy = Toy(poison=[2, 5])
    rows: list[Any] = []
    run = trainer(toy, SETTINGS.changed(steps=10))
    run.run(rows.append)
    assert [row["finite"] for row in rows] == [n not in (2, 5) for n in range(10)]
    assert run.progress.skipped == 2 and all(value.isfinite().all() for value in state(toy).values())


def test_too_many_steps_without_a_number_end_the_run_with_the_last_good_state(tmp_path: Path) -> None:
    toy = Toy(poison=range(6, 100))
    good = Toy()
    trainer(good, SETTINGS.changed(steps=100)).run(until=6)
    run = trainer(toy, SETTINGS.changed(steps=100), folder=tmp_path)
    with pytest.raises(SpecError) as problem:
        run.run()
    assert problem.value.diagnostics[0].code == "E0671"
    saved = checkpoint.load(tmp_path / CHECKPOINT)
    assert torch.equal(saved.tensors["parameter/x"], state(good)["x"])


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_learns_the_same(precision: Any) -> None:
    toy = Toy()
    trainer(toy, SETTINGS.changed(precision=precision, steps=600), tokens_below(50)).run()
    assert float(toy.module["x"].sigmoid()) * 100 == pytest.approx(50, rel=0.06)


def test_metrics_behind_a_resumed_step_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"ste')
    metrics = Metrics(path, after=2, tensorboard=False)
    metrics.add({"step": 3, "again": True})
    metrics.close()
    assert read_rows(path) == [{"step": 1}, {"step": 2}, {"step": 3, "again": True}]


@pytest.mark.parametrize("curve", ["linear", "cosine", "geometric", "logistic"])
def test_temperatures_go_from_start_to_end(curve: str) -> None:
    ramp = Temperature(2.0, 0.05, curve)
    values = [ramp.at(step / 20) for step in range(21)]
    assert values[0] == pytest.approx(2.0) and values[-1] == pytest.approx(0.05)
    assert values == sorted(values, reverse=True)
