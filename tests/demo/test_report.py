"""Reports are written in what the terminal can show."""

from __future__ import annotations

import io
import sys

import pytest
from rich.rule import Rule
from rich.table import Table

from eosdsl.run.report import rendered


@pytest.mark.parametrize(("encoding", "ascii_only"), [("ascii", True), ("utf-8", False)])
def test_lines_follow_the_terminal(encoding: str, ascii_only: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    table = Table("a", "b")
    table.add_row("1", "2")
    drawn = rendered([Rule("title"), table], color=False, width=40)
    assert drawn.isascii() == ascii_only
    assert all(len(line) <= 40 for line in drawn.splitlines())
