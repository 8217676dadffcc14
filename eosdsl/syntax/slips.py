"""Slips: what people write out of habit (`2-8`, `query=last`, `keep`, `50 percent`), and how it is written here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from eosdsl.diagnostics import Diagnostic, Edit, Fix, error
from eosdsl.source import Span
from eosdsl.syntax.automaton import Machine
from eosdsl.syntax.keywords import CLAUSES, KEYWORDS, STATEMENTS
from eosdsl.syntax.mistake import Mistake, quoted, shortened, token_span
from eosdsl.syntax.tables import END
from eosdsl.syntax.tokens import BAD, Token, span_of

_SYNONYMS = {
    "keep": "retain", "preserve": "retain", "select": "retain", "drop": "remove", "discard": "remove",
    "delete": "remove", "vision": "encoder", "visual": "encoder", "vit": "encoder", "tower": "encoder",
    "using": "via", "import": "use", "include": "use", "let": "param", "assert": "expect", "require": "expect",
    "optimise": "minimise", "optimize": "minimise",
}  # fmt: skip
_NUMBERS = ("NUMBER", "PERCENT", "FRACTION")
_OPERATORS = {"=>": "->", "=<": "<=", "=>=": ">="}


class _At:
    """The token at fault among its neighbours."""

    def __init__(self, machine: Machine, tokens: Sequence[Token], i: int) -> None:
        self.machine, self.tokens, self.i = machine, tokens, i
        self.token = tokens[i]
        self.ahead = tokens[min(i + 1, len(tokens) - 1)]
        self.previous = tokens[i - 1] if i else None
        self.before = self.previous.kind if self.previous is not None else ""

    def takes(self, kind: str) -> bool:
        return self.machine.accepts(kind)

    def goes_on_with(self, kind: str) -> bool:
        """Whether `kind` could stand here with the next token behind it."""
        beyond = self.machine.after(kind)
        return beyond is not None and (
            beyond.accepts(self.ahead.kind) or (self.ahead.kind in KEYWORDS and beyond.accepts("NAME"))
        )

    @property
    def open_parentheses(self) -> int:
        """How many are open before the token, in its statement."""
        depth = 0
        for token in reversed(self.tokens[: self.i]):
            depth += {"(": 1, ")": -1}.get(token.kind, 0)
            if token.kind in STATEMENTS:
                break
        return depth

    @property
    def in_mix(self) -> bool:
        return any(isinstance(value, Token) and value.kind == "mix" for value in self.machine.values)


def slip(machine: Machine, tokens: Sequence[Token], i: int) -> Mistake | None:
    """The slip at token `i`, which cannot stand there; None where it is not known as one."""
    place = _At(machine, tokens, i)
    return next((found for known in _SLIPS if (found := known(place)) is not None), None)


def _other_case(place: _At) -> Mistake | None:
    """`At Layer 2`: keywords are written in small letters."""
    keyword = place.token.text.lower()
    if keyword == place.token.text or keyword not in KEYWORDS or not place.takes(keyword):
        return None
    return _keyword(place, keyword, "keywords are written in small letters", "safe")


def _synonym(place: _At) -> Mistake | None:
    """`keep 25%`: another word for a keyword."""
    keyword = _SYNONYMS.get(place.token.text.lower(), "")
    if not keyword or not place.goes_on_with(keyword):
        return None
    return _keyword(place, keyword, f"`{keyword}`: {KEYWORDS[keyword].doc}", "unsafe")


def _keyword(place: _At, keyword: str, help_: str, applicability: Literal["safe", "unsafe"]) -> Mistake:
    span = token_span(place.token)
    fix = Fix(f"write `{keyword}`", (Edit(span, keyword),), applicability)
    message = f"unknown keyword `{shortened(place.token.text)}`"
    return Mistake(error("E0103", message, span, f"did you mean `{keyword}`?", helps=(help_,), fix=fix), None, keyword)


def _decoder(place: _At) -> Mistake | None:
    """`at decoder layer 2`."""
    if place.before != "at" or place.token.text.lower() not in ("decoder", "llm", "language", "lm"):
        return None
    if not place.takes(place.ahead.kind):
        return None
    return Mistake(_without(place, "layers of the decoder are written without it: `layer 2`"), ignore=True)


def _output(place: _At) -> Mistake | None:
    """`at output`."""
    if place.before != "at" or place.token.kind != "output":
        return None
    span = token_span(place.token)
    found = error("E0102", "whose output?", span, "did you mean `encoder output`?", fix=_writes(span, "encoder output"))
    return Mistake(found, insert="encoder")


def _equals(place: _At) -> Mistake | None:
    """`query=last`."""
    return _instead(place, "=", ":", "a name and its value are joined by `:`")


def _dash(place: _At) -> Mistake | None:
    """`2-8`."""
    return _instead(place, "-", "..", "a range is written `2..8`, both ends included")


def _and(place: _At) -> Mistake | None:
    """`layers 2 and 8`."""
    return _instead(place, "and", ",", "a list is separated by commas")


def _instead(place: _At, wrong: str, right: str, help_: str) -> Mistake | None:
    if place.token.kind != wrong or not place.goes_on_with(right):
        return None
    span = token_span(place.token)
    return Mistake(
        error(
            "E0102",
            f"`{wrong}` cannot stand here",
            span,
            f"did you mean `{right}`?",
            helps=(help_,),
            fix=_writes(span, right),
        ),
        replace=right,
    )


def _turned_operator(place: _At) -> Mistake | None:
    """`=>` and `=<`, which are two marks to the tokenizer."""
    for width, first in ((2, place.token), (1, place.previous)):
        last = place.ahead if width == 2 else place.token
        if first is None or first.end != last.start or first.kind != "=":
            continue
        right = _OPERATORS.get(first.text + last.text)
        if right is None or (width == 2 and not place.takes(right)):
            continue
        span = span_of(first, last)
        message = f"`{first.text}{last.text}` is no operator"
        found = error("E0102", message, span, f"did you mean `{right}`?", fix=_writes(span, right))
        return Mistake(found, replace=right, width=2) if width == 2 else Mistake(found)
    return None


def _third_dot(place: _At) -> Mistake | None:
    """`2...8`."""
    if place.token.text != "." or place.before != ".." or not place.takes(place.ahead.kind):
        return None
    return Mistake(_without(place, "a range is written `2..8`, both ends included", "E0101"), ignore=True)


def _semicolon(place: _At) -> Mistake | None:
    """`;` at the end of a statement."""
    if place.token.text != ";" or (place.ahead.line == place.token.line and place.ahead.kind != END):
        return None
    return Mistake(_without(place, "a statement ends where the next one begins", "E0101"), ignore=True)


def _comma_before_clause(place: _At) -> Mistake | None:
    """`retain 50%, by …`: the clause's keyword was taken for a name."""
    comma = place.tokens[place.i - 2] if place.i > 1 else None
    if comma is None or comma.kind != "," or place.before not in (*CLAUSES, "and", "along"):
        return None
    span = token_span(comma)
    helps = ("clauses follow one another without commas",)
    fix = Fix("leave it out", (Edit(span, ""),), "safe")
    word = place.before
    return Mistake(error("E0102", f"`,` cannot stand before `{word}`", span, "leave it out", helps=helps, fix=fix))


def _percent_in_words(place: _At) -> Mistake | None:
    """`50 percent`."""
    if place.before != "NUMBER" or place.token.text.lower() not in ("percent", "pct", "per"):
        return None
    assert place.previous is not None
    share = f"{place.previous.text}%"
    span = span_of(place.previous, place.token)
    return Mistake(
        error("E0102", "a share is written with `%`", span, f"did you mean `{share}`?", fix=_writes(span, share))
    )


def _weight_without_star(place: _At) -> Mistake | None:
    """`0.7 attention(…)`."""
    if place.before != "NUMBER" or place.token.kind == BAD or not place.token.text.isidentifier():
        return None
    beyond = place.machine.after("*")
    if beyond is None or not (beyond.accepts(place.token.kind) or beyond.accepts("NAME")):
        return None
    assert place.previous is not None
    if place.token.line != place.previous.line or place.ahead.kind not in ("(", "+", "-", "*", END, *CLAUSES):
        return None
    star = _after(place.previous)
    message = f"`*` is missing between {quoted(place.previous)} and {quoted(place.token)}"
    fix = Fix("insert `*`", (Edit(star, " *"),), "safe")
    return Mistake(error("E0108", message, token_span(place.previous), "`*` goes after this", fix=fix), insert="*")


def _star_in_mix(place: _At) -> Mistake | None:
    """`mix(0.7 * merge)`."""
    if place.token.kind != "*" or not place.in_mix or not place.takes(place.ahead.kind):
        return None
    return Mistake(_without(place, "a share stands right before its behaviour: `0.6 merge`"), ignore=True)


def _share_behind(place: _At) -> Mistake | None:
    """`mix(merge: 0.7)`."""
    if (
        place.token.kind not in (":", "=")
        or not place.in_mix
        or place.previous is None
        or place.ahead.kind not in _NUMBERS
    ):
        return None
    span, right = span_of(place.previous, place.ahead), f"{place.ahead.text} {place.previous.text}"
    message = "a share stands before its behaviour"
    return Mistake(error("E0102", message, span, f"did you mean `{right}`?", fix=_writes(span, right)))


def _late_budget(place: _At) -> Mistake | None:
    """`via merge retain 50%`."""
    if place.token.kind not in ("retain", "remove") or place.before in ("at", ""):
        return None
    if not any(isinstance(value, Token) and value.kind == ":" for value in place.machine.values):
        return None
    helps = ("say how many first: `retain 25% by … via merge`",)
    message = f"{quoted(place.token)} stands too late"
    return Mistake(error("E0102", message, token_span(place.token), "belongs right behind the `:`", helps=helps))


def _no_name(place: _At) -> Mistake | None:
    """`operator for llava`."""
    header = place.tokens[place.i - 2] if place.i > 1 else None
    if place.before != "for" or header is None or header.kind not in ("operator", "space"):
        return None
    assert place.previous is not None
    helps = (f"`{header.text} NAME for {place.token.text}`",)
    message = f"the {header.text} has no name"
    return Mistake(error("E0102", message, token_span(place.previous), "a name goes before this", helps=helps))


def _size_without_parentheses(place: _At) -> Mistake | None:
    """`grid 2x2`."""
    if place.token.kind != "DIMS" or place.previous is None or not place.previous.text.isidentifier():
        return None
    if not place.takes("("):
        return None
    span, right = span_of(place.previous, place.token), f"{place.previous.text}({place.token.text})"
    message = "an argument stands in parentheses"
    return Mistake(error("E0102", message, span, f"did you mean `{right}`?", fix=_writes(span, right)))


def _bracket(place: _At) -> Mistake | None:
    """`[8, 16]`, `? [top, diverse]`."""
    character = place.token.text[:1]
    if place.token.kind != BAD or character not in "[]":
        return None
    span = token_span(place.token)
    curly = {"[": "{", "]": "}"}[character]
    if len(place.token.text) == 1 and place.takes(curly):
        found = error(
            "E0101", f"`{character}` means nothing here", span, f"did you mean `{curly}`?", fix=_writes(span, curly)
        )
        return Mistake(found, replace=curly)
    helps = ("lists are written without brackets: `layers 8, 16, 24`", "choices stand in braces: `? {top, diverse}`")
    return Mistake(error("E0101", f"`{character}` means nothing here", span, "brackets are not used", helps=helps))


def _single_quote(place: _At) -> Mistake | None:
    """`use 'a.eos'`."""
    if place.before != "use" or place.token.kind != BAD or place.token.text[:1] not in "'`‘’“”":
        return None
    helps = ('a file stands in double quotes: `use "visionzip.eos"`',)
    character = place.token.text[0]
    span = token_span(place.token._replace(end=place.token.start + 1))
    fix = _writes(span, '"') if character in "“”" else None
    return Mistake(error("E0101", f"`{character}` opens no text", span, 'did you mean `"`?', helps=helps, fix=fix))


def _closes_nothing(place: _At) -> Mistake | None:
    """`merge))`, with all that follow it."""
    if place.token.kind != ")" or place.open_parentheses:
        return None
    last = place.i
    while place.tokens[last + 1].kind == ")":
        last += 1
    found = _without(place, "every `(` before it is closed already", until=place.tokens[last])
    return Mistake(found, ignore=True, width=last - place.i + 1)


def _without(place: _At, help_: str, code: str = "E0102", *, until: Token | None = None) -> Diagnostic:
    span = span_of(place.token, until or place.token)
    fix = Fix("leave it out", (Edit(span, ""),), "safe")
    return error(code, f"{quoted(place.token)} cannot stand here", span, "leave it out", helps=(help_,), fix=fix)


def _writes(span: Span, text: str) -> Fix:
    return Fix(f"write `{text}`", (Edit(span, text),), "safe")


def _after(token: Token) -> Span:
    column = token.column + token.end - token.start
    return Span(token.end, token.end, token.line, column, token.line, column)


_SLIPS: tuple[Callable[[_At], Mistake | None], ...] = (
    _other_case,
    _comma_before_clause,
    _no_name,
    _decoder,
    _output,
    _synonym,
    _turned_operator,
    _share_behind,
    _equals,
    _dash,
    _and,
    _third_dot,
    _semicolon,
    _percent_in_words,
    _weight_without_star,
    _star_in_mix,
    _size_without_parentheses,
    _bracket,
    _single_quote,
    _closes_nothing,
    _late_budget,
)
