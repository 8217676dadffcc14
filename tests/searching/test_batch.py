"""Questions as tensors: answers at the end, labels on them alone, tails behind the images."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from spaces import model, processor

from eosdsl.diagnostics import SpecError
from eosdsl.ir.nodes import RelaxedProgram
from eosdsl.ir.space import Space
from eosdsl.models.registry import facts
from eosdsl.parsing import parse
from eosdsl.searching.batch import IGNORE, encode
from eosdsl.searching.encoded import encoded, leaves_the_tower_alone
from eosdsl.searching.objective import exactly_right, see, task_loss
from eosdsl.searching.questions import PooledQuestions, read_data
from eosdsl.searching.session import image_token
from eosdsl.tasks.registry import standard_families


def test_labels_are_the_answers_tokens_at_the_end_of_the_rows() -> None:
    questions = read_data("tasks", 0).learning.batch(0, 12)
    batch = encode(processor(), questions, image_token(model()))
    tokenizer = processor().tokenizer
    width = batch.labels.shape[1]
    for number, question in enumerate(questions):
        ids = batch.inputs["input_ids"][number]
        answer = batch.labels[number][batch.labels[number] != IGNORE]
        assert torch.equal(ids[-len(answer) :], answer) and len(answer) <= width
        assert (
            tokenizer.decode(answer, skip_special_tokens=True).split()
            == tokenizer.decode(tokenizer(question.answer)["input_ids"]).split()
        )
        assert answer[-1] == tokenizer.eos_token_id
        mask = batch.inputs["attention_mask"][number]
        assert mask[-1] == 1 and torch.equal(mask, mask.sort().values)  # padded on the left
        behind = ids[-batch.tail.shape[1] :][batch.tail[number]]
        assert image_token(model()) not in behind and torch.equal(behind[-len(answer) :], answer)
    assert batch.images == tuple(len(question.images) for question in questions)


def test_losses_are_those_of_each_question_alone() -> None:
    questions = read_data("tasks", 0).learning.batch(0, 6)
    with torch.no_grad():
        together = encode(processor(), questions, image_token(model()))
        seen = see(model(), together, hidden=False)
        alone = [encode(processor(), [one], image_token(model())) for one in questions]
        apart = [see(model(), one, hidden=False) for one in alone]
    expected = torch.cat([task_loss(one, batch) for one, batch in zip(apart, alone, strict=True)])
    torch.testing.assert_close(task_loss(seen, together), expected, rtol=1e-4, atol=1e-4)
    right = torch.cat([exactly_right(one, batch) for one, batch in zip(apart, alone, strict=True)])
    assert torch.equal(exactly_right(seen, together), right)


def test_loss_is_the_models_own() -> None:
    batch = encode(processor(), read_data("count", 0).learning.batch(0, 1), image_token(model()))
    ids = batch.inputs["input_ids"]
    labels = torch.full_like(ids, IGNORE)
    labels[:, -batch.labels.shape[1] :] = batch.labels
    with torch.no_grad():
        own = model()(**batch.inputs, labels=labels).loss
        mine = task_loss(see(model(), batch, hidden=False), batch).mean()
    torch.testing.assert_close(mine, own, rtol=1e-5, atol=1e-5)


def test_learning_and_deriving_never_see_the_test_split() -> None:
    data = read_data("count,ocr", 3)
    assert {one.split for one in data.learning.batch(0, 8)} == {"train"}
    assert {one.split for one in data.validation.batch(0, 8)} == {"validation"}
    piece, whole = data.learning.batch(2, 4), data.learning.batch(1, 8)  # a batch is a piece of one stream
    assert [one.meta["index"] for one in piece] == [one.meta["index"] for one in whole[:4]]


def test_files_are_read_and_a_part_is_held_back(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps({"question": f"q {n}", "answer": "yes"}) + "\n" for n in range(20)))
    data = read_data(path, 0)
    learned = {one.question for one in data.learning.batch(0, 18)}
    held = {one.question for one in data.validation.batch(0, 2)}
    assert len(learned) == 18 and len(held) == 2 and not learned & held


@pytest.mark.parametrize(("data", "code"), [("coutn", "E0660"), ("", "E0678"), ("count,a.jsonl", "E0678")])
def test_data_that_are_none(data: str, code: str) -> None:
    with pytest.raises(SpecError) as problem:
        read_data(data, 0)
    assert problem.value.diagnostics[0].code == code


def test_all_families_have_a_turn() -> None:
    names = list(standard_families())
    assert [one.family for one in read_data("tasks", 0).learning.batch(0, len(names))] == names


def test_what_the_tower_makes_can_be_made_ahead() -> None:
    questions = read_data("tasks", 0).learning.batch(0, 12)
    batch = encode(processor(), questions, image_token(model()))
    ahead = encoded(batch, model(), facts(model()))
    assert "pixel_values" not in ahead.inputs and ahead.encoded is not None
    with torch.no_grad():
        expected, found = (see(model(), one, hidden=True) for one in (batch, ahead))
    torch.testing.assert_close(found.logits, expected.logits, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("where", "alone"), [("layer 2", True), ("encoder output", False), ("encoder layer 1", False)])
def test_a_space_says_whether_the_tower_is_left_alone(where: str, alone: bool) -> None:
    program = parse(f"space s\nat {where}: retain ? 5%..50% by norm(hidden) via prune")
    assert isinstance(program, RelaxedProgram)
    assert leaves_the_tower_alone(Space.of(program, facts(model()))) == alone


def test_a_pool_asks_its_questions_again() -> None:
    own = read_data("count,ocr", 0).pooled(6)
    assert own.validation is not own.learning
    first, again = own.learning.batch(0, 4), own.learning.batch(3, 4)
    assert [id(one) for one in first] == [id(one) for one in again], "steps 0 and 3 of four are questions 0 to 3"
    assert isinstance(own.learning, PooledQuestions) and own.learning.name.startswith("6 of ")
