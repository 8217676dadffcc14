"""Reading the pages of rules: their sections and the eos blocks in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from eosdsl.checking import check
from eosdsl.diagnostics import Diagnostic

SECTIONS = ("What it does", "Why", "Example", "Use instead")
_FENCE = re.compile(r"^```eos[ \t]*(?P<word>\S*)[ \t]*\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_TAKEN_IN = "at layer 30: retain 10% by norm(hidden)\n"


@dataclass(frozen=True)
class Block:
    """An eos block of a page. The word after `eos` is a model, or the file (`fastv.eos`) that it stands for."""

    text: str
    model: str | None
    file: str | None

    def findings(self, folder: Path) -> list[Diagnostic]:
        """What checking the block finds; `a.eos` is there to be taken in."""
        if self.file is None:
            return check(self.text, self.model)
        (folder / "a.eos").write_text(_TAKEN_IN)
        (folder / self.file).write_text(self.text)
        return check(folder / self.file, self.model)


def sections(page: str) -> dict[str, str]:
    """The text under each `## ` heading, in order."""
    parts = re.split(r"^## (.+)$", page, flags=re.MULTILINE)
    return {name.strip(): text for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def blocks(section: str) -> list[Block]:
    """The eos blocks of a section."""
    return [_block(match["text"], match["word"]) for match in _FENCE.finditer(section)]


def _block(text: str, word: str) -> Block:
    return Block(text, None, word) if word.endswith(".eos") else Block(text, word or None, None)
