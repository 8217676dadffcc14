"""The table: what a piece of a spec looks like and what it is. Both highlighters are made from it, in this order.

Patterns are written in what Python's `re` and TextMate's Oniguruma have in common, match within one line, and either
have no group (the whole match is of one kind) or are groups from end to end, one kind each.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from eosdsl.highlight.vocabulary import Vocabulary
from eosdsl.syntax.keywords import KEYWORDS, STATEMENTS, UNITS


class Kind(NamedTuple):
    """How a kind of text is called by TextMate themes, and by Pygments (a path below `Token`)."""

    scope: str
    token: str


KINDS: dict[str, Kind] = {
    "comment": Kind("comment.line.number-sign.eos", "Comment.Single"),
    "string": Kind("string.quoted.double.eos", "Literal.String.Double"),
    "number": Kind("constant.numeric.eos", "Literal.Number"),
    "unit": Kind("keyword.other.unit.eos", "Keyword.Type"),
    "statement": Kind("keyword.control.statement.eos", "Keyword.Declaration"),
    "keyword": Kind("keyword.control.clause.eos", "Keyword"),
    "site": Kind("storage.type.site.eos", "Keyword.Reserved"),
    "operator": Kind("support.function.operator.eos", "Name.Builtin"),
    "measure": Kind("support.variable.measure.eos", "Name.Builtin.Pseudo"),
    "call": Kind("entity.name.function.eos", "Name.Function"),
    "declared": Kind("entity.name.type.eos", "Name.Class"),
    "family": Kind("support.class.family.eos", "Name.Namespace"),
    "definition": Kind("variable.other.definition.eos", "Name.Variable"),
    "parameter": Kind("variable.parameter.eos", "Name.Attribute"),
    "word": Kind("constant.language.eos", "Keyword.Constant"),
    "name": Kind("variable.other.eos", "Name"),
    "hole": Kind("keyword.operator.hole.eos", "Operator.Word"),
    "mark": Kind("keyword.operator.eos", "Operator"),
    "punctuation": Kind("punctuation.eos", "Punctuation"),
    "white": Kind("", "Text.Whitespace"),
    "invalid": Kind("invalid.illegal.eos", "Error"),
}


class Pattern(NamedTuple):
    """A pattern and the kinds of its groups, or the one kind of the whole."""

    regex: str
    kinds: tuple[str, ...]


_NAME = "[A-Za-z_][A-Za-z0-9_]*"
_NUMBER = "[0-9]+(?:\\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_GAP = "([ \\t]+)"
_MAY = "([ \\t]*)"
_END = "(?![A-Za-z0-9_])"
# Keywords that mean something only beside another word: patterns of their own see to them.
_PAIRED = frozenset({"eos", "operator", "space", "use", "param", "score", "subject", "search", "to", "output"})


def patterns(known: Vocabulary) -> tuple[Pattern, ...]:
    """All patterns, first match first."""
    return (*_LITERALS, *_STATEMENTS, *_SITES, *_names(known), *_MARKS)


def _words(words: Iterable[str]) -> str:
    """A group of alternatives, none of them the beginning of a longer word."""
    return f"({'|'.join(sorted(words, key=lambda word: (-len(word), word)))}){_END}"


_LITERALS = (
    Pattern("#[^\\r\\n]*", ("comment",)),
    Pattern('"[^"\\r\\n]*"', ("string",)),
    Pattern('"[^\\r\\n]*', ("invalid",)),
    Pattern("[0-9]+x[0-9]+", ("number",)),
    Pattern("[0-9]+[ \\t]*/[ \\t]*[0-9]+", ("number",)),
    Pattern(f"{_NUMBER}[ \\t]*%", ("number",)),
    Pattern(f"({_NUMBER}){_MAY}{_words(UNITS)}", ("number", "white", "unit")),
    Pattern(_NUMBER, ("number",)),
)

_STATEMENTS = (
    Pattern(
        f"(operator|space){_GAP}({_NAME}){_GAP}(for){_GAP}({_NAME})",
        ("statement", "white", "declared", "white", "keyword", "white", "family"),
    ),
    Pattern(f"(operator|space){_GAP}({_NAME})", ("statement", "white", "declared")),
    Pattern(f"(param|score){_GAP}({_NAME}){_MAY}(=)", ("statement", "white", "definition", "white", "mark")),
    Pattern(f'(use){_MAY}("[^"\\r\\n]*")', ("statement", "white", "string")),
    Pattern(f"(eos){_GAP}([0-9]+)", ("statement", "white", "number")),
    Pattern(f"(subject){_GAP}(to){_END}", ("statement", "white", "statement")),
    Pattern(f"(search){_GAP}(with){_END}", ("statement", "white", "statement")),
)

_SITES = (
    Pattern(f"(after){_GAP}(attention){_END}", ("site", "white", "site")),
    Pattern(f"(encoder){_GAP}(output){_END}", ("site", "white", "site")),
    Pattern(f"(input){_END}", ("site",)),
    Pattern(f"(layers?|depth){_GAP}((?!depth{_END}){_NAME})", ("site", "white", "name")),
    Pattern(f"({_NAME}){_MAY}(:){_MAY}(score|position){_END}", ("parameter", "white", "punctuation", "white", "word")),
    Pattern(f"({_NAME}){_MAY}(:)", ("parameter", "white", "punctuation")),
)

_MARKS = (
    Pattern("\\?", ("hole",)),
    Pattern("->|\\.\\.|<=|>=|==|[<>=*+-]", ("mark",)),
    Pattern("[:,(){}]", ("punctuation",)),
    Pattern("[ \\t\\r\\n\\f\\ufeff]+", ("white",)),
    Pattern("[^ \\t\\r\\n\\f\\ufeff]", ("invalid",)),
)


def _names(known: Vocabulary) -> tuple[Pattern, ...]:
    keywords = {word: keyword.role for word, keyword in KEYWORDS.items() if word not in UNITS | _PAIRED}
    called = set(known.operators) & set(keywords)  # `attention(…)` is a score, `attention` alone belongs to a site
    return (
        Pattern(f"{_words(known.measures)}(?=[ \\t]*\\()", ("measure",)),
        Pattern(f"{_words(called)}(?=[ \\t]*\\()", ("operator",)),
        Pattern(_words(word for word in keywords if word in STATEMENTS), ("statement",)),
        Pattern(_words(word for word, role in keywords.items() if role == "site"), ("site",)),
        Pattern(_words(word for word, role in keywords.items() if role not in ("site", "statement")), ("keyword",)),
        Pattern(_words(known.operators), ("operator",)),
        Pattern(_words(known.measures), ("measure",)),
        Pattern(_words(known.words), ("word",)),
        Pattern(f"({_NAME})(?=[ \\t]*\\()", ("call",)),
        Pattern(_NAME, ("name",)),
    )
