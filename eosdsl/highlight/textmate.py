"""The TextMate grammar, for Visual Studio Code, Sublime Text, GitHub and other editors that read it.

`python -m eosdsl.highlight.textmate [--check]` writes it from the table of patterns; a test fails where it is stale.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from eosdsl.highlight.patterns import KINDS, Pattern, patterns
from eosdsl.highlight.vocabulary import vocabulary
from eosdsl.resources import resource

SCOPE = "source.eos"
FILE = "eos.tmLanguage.json"
_NOTE = "Generated from eosdsl/syntax/keywords.py and the operator registry: python -m eosdsl.highlight.textmate"


def grammar() -> dict[str, Any]:
    """The grammar. Operators of plugins are left out: the file is the same on every machine."""
    rows = [pattern for pattern in patterns(vocabulary(plugins=False)) if pattern.kinds != ("white",)]
    return {
        "information_for_contributors": [_NOTE],
        "name": "eos",
        "scopeName": SCOPE,
        "fileTypes": ["eos"],
        "patterns": [_pattern(pattern) for pattern in rows],
    }


def grammar_text() -> str:
    """As it lies in the repository."""
    return json.dumps(grammar(), indent=2, ensure_ascii=False) + "\n"


def homes() -> tuple[Path, ...]:
    """Where it lies in a checkout: for everybody, and inside the VS Code extension."""
    folder = resource("grammar")
    return folder / FILE, folder / "vscode" / "syntaxes" / FILE


def _pattern(pattern: Pattern) -> dict[str, Any]:
    if len(pattern.kinds) == 1:
        return {"match": pattern.regex, "name": KINDS[pattern.kinds[0]].scope}
    scopes = {str(i): {"name": KINDS[kind].scope} for i, kind in enumerate(pattern.kinds, 1) if KINDS[kind].scope}
    return {"match": pattern.regex, "captures": scopes}


def main(arguments: list[str]) -> int:
    """Write the grammar, or with `--check` say whether it is fresh."""
    text = grammar_text()
    stale = [home for home in homes() if not home.is_file() or home.read_text(encoding="utf-8") != text]
    if "--check" in arguments:
        print("\n".join(f"stale: {home}" for home in stale) or "fresh")
        return bool(stale)
    for home in stale:
        home.parent.mkdir(parents=True, exist_ok=True)
        home.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
