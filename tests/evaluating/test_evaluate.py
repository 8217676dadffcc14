"""The engine against asking one question at a time, and what a kill leaves behind."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import eosdsl
from eosdsl.diagnostics import SpecError
from eosdsl.evaluating.budgets import parse_budgets
from eosdsl.evaluating.evaluate import Evaluation, Settings, evaluate
from eosdsl.evaluating.loading import load
from eosdsl.evaluating.records import Record
from eosdsl.evaluating.sides import Candidate, smaller_grid
from eosdsl.run.prompt import prepare
from eosdsl.source import SourceFile
from eosdsl.tasks.registry import family

SPECS = [
    Candidate("early", SourceFile("early", "at input: retain 25% pick uniform")),
    Candidate("late", SourceFile("late", "at layer 2: retain 50% by attention(query: last)")),
    Candidate("tower", SourceFile("tower", "at encoder output: retain 50% by attention(query: cls)")),
]
SETTINGS = Settings(tasks=("exist", "multi", "prior"), questions=3, batch=2, max_new_tokens=2, rounds=1)
BUDGETS = parse_budgets("192,16")


def run(model: Path, out: Path, settings: Settings = SETTINGS, **more: Any) -> Evaluation:
    return evaluate(SPECS, str(model), out, BUDGETS, settings, **more)


@pytest.fixture(scope="module")
def made(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Evaluation, Path]:
    out = tmp_path_factory.mktemp("eval") / "out"
    return run(model_folder, out), out


def test_batched_answers_are_those_of_one_question_at_a_time(made: tuple[Evaluation, Path], model_folder: Path) -> None:
    """No batch, no padding, no shared tower, one operator at a time: the same answers."""
    evaluation, _ = made
    by = {(one.side, one.task, one.index): one for one in evaluation.records}
    _, _, model, processor = load(str(model_folder))
    several = False
    for side in evaluation.sides:
        if side.kind not in ("full", "operator"):
            continue
        for task in ("exist", "multi"):
            for index, example in enumerate(family(task).generate("test", 0, 3)):
                inputs = prepare(processor, example.question, [Image.fromarray(image) for image in example.images])
                wanted: dict[str, Any] = {"max_new_tokens": 2, "do_sample": False}
                if side.program is None:
                    tokens = model.generate(**inputs, **wanted)
                else:
                    with eosdsl.compile(side.program, model) as compiled:
                        tokens = compiled.generate(**inputs, **wanted)
                new = tokens[0, inputs["input_ids"].shape[1] :]
                record = by[side.name, task, index]
                assert record.given == processor.tokenizer.decode(new, skip_special_tokens=True).strip()
                assert (record.question, record.answer) == (example.question, example.answer)
                several |= record.given != by["full", task, index].given
    assert several, "the untrained model answers the same whatever it sees: this tests nothing"


def test_what_entered_is_what_the_plan_says(made: tuple[Evaluation, Path]) -> None:
    evaluation, _ = made
    planned = {side.name: side.tokens for side in evaluation.sides if side.kind != "blind"}
    for record in evaluation.records:
        if record.side in planned:
            assert record.tokens == pytest.approx(planned[record.side], abs=1e-3), record.side
    assert planned["late@192"] == float(Fraction(2 * 144 + 6 * 16, 8))
    assert [gap.budget for gap in evaluation.gaps if gap.method == "late"] == ["16"]


def test_cells_are_what_counting_the_records_gives(made: tuple[Evaluation, Path]) -> None:
    evaluation, out = made
    lines = [Record(**json.loads(line)) for line in (out / "results.jsonl").read_text().splitlines()]
    assert tuple(lines) == evaluation.records
    for cell in evaluation.cells:
        own = [one for one in lines if one.side == cell.side and (one.task == cell.task or cell.task == "mean")]
        if cell.task == "mean":
            own = [one for one in own if one.task != "prior"]
        assert cell.n == len(own)
        assert cell.accuracy == pytest.approx(sum(one.correct for one in own) / len(own))
        full = {(one.task, one.index): one for one in lines if one.side == "full"}
        same = sum(one.given == full[one.task, one.index].given for one in own)
        assert cell.fidelity == pytest.approx(same / len(own))
        lost = sum(full[one.task, one.index].correct and not one.correct for one in own)
        assert cell.lost == lost


def test_smaller_images_are_smaller(made: tuple[Evaluation, Path]) -> None:
    evaluation, _ = made
    tokens = {cell.side: cell.tokens for cell in evaluation.cells if cell.task == "mean"}
    assert tokens["downsample@192"] == 48
    assert tokens["downsample@16"] == 4
    assert tokens["lowres@16"] == 144
    assert tokens["blind"] == tokens["no visual tokens"] == 0
    costs = evaluation.costs
    assert costs["blind"].flops < costs["downsample@16"].flops < costs["downsample@192"].flops < costs["full"].flops
    assert smaller_grid(Fraction(32), (12, 12)) == (6, 5)
    assert smaller_grid(Fraction(1, 2), (12, 12)) == (1, 1)


def test_times_and_caches_are_measured(made: tuple[Evaluation, Path]) -> None:
    evaluation, _ = made
    speeds = {one.side: one for one in evaluation.speeds}
    assert set(speeds) == {side.name for side in evaluation.sides}
    assert all(one.prefill > 0 and one.decode > 0 for one in speeds.values())
    assert speeds["early@16"].kv_bytes < speeds["early@192"].kv_bytes < speeds["full"].kv_bytes


class Killed(Exception):
    pass


def test_after_a_kill_the_same_command_goes_on_and_ends_the_same(model_folder: Path, tmp_path: Path) -> None:
    settings = Settings(tasks=("exist",), questions=3, batch=2, max_new_tokens=2, rounds=0, controls=False)
    whole, out = tmp_path / "whole", tmp_path / "out"
    begun: list[str] = []

    def kill(step: str, steps: int) -> None:
        begun.append(step)
        if len(begun) == 9:
            raise Killed

    evaluate(SPECS, str(model_folder), whole, BUDGETS[:1], settings)
    with pytest.raises(Killed):
        evaluate(SPECS, str(model_folder), out, BUDGETS[:1], settings, progress=kill)
    done = sorted(file.name for file in (out / "shards").iterdir())
    assert done == ["00000.jsonl"], "one whole batch of four sides, and nothing of the second"
    stamp = (out / "shards" / "00000.jsonl").stat().st_mtime_ns
    evaluate(SPECS, str(model_folder), out, BUDGETS[:1], settings)
    assert (out / "shards" / "00000.jsonl").stat().st_mtime_ns == stamp, "what was done is not done again"
    assert (out / "results.jsonl").read_bytes() == (whole / "results.jsonl").read_bytes()


def test_another_evaluation_is_not_mixed_in(made: tuple[Evaluation, Path], model_folder: Path) -> None:
    _, out = made
    before = (out / "results.jsonl").read_bytes()
    with pytest.raises(SpecError) as caught:
        run(model_folder, out, replace(SETTINGS, tasks=("exist",), seed=1))
    found = caught.value.diagnostics[0]
    assert found.code == "E0682"
    assert "another tasks, another seed" in found.message
    assert (out / "results.jsonl").read_bytes() == before


def test_a_damaged_shard_is_named(made: tuple[Evaluation, Path], model_folder: Path, tmp_path: Path) -> None:
    import shutil

    out = tmp_path / "out"
    shutil.copytree(made[1], out)
    (out / "shards" / "00001.jsonl").write_text('{"side": "full"}\n')
    with pytest.raises(SpecError) as caught:
        run(model_folder, out)
    assert caught.value.diagnostics[0].code == "E0684"
    assert "00001.jsonl:1" in caught.value.diagnostics[0].message


def test_the_model_is_left_as_it_was(model_folder: Path) -> None:
    from eosdsl.evaluating.asking import Asking, Panel
    from eosdsl.evaluating.sides import sides_of

    _, facts, model, processor = load(str(model_folder))
    before = {name: dict(module.__dict__) for name, module in model.named_modules()}
    sides, _ = sides_of(SPECS, BUDGETS, facts)
    panel = Panel(model, processor, facts, sides, Asking(2))
    examples = list(family("exist").generate("test", 0, 2))
    for side in sides:
        panel.ask(side, examples)
    for name, module in model.named_modules():
        for key in ("forward", "get_image_features", "generate"):
            assert module.__dict__.get(key) is before[name].get(key)
