"""Specs with learned scores are evaluated with the numbers that are given, and with no others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import eosdsl
from eosdsl.cli.main import app
from eosdsl.diagnostics import SpecError
from eosdsl.evaluating.budgets import parse_budgets
from eosdsl.evaluating.evaluate import Evaluation, Settings, evaluate
from eosdsl.evaluating.loading import load
from eosdsl.evaluating.prompts import batch_inputs
from eosdsl.evaluating.sides import Candidate
from eosdsl.harnesses.answering import Answering
from eosdsl.source import SourceFile
from eosdsl.tasks.registry import family

SPEC = "at layer 1: retain {} by learned(worth) via prune"
OWN = Settings(tasks=("attr",), questions=6, batch=6, max_new_tokens=4, rounds=0, controls=False)
PLAIN = Candidate("plain", SourceFile("plain", "at layer 2: retain 50% by norm(hidden)"))


def saved(folder: Path, sign: float) -> str:
    """Numbers that are not the drawn ones, in the folder of a compiled operator."""
    _, _, model, _ = load("tiny-llava")
    with eosdsl.compile(SPEC.format("5%"), model) as compiled, torch.no_grad():
        generator = torch.Generator().manual_seed(7)
        for one in compiled.learned.parameters():
            one.copy_(sign * torch.randn(one.shape, generator=generator))
        compiled.save_pretrained(folder)
    return str(folder)


def asked(
    out: Path, learned: str | None, budget: str = "", amount: str = "5%", others: Sequence[Candidate] = ()
) -> Evaluation:
    own = Candidate("own", SourceFile("own", SPEC.format(amount)), None, learned)
    return evaluate([own, *others], "tiny-llava", out, parse_budgets(budget) if budget else (), OWN)


def given(made: Evaluation, side: str) -> list[str]:
    return [one.given for one in made.records if one.side == side]


def by_hand(learned: str, amount: str) -> list[str]:
    _, _, model, processor = load("tiny-llava")
    inputs = batch_inputs(processor, list(family("attr").generate("test", 0, 6)))
    with eosdsl.compile(SPEC.format(amount), model, learned=learned):
        sequences = model.generate(**inputs, max_new_tokens=4, do_sample=False)
    new = sequences[:, inputs["input_ids"].shape[1] :]
    return [text.strip() for text in processor.batch_decode(new, skip_special_tokens=True)]


def test_answers_are_those_of_the_operator_with_these_numbers(tmp_path: Path) -> None:
    first, second = saved(tmp_path / "a", 1), saved(tmp_path / "b", -1)
    made = [asked(tmp_path / f"out-{Path(one).name}", one, others=[PLAIN]) for one in (first, second)]
    for one, numbers in zip(made, (first, second), strict=True):
        assert given(one, "own") == by_hand(numbers, "5%")
    assert given(made[0], "own") != given(made[1], "own"), "else the numbers decide nothing here"
    assert given(made[0], "plain") == given(made[1], "plain")


def test_a_spec_is_turned_to_a_budget_with_its_numbers(tmp_path: Path) -> None:
    numbers = saved(tmp_path / "a", 1)
    made = asked(tmp_path / "out", numbers, budget="50%", amount="20%")
    (side,) = [one for one in made.sides if one.method == "own"]
    assert side.tokens is not None
    assert 0.47 * 144 < side.tokens <= 72
    assert given(made, side.name) == by_hand(numbers, side.spec.split("retain ")[1].split(" by")[0].strip())


def test_without_numbers_it_is_not_asked(tmp_path: Path) -> None:
    made = asked(tmp_path / "out", None)
    assert [one.method for one in made.sides] == ["full"]
    assert ["nobody has trained" in one.reason for one in made.gaps] == [True]
    with pytest.raises(SpecError, match="nobody has trained") as refused:
        _answering(tmp_path, None)
    assert refused.value.diagnostics[0].code == "E0688"


def test_a_harness_takes_them(tmp_path: Path) -> None:
    numbers = saved(tmp_path / "a", 1)
    _, _, model, _ = load("tiny-llava")
    own = _answering(tmp_path, numbers).compiled
    with eosdsl.compile(SPEC.format("5%"), model, learned=numbers) as compiled:
        for name, tensor in compiled.learned.state_dict().items():
            assert torch.equal(own.learned.state_dict()[name], tensor)
    assert own.warnings == []


def test_a_folder_of_answers_is_of_its_numbers(tmp_path: Path) -> None:
    asked(tmp_path / "out", saved(tmp_path / "a", 1))
    with pytest.raises(SpecError) as refused:
        asked(tmp_path / "out", saved(tmp_path / "b", -1))
    assert refused.value.diagnostics[0].code == "E0682"


@pytest.mark.parametrize(
    ("spec", "numbers", "code"),
    [("at layer 1: retain 50% by norm(hidden)", "a", "E0459"), (SPEC.format("5%"), "nowhere", "E060")],
)
def test_numbers_that_nobody_asks_for_or_can_read_are_refused(
    tmp_path: Path, spec: str, numbers: str, code: str
) -> None:
    saved(tmp_path / "a", 1)
    (tmp_path / "own.eos").write_text(spec)
    words = ["eval", str(tmp_path / "own.eos"), "--model", "tiny-llava", "--tasks", "attr", "--questions", "2"]
    out = tmp_path / "out"
    result = CliRunner().invoke(app, [*words, "--learned", str(tmp_path / numbers), "--out", str(out)])
    assert result.exit_code in (1, 2)
    assert code in result.output
    assert not (out / "results.jsonl").exists()


def _answering(folder: Path, learned: str | None) -> Answering:
    spec = folder / "own.eos"
    spec.write_text(SPEC.format("5%"))
    return Answering("tiny-llava", str(spec), learned=learned)
