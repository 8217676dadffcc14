"""The rules' pages as one document. `python -m eosdsl.rules.document docs/rules.md` writes what is committed there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from eosdsl.diagnostics import Severity
from eosdsl.rules.base import Rule
from eosdsl.rules.registry import rules

_HEAD = """\
# Rules

What `eosdsl check` says beyond errors: warnings fail a check, information does not. `eosdsl explain CODE` prints one of
these pages; `# eos: allow(CODE)` takes a warning back, on its line, or above a statement for the statement;
`# eos: allow-file(CODE)` for the whole file. Fixes that keep the meaning are applied by `eosdsl check --fix`, guesses
with `--unsafe-fixes` as well. A package adds rules through the entry-point group `eosdsl.rules`.

This page is generated from the docstrings of `eosdsl/rules/`.
"""
_FENCE = re.compile(r"^```eos[ \t]*(?P<word>\S*)[ \t]*\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def document() -> str:
    """A table of all rules, then a section each."""
    known = rules()
    rows = ["| code | rule | | on a model only |", "|---|---|---|---|", *map(_row, known)]
    return "\n\n".join([_HEAD.rstrip(), "\n".join(rows), *map(_section, known)]) + "\n"


def _row(rule: Rule) -> str:
    kind = "warning" if rule.severity is Severity.WARNING else "information"
    on_model = "yes" if type(rule).check_program is Rule.check_program else ""
    return f"| [{rule.code}](#{_anchor(rule)}) | {rule.name} | {kind} | {on_model} |"


def _section(rule: Rule) -> str:
    title, _, body = rule.page().partition("\n")
    body = re.sub(r"^## ", "### ", body.strip(), flags=re.MULTILINE)
    return f"## {rule.code} {rule.name}\n\n{title}\n\n{_FENCE.sub(_block, body)}"


def _block(match: re.Match[str]) -> str:
    """A block of a page as documents have it: models are named in words, and what takes in other files is only text."""
    word, text = match["word"], match["text"]
    if re.search(r"^use\b", text, re.MULTILINE):
        return f"```text\n{text}```"
    if word and not word.endswith(".eos"):
        return f"On {word}:\n\n```eos\n{text}```"
    return f"```eos{' ' + word if word else ''}\n{text}```"


def _anchor(rule: Rule) -> str:
    return f"{rule.code.lower()}-{rule.name}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document(), encoding="utf-8")
