"""The Pygments lexer: `pygmentize -l eos`, `rich.syntax.Syntax(text, "eos")`, and whatever else asks Pygments.

It loses no character of any text, and gives `Error` only to what no spec can hold.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from pygments.lexer import RegexLexer, bygroups
from pygments.token import string_to_tokentype

from eosdsl.highlight.patterns import KINDS, Pattern, patterns
from eosdsl.highlight.vocabulary import vocabulary


def _row(pattern: Pattern) -> tuple[str, Any]:
    types = [string_to_tokentype(KINDS[kind].token) for kind in pattern.kinds]
    return pattern.regex, types[0] if len(types) == 1 else bygroups(*types)


class EosLexer(RegexLexer):
    """Specs for visual-token reduction."""

    name = "eos"
    aliases: ClassVar[Sequence[str]] = ["eos", "eosdsl"]
    filenames: ClassVar[Sequence[str]] = ["*.eos"]
    mimetypes: ClassVar[Sequence[str]] = ["text/x-eos"]
    flags = re.NOFLAG
    tokens: ClassVar[dict[str, list[Any]]] = {"root": [_row(pattern) for pattern in patterns(vocabulary())]}

    def __init__(self, **options: Any) -> None:
        # the text as it is: no blank lines taken off, none added
        super().__init__(**{"stripnl": False, "ensurenl": False, **options})
