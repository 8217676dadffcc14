"""The folder of a compiled operator: what it holds, that it loads, that it is refused when it is not whole."""

from __future__ import annotations

import ast
import errno
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from test_compile import FASTV, code_of
from tiny_models import mix, program, prompt, ratio, step, tiny_llava
from typer.testing import CliRunner

import eosdsl
from eosdsl.cli.main import app
from eosdsl.diagnostics import SpecError
from eosdsl.lowering.card import model_card

FILES = ["README.md", "eos_config.json", "graph.py", "operator.eos", "plan.json"]
SPEC = "# halves them\n" + FASTV.replace("50%", "1/2   ")


def logits(model: Any) -> torch.Tensor:
    return model(**prompt([3, 0, 5], 1).inputs()).logits


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    with eosdsl.compile(SPEC, tiny_llava()) as compiled:
        compiled.save_pretrained(tmp_path / "out")
    return tmp_path / "out"


def test_what_is_saved_loads_and_does_the_same(saved: Path) -> None:
    assert sorted(p.name for p in saved.iterdir()) == FILES
    model = tiny_llava()
    with eosdsl.compile(SPEC, model) as compiled:
        expected = logits(compiled)
    with eosdsl.load(model, saved) as loaded:
        assert torch.equal(logits(loaded), expected)
        assert loaded.schedule.decoder_tokens == (16, 16, 8, 8, 8)
    assert not torch.equal(logits(model), expected)


def test_the_spec_is_saved_as_written_and_formatted(saved: Path) -> None:
    assert (saved / "operator.eos").read_text() == eosdsl.format(SPEC)
    assert (saved / "operator.eos").read_text().startswith("# halves them\n")


def test_a_program_without_text_is_printed(tmp_path: Path) -> None:
    made = program(step([1, 3], [ratio("1/2"), ratio("1/3")], via=mix(merge=0.5, prune=0.25), bias=0.5))
    with eosdsl.compile(made, tiny_llava()) as compiled:
        compiled.save_pretrained(tmp_path / "out")
    assert eosdsl.parse(tmp_path / "out" / "operator.eos") == made


def test_a_spec_that_takes_in_another_stands_alone_afterwards(tmp_path: Path) -> None:
    (tmp_path / "base.eos").write_text("at layer 2: retain 50%\n")
    (tmp_path / "both.eos").write_text('operator both\nuse "base.eos"\nat layer 3: retain 25%\n')
    with eosdsl.compile(tmp_path / "both.eos", tiny_llava()) as compiled:
        compiled.save_pretrained(tmp_path / "elsewhere" / "out")
    with eosdsl.load(tiny_llava(), tmp_path / "elsewhere" / "out") as loaded:
        assert loaded.schedule.decoder_tokens == (16, 16, 8, 4, 4)


def test_the_graph_is_python_and_the_same_each_time(saved: Path, tmp_path: Path) -> None:
    text = (saved / "graph.py").read_text()
    ast.parse(text)
    with eosdsl.compile(SPEC, tiny_llava(seed=5)) as compiled:
        compiled.save_pretrained(tmp_path / "again")
    assert (tmp_path / "again" / "graph.py").read_text() == text
    assert (tmp_path / "again" / "eos_config.json").read_text() == (saved / "eos_config.json").read_text()


def test_the_graph_as_text_is_the_graph_that_runs(saved: Path) -> None:
    names: dict[str, Any] = {}
    exec((saved / "graph.py").read_text(), names)
    compiled = eosdsl.compile(SPEC, tiny_llava())
    expected = logits(compiled)
    compiled.graph.forward = names["forward"].__get__(compiled.graph)
    assert torch.equal(logits(compiled), expected)


def change(path: Path, **values: Any) -> None:
    config = json.loads((path / "eos_config.json").read_text())
    (path / "eos_config.json").write_text(json.dumps({**config, **values}))


@pytest.mark.parametrize(
    ("code", "damage"),
    [
        ("E0653", lambda p: (p / "operator.eos").write_text("at layer 1: retain 10%\n")),
        ("E0653", lambda p: (p / "graph.py").write_text("")),
        ("E0653", lambda p: (p / "plan.json").write_text((p / "plan.json").read_text()[:40])),
        ("E0652", lambda p: (p / "plan.json").unlink()),
        ("E0652", lambda p: (p / "eos_config.json").unlink()),
        ("E0654", lambda p: (p / "eos_config.json").write_text((p / "eos_config.json").read_text()[:99])),
        ("E0654", lambda p: (p / "eos_config.json").write_text("[]")),
        ("E0654", lambda p: change(p, facts={})),
        ("E0654", lambda p: change(p, sha256={"../elsewhere": "0"})),
        ("E0655", lambda p: change(p, eos_artefact=2)),
        ("E0654", lambda p: change(p, eos_artefact="2")),
        ("E0654", lambda p: change(p, eos_artefact=None)),
        ("E0656", lambda p: change(p, family="qwen2_vl")),
    ],
)
def test_a_folder_that_is_not_whole_is_refused(saved: Path, code: str, damage: Any) -> None:
    damage(saved)
    model = tiny_llava()
    full = logits(model)
    with pytest.raises(SpecError) as caught:
        eosdsl.load(model, saved)
    assert code_of(caught) == code
    assert torch.equal(logits(model), full)


def test_another_shape_of_model_is_refused(saved: Path) -> None:
    with pytest.raises(SpecError) as caught:
        eosdsl.load("llava", saved)
    assert code_of(caught) == "E0656"


@pytest.mark.parametrize("folder", [3, None, torch.nn.Identity()])
def test_what_is_no_folder_is_refused(folder: Any) -> None:
    with pytest.raises(SpecError, match="the model comes first") as caught:
        eosdsl.load(tiny_llava(), folder)
    assert code_of(caught) == "E0652"


@pytest.mark.parametrize("at", [0, 1, 3])
def test_a_full_disk_leaves_what_was_there(saved: Path, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {p.name: p.read_bytes() for p in saved.iterdir()}
    written = 0
    real = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        nonlocal written
        written += 1
        if written > at:
            real(self, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, data)

    with eosdsl.compile(FASTV.replace("50%", "25%"), tiny_llava()) as compiled:
        monkeypatch.setattr(Path, "write_bytes", full)
        for target in (saved, saved.parent / "new"):
            written = 0
            with pytest.raises(SpecError) as caught:
                compiled.save_pretrained(target)
            assert code_of(caught) == "E0605"
        monkeypatch.undo()
    assert {p.name: p.read_bytes() for p in saved.iterdir()} == before
    assert [p.name for p in saved.parent.iterdir()] == ["out"]


def test_a_stranger_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with eosdsl.compile(FASTV, tiny_llava()) as compiled, pytest.raises(SpecError) as caught:
        compiled.save_pretrained(tmp_path)
    assert code_of(caught) == "E0608"
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def command(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["compile", *arguments])


def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fastv.eos").write_text(FASTV)
    monkeypatch.chdir(tmp_path)
    done = command("fastv.eos", "--model", "llava")
    assert done.exit_code == 0, done.output
    assert "layers 2..31" in done.output
    assert sorted(p.name for p in (tmp_path / "fastv-llava-1.5-7b").iterdir()) == FILES
    assert command("fastv.eos", "--model", "llava", "--out", "there").exit_code == 0
    assert (tmp_path / "there" / "graph.py").exists()


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code"),
    [
        (["bad.eos", "--model", "llava"], 1, "E0302"),
        (["space.eos", "--model", "llava"], 1, "E0443"),
        (["fastv.eos", "--model", "lava"], 2, "E0642"),
        (["fastv.eos", "--model", "./nothing"], 2, "E0641"),
        (["fastv.eos", "--model", "."], 2, "E0643"),
        (["missing.eos", "--model", "llava"], 2, "E0601"),
        (["fastv.eos", "--model", "llava", "--out", "fastv.eos"], 2, "E0603"),
    ],
)
def test_bad_input_is_one_clear_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], exit_code: int, code: str
) -> None:
    (tmp_path / "fastv.eos").write_text(FASTV)
    (tmp_path / "bad.eos").write_text("at layer 40: retain 50%\n")
    (tmp_path / "space.eos").write_text("space s\nat layer 2: retain ? 2%..60%\n")
    monkeypatch.chdir(tmp_path)
    done = command(*arguments)
    assert done.exit_code == exit_code, done.output
    assert f"[{code}]" in done.output
    assert "Traceback" not in done.output
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.eos", "fastv.eos", "space.eos"]


def test_the_card_says_what_it_is_and_what_it_costs(tmp_path: Path) -> None:
    with eosdsl.compile(SPEC, tiny_llava()) as compiled:
        compiled.model.name_or_path = "someone/tiny"
        compiled.save_pretrained(tmp_path / "out", results={"accuracy": 0.5, "by task": {"ocr": 1}})
        plan = compiled.plan
    text = (tmp_path / "out" / "README.md").read_text()
    assert text.startswith("---\nlibrary_name: eosdsl\n")
    assert eosdsl.format(SPEC).rstrip() in text
    assert f"{plan.ratio:.1%}" in text
    assert "| accuracy | 0.5 |" in text
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == {"accuracy": 0.5, "by task": {"ocr": 1}}
    (tmp_path / "out" / "README.md").write_text(text + "Edited on the hub.\n")
    assert eosdsl.load(tiny_llava(), tmp_path / "out").detach()
    (tmp_path / "out" / "results.json").write_text('{"accuracy": 1.0}')
    with pytest.raises(SpecError) as caught:
        eosdsl.load(tiny_llava(), tmp_path / "out")
    assert code_of(caught) == "E0653"


@pytest.mark.parametrize(("name", "there"), [("llava-hf/llava-1.5-7b-hf", True), ("llava-1.5-7b", False)])
def test_the_card_names_a_base_model_that_the_hub_knows(name: str, there: bool) -> None:
    with eosdsl.compile(SPEC, tiny_llava()) as compiled:
        text = model_card(
            program="x", family="llava", base_model=name, spec=SPEC, plan=compiled.plan, results=None, versions={}
        )
    assert (f"base_model: {name}\nbase_model_relation: adapter\n" in text) is there


@pytest.mark.parametrize("results", [{"x": float("nan")}, {"x": torch.ones(1)}])
def test_results_that_are_not_json_are_refused(tmp_path: Path, results: Any) -> None:
    with eosdsl.compile(SPEC, tiny_llava()) as compiled, pytest.raises(SpecError) as caught:
        compiled.save_pretrained(tmp_path / "out", results=results)
    assert code_of(caught) == "E0659"
    assert list(tmp_path.iterdir()) == []


class Hub:
    """What `HfApi` is asked, written down."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.files: list[str] = []
        self.full = False

    def __call__(self, token: Any = None) -> Hub:
        self.asked.append(("HfApi", {"token": token}))
        return self

    def create_repo(self, repo_id: str, **more: Any) -> Any:
        self.asked.append(("create_repo", {"repo_id": repo_id, **more}))
        return SimpleNamespace(repo_id=f"me/{repo_id}" if "/" not in repo_id else repo_id)

    def upload_folder(self, folder_path: Path, **more: Any) -> str:
        if self.full:
            raise OSError("the hub is closed\ntoday")
        self.files = sorted(p.name for p in folder_path.iterdir())
        self.asked.append(("upload_folder", more))
        return "commit"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    made = Hub()
    monkeypatch.setattr("huggingface_hub.HfApi", made)
    return made


def test_pushing_makes_a_repository_and_uploads_the_folder(hub: Hub, tmp_path: Path) -> None:
    with eosdsl.compile(SPEC, tiny_llava()) as compiled:
        assert compiled.push_to_hub("me/half", private=True, token="t", commit_message="m") == "commit"
        assert hub.files == FILES
        compiled.save_pretrained(tmp_path / "half", push_to_hub=True)
    names = [name for name, _ in hub.asked]
    assert names == ["HfApi", "create_repo", "upload_folder"] * 2
    assert hub.asked[0][1] == {"token": "t"}
    assert hub.asked[1][1] == {"repo_id": "me/half", "private": True, "exist_ok": True}
    assert hub.asked[2][1]["commit_message"] == "m"
    assert (hub.asked[4][1]["repo_id"], hub.asked[5][1]["repo_id"]) == ("half", "me/half")


def test_what_the_hub_does_not_take_stays_here(hub: Hub, tmp_path: Path) -> None:
    hub.full = True
    with eosdsl.compile(SPEC, tiny_llava()) as compiled, pytest.raises(SpecError) as caught:
        compiled.save_pretrained(tmp_path / "half", push_to_hub=True, repo_id="me/half")
    assert code_of(caught) == "E0658"
    assert "the hub is closed today" in caught.value.diagnostics[0].message
    assert sorted(p.name for p in (tmp_path / "half").iterdir()) == FILES


def test_an_operator_is_loaded_by_its_hub_id(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through huggingface_hub's own door, on a cache laid out as it lays it out."""
    commit = "a" * 40
    repository = tmp_path / "cache" / "models--me--half"
    shutil.copytree(saved, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    with eosdsl.load(tiny_llava(), "me/half") as loaded:
        assert loaded.schedule.decoder_tokens == (16, 16, 8, 8, 8)
    with pytest.raises(SpecError) as caught:
        eosdsl.load(tiny_llava(), "me/other")
    assert code_of(caught) == "E0657"
    (repository / "snapshots" / commit / "operator.eos").write_text("at layer 1: retain 10%\n")
    with pytest.raises(SpecError) as caught:
        eosdsl.load(tiny_llava(), "me/half")
    assert code_of(caught) == "E0653"
