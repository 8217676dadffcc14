"""Texts to try everything on: sentences of the grammar made by walking its parse tables, and mutations of right ones.

Names are drawn from what completion proposes in their place, so that many sentences also mean something: they get past
the syntax and reach the passes, the rules, the cost model and the pages.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from eosdsl.lsp.document import Document
from eosdsl.lsp.offers import names
from eosdsl.lsp.stack import items, place
from eosdsl.resources import resource
from eosdsl.syntax.automaton import Machine
from eosdsl.syntax.build import ACTIONS, TreeBuilder
from eosdsl.syntax.keywords import UNITS
from eosdsl.syntax.tables import END, load
from eosdsl.syntax.tokens import Token

LONGEST = 160  # tokens
_LEXEMES: dict[str, tuple[str, ...]] = {
    "NUMBER": ("2", "16", "1", "3", "8", "0", "31", "0.5", "64", "600", "1e3", "999999", "0.0001"),
    "PERCENT": ("25%", "50%", "12.5%", "100%", "3 %", "60%", "0%", "150%"),
    "FRACTION": ("1/3", "7/8", "2/1", "0/5"),
    "DIMS": ("2x2", "3x3", "1x1", "0x3", "24x24"),
    "STRING": ('"other.eos"', '""', '"é"'),
}
_STRANGE = ("a", "worth", "budget", "nobody")
# Where a sentence has to come to an end: what closes it soonest.
_CLOSERS = (END, ")", "}", "NUMBER", "NAME", "PERCENT", ":", "retain", "STRING", "=", "<=", "with", "to")
# How often a kind is chosen; those that are not here, once. Few sentences of an even choice would mean anything.
_OFTEN = {
    "at": 60, "via": 9, "by": 9, "pick": 6, "with": 6, "NAME": 16, "PERCENT": 12, "NUMBER": 8, "layer": 12, ")": 20,
    "layers": 8, "(": 3, "<=": 20, "+": 3, "*": 3, "score": 4, "param": 3, ":": 12,
}  # fmt: skip
_SELDOM = frozenset(
    {"use", "eos", "operator", "->", "?", "-", "minimise", "search", "subject", "any", "DIMS", "STRING"}
)
_CLAUSES = ("by", "pick", "via", "with")
# What mostly follows, where it can.
_USUAL = (
    ({"retain", "by"}, ("retain", "retain", "remove")),
    ({"tokens", "GiB"}, ("tokens",)),
    ({"DIMS", "PERCENT", "?"}, ("PERCENT", "NUMBER", "PERCENT", "NAME", "NAME")),
    ({"depth", "NUMBER"}, ("NUMBER",)),
)


def walk(tape: list[int]) -> str:
    """The sentence that a tape of numbers spells: each number chooses the next token."""
    tables = load()
    machine = Machine(tables, ACTIONS, TreeBuilder(""), [tables.starts["start"]])
    chosen = iter(tape)
    words: list[str] = []
    while len(words) < LONGEST:
        number = next(chosen, None)
        kinds = machine.expected()
        if number is None:
            kind = next((closer for closer in _CLOSERS if closer in kinds), kinds[0])
        else:
            kind = _choice(kinds, words, number)
        if kind == END:
            if number is None:
                break
            continue
        text = _lexeme(kind, machine, number or 0)
        machine.feed(Token(kind, text, 0, 0, 1, 1))
        words.append(text)
    return " ".join(words)


def _choice(kinds: list[str], words: list[str], number: int) -> str:
    """A kind by its weight; clauses mostly in order and once, as the language wants them."""
    if number % 17 == 0:
        return kinds[number // 17 % len(kinds)]
    for wanted, usual in _USUAL:
        if wanted <= set(kinds):
            return usual[number % len(usual)]
    begun = next((word for word in reversed(words) if word in (*_CLAUSES, "and", ":")), ":")
    late = _CLAUSES[: _CLAUSES.index(begun) + 1] if begun in _CLAUSES else ()
    weighted = [kind for kind in kinds if kind not in {*late, *_SELDOM, *UNITS} for _ in range(_OFTEN.get(kind, 1))]
    return weighted[number % len(weighted)] if weighted else kinds[number % len(kinds)]


def _lexeme(kind: str, machine: Machine, number: int) -> str:
    at = place(items(machine))
    if kind == "NUMBER" and at.role == "layer" and number % 5:
        return str(number // 7 % 32)
    if kind != "NAME":
        lexemes = _LEXEMES.get(kind, (kind,))
        return lexemes[number // 7 % len(lexemes)]
    if at.role == "name":
        return f"n{number % 50}"
    offered = [offer.label for offer in names(Document(""), at) if offer.label.isidentifier()]
    known = offered if offered and number % 19 else [*_STRANGE]
    return known[number // 13 % len(known)]


sentences = st.lists(st.integers(0, 4095), max_size=120).map(walk)

SPECS = tuple(file.read_text(encoding="utf-8") for file in sorted(resource("specs").rglob("*.eos")))
_PIECES = (
    "at layer 2: retain 50%", "retain", "by", "via mix(", "and", "? 2%..60%", "{", "}", "(", ")", ":", ",", "..", "->",
    "*", "1e999999%", "9" * 50, "-", "#", '"', "\n", "\r\n", "\r", "\ufeff", "\u2028", "\x00", "\ud800", "😀", "…",
    "of incoming", "pick grid(2x2)", "with order: score", "expect flops <= 3%", 'use "x.eos"', "param a = a",
    "score a = a", "eos 2", "space s", "any 3..1 of layers 9..2", "mass 90%", "0/0", "1/0", ".5", "5.", "==",
    "MACs", "along cosine",
)  # fmt: skip

Edit = tuple[str, int, int, str]


def mutated(text: str, edits: list[Edit]) -> str:
    """The text with parts cut, doubled, moved and put in; places count round the text."""
    for what, first, second, piece in edits:
        start, end = sorted((first % (len(text) + 1), second % (len(text) + 1)))
        end = min(end, start + 60)
        text = _EDITS[what](text, start, end, piece)
    return text


_EDITS: dict[str, Callable[[str, int, int, str], str]] = {
    "cut": lambda text, start, end, piece: text[:start] + text[end:],
    "double": lambda text, start, end, piece: text[:end] + text[start:end] + text[end:],
    "put": lambda text, start, end, piece: text[:start] + piece + text[start:],
    "replace": lambda text, start, end, piece: text[:start] + piece + text[end:],
    "move": lambda text, start, end, piece: text[:start] + text[end:] + text[start:end],
    "stop": lambda text, start, end, piece: text[: max(start, len(text) // 2)],
}

places = st.integers(0, 100_000)
edits = st.tuples(st.sampled_from(sorted(_EDITS)), places, places, st.sampled_from(_PIECES))
mutants = st.builds(mutated, st.one_of(st.sampled_from(SPECS), sentences), st.lists(edits, min_size=1, max_size=6))
anything = st.text(st.characters() | st.sampled_from('at layer:25%?(){}#"\n\r\ud800\ufeff'), max_size=200)
