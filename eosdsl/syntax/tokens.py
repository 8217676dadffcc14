"""Text to tokens and comments. Whatever is no token becomes a BAD token, for the parser to report where it stands."""

from __future__ import annotations

import re
from typing import NamedTuple

from eosdsl.source import Span
from eosdsl.syntax.record import Record
from eosdsl.syntax.tables import END, Tables
from eosdsl.syntax.tree import Comment

BAD = "BAD"
_WHITE = re.compile(r"[ \t\r\n\f\ufeff]+")
_COMMENT = re.compile(r"#[^\r\n]*")
# A run of characters that no token starts with is one mistake, not many; quotes run to the end of their line.
_UNREADABLE = re.compile(r'"[^\r\n]*|[^\sA-Za-z0-9_"#=<>.{}?*+()\-,:]+|[.]|.', re.DOTALL)


class Token(NamedTuple):
    """One token. `kind` is its own text for marks and keywords, else NAME, NUMBER, PERCENT, …, BAD or END."""

    kind: str
    text: str
    start: int
    end: int
    line: int
    column: int


class Tokens(Record):
    """The tokens of a text, ending with END, and its comments, both in order."""

    tokens: list[Token]
    comments: tuple[Comment, ...]


def span_of(first: Token, last: Token) -> Span:
    """From the start of one token to the end of another. No token goes over a line end."""
    width = last.end - last.start
    return Span(first.start, last.end, first.line, first.column, last.line, last.column + width)


def tokenize(text: str, tables: Tables) -> Tokens:
    """All tokens of a text; never raises."""
    tokens: list[Token] = []
    comments: list[Comment] = []
    append, match, white, new = tokens.append, tables.pattern.match, _WHITE.match, tuple.__new__
    keywords = tables.keywords
    position, line, line_start, stop = 0, 1, 0, len(text)
    while position < stop:
        found = match(text, position)
        if found is None:
            gap = white(text, position)
            if gap is not None:
                start, position = position, gap.end()
                lines = text.count("\n", start, position)
                if lines:
                    line += lines
                    line_start = text.rfind("\n", start, position) + 1
                continue
            if text[position] == "#":
                comment = _comment(text, position, line, line_start, tokens)
                comments.append(comment)
                position = comment.span.end
                continue
            found = _UNREADABLE.match(text, position)
            assert found is not None
        kind = found.lastgroup or BAD
        lexeme, end = found.group(), found.end()
        if kind == "MARK" or (kind == "NAME" and lexeme in keywords):
            kind = lexeme
        # as Token(…), without the price of a Python call for every token
        append(new(Token, (kind, lexeme, position, end, line, position - line_start + 1)))
        position = end + 1 if text.startswith(" ", end) else end
    append(Token(END, "", stop, stop, line, stop - line_start + 1))
    return Tokens(tokens, tuple(comments))


def _comment(text: str, position: int, line: int, line_start: int, tokens: list[Token]) -> Comment:
    found = _COMMENT.match(text, position)
    assert found is not None
    written = found.group().rstrip()
    column = position - line_start + 1
    end = position + len(written)
    own_line = not tokens or tokens[-1].line != line
    return Comment(written, own_line, Span(position, end, line, column, line, column + len(written)))
