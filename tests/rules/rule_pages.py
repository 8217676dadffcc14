"""Reading the pages of rules: their sections and the eos blocks in them."""

from __future__ import annotations

import re
from dataclasses import dataclass

SECTIONS = ("What it does", "Why", "Example", "Use instead")
_FENCE = re.compile(r"^```eos[ \t]*(?P<model>\S*)[ \t]*\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """An eos block of a page; `model` is the word after `eos`, None where there is none."""

    text: str
    model: str | None


def sections(page: str) -> dict[str, str]:
    """The text under each `## ` heading, in order."""
    parts = re.split(r"^## (.+)$", page, flags=re.MULTILINE)
    return {name.strip(): text for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def blocks(section: str) -> list[Block]:
    """The eos blocks of a section."""
    return [Block(match["text"], match["model"] or None) for match in _FENCE.finditer(section)]
