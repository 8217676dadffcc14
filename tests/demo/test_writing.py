"""Outputs appear whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from eosdsl.diagnostics import SpecError
from eosdsl.writing import file_in_one_piece, folder_in_one_piece


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    with file_in_one_piece(target) as unfinished:
        unfinished.write_text("whole")
        assert not target.exists()
        assert unfinished.suffix == ".png"
    assert target.read_text() == "whole"
    assert [file.name for file in tmp_path.iterdir()] == ["out.png"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt), file_in_one_piece(target) as unfinished:
        unfinished.write_text("half")
        raise KeyboardInterrupt
    assert target.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["out.png"]


def test_a_full_disk_is_a_diagnostic_and_leaves_the_old_folder(tmp_path: Path) -> None:
    target = tmp_path / "model"
    with folder_in_one_piece(target, replaces="card") as unfinished:
        (unfinished / "card").write_text("old")
    with pytest.raises(SpecError) as caught, folder_in_one_piece(target, replaces="card") as unfinished:
        (unfinished / "card").write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.diagnostics[0].code == "E0605"
    assert (target / "card").read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "model"
    for content in ("first", "second"):
        with folder_in_one_piece(target, replaces="card") as unfinished:
            (unfinished / "card").write_text(content)
            (unfinished / content).touch()
    assert sorted(file.name for file in target.iterdir()) == ["card", "second"]
    assert [file.name for file in target.parent.iterdir()] == ["model"]


@pytest.mark.parametrize(("place", "code"), [(".", "E0603"), ("absent/x.png", "E0601")])
def test_a_place_that_cannot_be_written_is_one_diagnostic(tmp_path: Path, place: str, code: str) -> None:
    with pytest.raises(SpecError) as caught, file_in_one_piece(tmp_path / place):
        pytest.fail("the block ran although nothing can be written")
    assert [d.code for d in caught.value.diagnostics] == [code]


@pytest.mark.parametrize("place", ["model", "model/deep/inside"])
def test_a_file_where_a_folder_should_be(tmp_path: Path, place: str) -> None:
    (tmp_path / "model").touch()
    with pytest.raises(SpecError) as caught, folder_in_one_piece(tmp_path / place, replaces="card"):
        pytest.fail("the block ran although nothing can be written")
    assert caught.value.diagnostics[0].code == "E0603"
