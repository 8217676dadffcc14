"""Plug-ins against asking the model directly: the same questions, the same answers, whatever the harness calls them."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import lmms_double
import pytest
from lmms_double import Request
from PIL import Image

import eosdsl
from eosdsl.diagnostics import SpecError
from eosdsl.evaluating.loading import load
from eosdsl.harnesses.answering import Answering, cut
from eosdsl.harnesses.vlmevalkit import model_on
from eosdsl.run.prompt import prepare
from eosdsl.tasks.base import Example
from eosdsl.tasks.registry import families, family

SPEC = "operator half\nat input: retain 50% pick uniform\n"


def questions(name: str, number: int) -> list[Example]:
    return list(family(name).generate("test", 0, number))


def direct(folder: Path, examples: list[Example], spec: str | None) -> list[str]:
    """One question at a time, through transformers alone and `eosdsl.compile`."""
    _, _, model, processor = load(str(folder))
    found: list[str] = []
    for example in examples:
        inputs = prepare(processor, example.question, [Image.fromarray(image) for image in example.images])
        if spec is None:
            tokens = model.generate(**inputs, max_new_tokens=3, do_sample=False)
        else:
            with eosdsl.compile(spec, model) as compiled:
                tokens = compiled.generate(**inputs, max_new_tokens=3, do_sample=False)
        found.append(processor.tokenizer.decode(tokens[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
    return [one.strip() for one in found]


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "half.eos"
    path.write_text(SPEC)
    return path


def messages(example: Example) -> list[dict[str, Any]]:
    images = [{"type": "image", "url": Image.fromarray(image)} for image in example.images]
    return [{"role": "user", "content": [*images, {"type": "text", "text": example.question}]}]


@pytest.mark.parametrize("with_spec", [False, True])
def test_lmms_eval_requests(model_folder: Path, spec: Path, with_spec: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    lmms_double.install(monkeypatch)
    (door,) = [one for one in entry_points(group="lmms_eval.models") if one.name == "eosdsl"]
    manifest = door.load()()
    module, _, name = manifest.chat_class_path.rpartition(".")
    model = getattr(importlib.import_module(module), name)(
        pretrained=str(model_folder), spec=str(spec) if with_spec else None, batch_size=2, device="cpu"
    )
    assert model.is_simple is False
    exist, multi = questions("exist", 3), questions("multi", 2)
    model.task_dict = {"exist": {"test": exist}, "multi": {"test": multi}}
    order = [("exist", 0), ("multi", 1), ("exist", 2), ("multi", 0), ("exist", 1)]
    options = {"max_new_tokens": 3, "temperature": 0, "until": ["\n\n"], "do_sample": False, "top_p": None}
    requests = [Request(("context", messages, dict(options), place, task, "test")) for task, place in order]
    answers = model.generate_until(requests)
    asked = [model.task_dict[task]["test"][place] for task, place in order]
    assert answers == direct(model_folder, asked, SPEC if with_spec else None)
    assert sorted(answer for _, _, answer in model.cache_hook.noted) == sorted(answers)
    with pytest.raises(SpecError) as caught:
        model.loglikelihood(requests)
    assert caught.value.diagnostics[0].code == "E0689"


class Base:
    """VLMEvalKit's `BaseModel` as its development guide has it: `generate` makes a message of what it is given."""

    allowed_types = ("text", "image", "video")

    def __init__(self) -> None:
        self.dump_image_func = None

    def generate(self, message: Any, dataset: str | None = None) -> str:
        parts = [
            one if isinstance(one, dict) else {"type": "image" if one.endswith(".png") else "text", "value": one}
            for one in message
        ]
        assert all(part["type"] in self.allowed_types for part in parts)
        return getattr(self, "generate_inner")(parts, dataset)  # noqa: B009  # a subclass has it


@pytest.mark.parametrize("with_spec", [False, True])
def test_vlmevalkit_messages(model_folder: Path, spec: Path, tmp_path: Path, with_spec: bool) -> None:
    model = model_on(Base)(str(model_folder), str(spec) if with_spec else None, max_new_tokens=3)
    examples = questions("multi", 2)
    answers: list[str] = []
    for number, example in enumerate(examples):
        files = [str(tmp_path / f"{number}-{place}.png") for place in range(2)]
        for file, image in zip(files, example.images, strict=True):
            Image.fromarray(image).save(file)
        answers.append(model.generate([*files, example.question], "eosdsl_multi"))
    assert answers == direct(model_folder, examples, SPEC if with_spec else None)
    with pytest.raises(SpecError) as caught:
        model.generate_inner([{"type": "video", "value": "v.mp4"}])
    assert caught.value.diagnostics[0].code == "E0689"


def test_a_shipped_method_at_a_budget(model_folder: Path) -> None:
    answering = Answering(str(model_folder), "fastv", budget="192", written_for="llava-1.5-7b")
    assert answering.compiled.plan.mean_tokens == 47.75
    with pytest.raises(SpecError) as caught:
        Answering(str(model_folder), "fastv", budget="16", written_for="llava-1.5-7b")
    assert caught.value.diagnostics[0].code == "E0688"
    set_ = Answering(str(model_folder), "divprune", settings={"budget": "7 tokens"})
    assert set_.compiled.plan.mean_tokens == 7


def test_chats_with_and_without_images_are_not_mixed_up(model_folder: Path) -> None:
    answering = Answering(str(model_folder))
    text = [{"role": "user", "content": "is a circle a circle ?"}]
    seen = [
        {
            "role": "user",
            "content": [{"type": "image", "image": Image.new("RGB", (96, 96))}, {"type": "text", "text": "?"}],
        }
    ]
    alone = [answering.answer([chat], {"max_new_tokens": 3})[0] for chat in (text, seen)]
    assert answering.answer([text, seen], {"max_new_tokens": 3}) == alone


def test_answers_end_where_they_are_to_end() -> None:
    assert cut("yes\n\nno", ["\n\n"]) == "yes"
    assert cut("yes. no", ".") == "yes"
    assert cut(" yes ", None) == "yes"


@pytest.mark.skipif(
    find_spec("lmms_eval") is None or find_spec("datasets") is None,
    reason="lmms-eval is not installed (it needs torchvision and some fifty other packages)",
)
def test_the_real_lmms_eval_runs_an_exported_task(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delitem(sys.modules, "eosdsl.harnesses.lmms_eval_model", raising=False)  # made on the stand-in
    from lmms_eval.evaluator import simple_evaluate  # pyright: ignore[reportMissingImports]
    from lmms_eval.tasks import TaskManager  # pyright: ignore[reportMissingImports]

    from eosdsl.tasks.exporting import export

    out = tmp_path / "tasks"
    chosen = [families()["exist"], families()["multi"]]
    export(chosen, out, "lmms-eval", split="test", seed=0, questions=3, difficulty="medium")
    spec = tmp_path / "half.eos"
    spec.write_text(SPEC)
    result: Any = simple_evaluate(
        model="eosdsl",
        model_args=f"pretrained={model_folder},spec={spec}",
        tasks=["eosdsl_exist", "eosdsl_multi"],
        task_manager=TaskManager("ERROR", include_path=str(out), include_defaults=False),
        batch_size=2,
        device="cpu",
        gen_kwargs="max_new_tokens=3",
        bootstrap_iters=0,
    )
    for name in ("exist", "multi"):
        given = [sample["filtered_resps"][0] for sample in result["samples"][f"eosdsl_{name}"]]
        assert given == direct(model_folder, questions(name, 3), SPEC)
        assert "exact,none" in result["results"][f"eosdsl_{name}"]
