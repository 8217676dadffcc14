"""From a name to a config: shipped names, folders, files, hub ids, and everything that is none of them."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import constants

from eosdsl.diagnostics import Diagnostic, SpecError
from eosdsl.models.find import CONFIGS, find_model
from eosdsl.models.registry import facts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "my-llava"
    made.mkdir()
    (made / "config.json").write_text((CONFIGS / "llava-1.5-7b.json").read_text())
    return made


def refusal(model: Any) -> Diagnostic:
    with pytest.raises(SpecError) as caught:
        facts(model)
    (found,) = caught.value.diagnostics
    return found


@pytest.mark.parametrize("as_type", [str, Path])
def test_a_folder(folder: Path, as_type: type) -> None:
    found = find_model(as_type(folder))
    assert (found.name, found.folder) == ("my-llava", folder)
    assert facts(as_type(folder)) == facts("llava").model_copy(update={"name": "my-llava"})


def test_a_config_file(folder: Path) -> None:
    assert facts(folder / "config.json").name == "my-llava"


def test_a_shipped_name_comes_before_a_folder_of_that_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.rename(folder.parent / "llava")
    monkeypatch.chdir(folder.parent)
    assert find_model("llava").folder is None
    assert find_model("./llava").folder == Path("llava")


def test_unknown_names_suggest_the_nearest() -> None:
    found = refusal("lava-1.5-7b")
    assert found.code == "E0642"
    assert "did you mean `llava-1.5-7b`?" in found.helps


@pytest.mark.parametrize("name", ["", "\0", "x" * 5000, "two words"])
def test_names_that_no_file_can_have(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert refusal(name).code in {"E0642", "E0643"}


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "~/nowhere-at-all", "some/deep/folder", "x.json"])
def test_paths_to_nothing(name: str) -> None:
    assert refusal(name).code == "E0641"


def test_a_folder_without_config(tmp_path: Path) -> None:
    assert refusal(tmp_path).code == "E0643"
    (tmp_path / "eos_config.json").write_text("{}")
    assert "compiled operator" in refusal(tmp_path).helps[0]


@pytest.mark.parametrize("text", ["{", "[1, 2]", "", "version https://git-lfs.github.com/spec/v1", "[" * 100_000])
def test_broken_json(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    assert refusal(folder).code == "E0646"


def test_a_config_that_is_not_text(folder: Path) -> None:
    (folder / "config.json").write_bytes(b"\xff\xfe\x00")
    assert refusal(folder).code == "E0646"


def test_a_folder_where_the_config_should_be(folder: Path) -> None:
    (folder / "config.json").unlink()
    (folder / "config.json").mkdir()
    assert refusal(folder).code == "E0603"


class TestHub:
    @pytest.fixture(autouse=True)
    def empty_cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        return tmp_path / "hub"

    def test_offline_is_one_message_in_no_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refused(*_: Any, **__: Any) -> Any:
            raise OSError(101, "Network is unreachable")

        monkeypatch.setattr(socket, "create_connection", refused)
        monkeypatch.setattr("eosdsl.models.hub.getproxies", dict)
        found = refusal("owner/model")
        assert found.code == "E0647"
        assert "Network is unreachable" in found.notes[0]

    def test_offline_by_choice(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        assert "HF_HUB_OFFLINE" in refusal("owner/model").notes[0]

    def test_a_download_that_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def gone(*_: Any, **__: Any) -> Any:
            raise RuntimeError("401\n  gated")

        monkeypatch.setattr("eosdsl.models.hub.getproxies", lambda: {"https": "proxy"})
        monkeypatch.setattr(huggingface_hub, "hf_hub_download", gone)
        assert refusal("owner/model").notes == ("401 gated",)

    def test_from_the_cache(self, empty_cache: Path) -> None:
        """A cached config is found without any connection."""
        snapshot = empty_cache / "models--owner--model" / "snapshots" / ("a" * 40)
        snapshot.mkdir(parents=True)
        (empty_cache / "models--owner--model" / "refs").mkdir()
        (empty_cache / "models--owner--model" / "refs" / "main").write_text("a" * 40)
        config = json.loads((CONFIGS / "llava-1.5-13b.json").read_text())
        (snapshot / "config.json").write_text(json.dumps(config))
        known = facts("owner/model")
        assert (known.name, known.decoder.layers) == ("owner/model", 40)
        assert find_model("owner/model").hub_id == "owner/model"
