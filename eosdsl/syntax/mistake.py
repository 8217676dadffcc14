"""A mistake that the parser met, with the way to go on; and tokens as messages show them."""

from __future__ import annotations

from eosdsl.diagnostics import Diagnostic
from eosdsl.source import Span
from eosdsl.syntax.record import Record
from eosdsl.syntax.tables import END
from eosdsl.syntax.tokens import Token, span_of


class Mistake(Record):
    """A diagnostic, and how reading can go on as if it had been right: with `insert` before the token at fault, with
    `replace` in its place, or without it (`ignore`); none of these: it cannot. `width` tokens are at fault."""

    diagnostic: Diagnostic
    insert: str | None = None
    replace: str | None = None
    ignore: bool = False
    width: int = 1


def quoted(token: Token) -> str:
    """The token in a sentence."""
    return "the end of the file" if token.kind == END else f"`{shortened(token.text)}`"


def shortened(text: str) -> str:
    """A text that may be a line long, as a message shows it."""
    return text if len(text) <= 40 else f"{text[:37]}…"


def token_span(token: Token) -> Span:
    """Where the token is."""
    return span_of(token, token)
