"""Syntax errors in the language's own words: what was expected, what stands there, and the nearest right text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from eosdsl.diagnostics import Diagnostic, Edit, Fix, Label, Severity, error
from eosdsl.source import Span
from eosdsl.syntax import tree
from eosdsl.syntax.automaton import Machine
from eosdsl.syntax.keywords import CLAUSES, KEYWORDS, STATEMENTS, UNITS
from eosdsl.syntax.mistake import Mistake, quoted, shortened, token_span
from eosdsl.syntax.slips import slip
from eosdsl.syntax.tables import END
from eosdsl.syntax.tokens import BAD, Token

# What comes after a keyword: a kind that must be possible there (else the word was a name), and how to say it.
_AFTER = {
    "at": ("layer", "a site: `layer 2`, `layers 8, 16`, `layer 2..8`, `depth 25%`, `input`, `encoder layer 3`"),
    "encoder": ("output", "`layer`, `layers`, `depth` or `output` after `encoder`"),
    "retain": ("NUMBER", "how many tokens to retain: `25%`, `64 tokens`, `50% of incoming`"),
    "remove": ("NUMBER", "how many tokens to remove: `16 tokens`, `25%`, `all`"),
    "by": ("NAME", "a score after `by`: `attention(query: last)`, `norm(hidden)`"),
    "pick": ("NAME", "a pick after `pick`: `top`, `uniform`, `diverse`"),
    "via": ("NAME", "a behaviour after `via`: `prune`, `merge`, `pool`, `mix(…)`"),
    "with": ("NAME", "an option after `with`: `positions: compact`, `attention_bias: log_size`"),
    "and": ("retain", "a second group after `and`: `retain 10 tokens via merge`"),
    "along": ("NAME", "a curve after `along`: `linear`, `geometric`, `cosine`"),
    "of": ("NAME", "`incoming` or `original` after `of`"),
    "mix": ("(", "the parts of the mix in parentheses: `mix(0.6 merge, 0.4 prune)`"),
    "use": ("STRING", 'a file in quotes: `use "visionzip.eos"`'),
    "after": ("attention", "`attention` after `after`"),
    "subject": ("to", "`to` after `subject`"),
}  # fmt: skip

_NEXT = "the next statement"
_CLASSES = (
    ({"NUMBER", "depth"}, "a layer"),
    ({"NUMBER", "NAME"}, "a value"),
    ({"NUMBER"}, "a number"),
    ({"NAME"}, "a name"),
    ({"STRING"}, "a text in quotes"),
    ({"<="}, "a comparison such as `<=`"),
    ({"at", "operator"}, _NEXT),
)
_EXAMPLE = "a spec says where, how many and what becomes of the rest: `at layer 2: retain 50% via prune`"
_NAMES = "names have letters, digits and underscores"
_VALUE_KINDS = frozenset({"NUMBER", "PERCENT", "FRACTION", "DIMS", "STRING", "NAME", "(", "-", "?"})
_COMPARISONS = frozenset({"<=", ">=", "=", "==", "<", ">"})
_MISSING = (":", ",", ")", "}", "=")
_LOOKALIKES = {
    "–": "-", "—": "-", "−": "-", "×": "*", "“": '"', "”": '"', "：": ":", "，": ",", "→": "->", "…": "..", "≤": "<=",
    "≥": ">=", "％": "%", "\u00a0": " ",
}  # fmt: skip


def syntax_error(machine: Machine, tokens: Sequence[Token], i: int) -> Mistake:
    """Why token `i` cannot stand after what the machine has taken."""
    token = tokens[i]
    known = slip(machine, tokens, i)
    if known is not None:
        return known
    if token.kind == BAD:
        semicolon = (":" if machine.accepts(":") else ",") if token.text == ";" else None
        instead = semicolon or _LOOKALIKES.get(token.text)
        replace = instead if instead is not None and machine.accepts(instead) else None
        return Mistake(
            _unreadable(token, instead, tokens[i - 1] if i else None), replace=replace, ignore=instead == " "
        )
    expected = _in_reading_order(machine, machine.expected())
    previous = tokens[i - 1] if i else None
    begins = token.kind in STATEMENTS and (previous is None or previous.line != token.line)
    near = None if begins else _misspelt(machine, tokens, i, expected)
    mended = near or _missing_mark(machine, token, previous, expected) or _missing_verb(machine, token, expected)
    if mended is not None:
        return mended
    wanted = _wanted(expected, previous)
    if token.kind == END or begins:
        return Mistake(_too_early(token, previous, wanted))
    helps = _hints(token, previous, expected)
    if wanted == _NEXT and len(machine.values) <= 1:
        wanted, helps = "a statement: `at`, `operator`, `space`, `param` …", (_EXAMPLE,)
    return Mistake(
        error("E0102", f"expected {wanted}, found {quoted(token)}", token_span(token), "not expected here", helps=helps)
    )


def _in_reading_order(machine: Machine, expected: Sequence[str]) -> list[str]:
    """Without the clauses whose turn is over: the grammar takes clauses in any order, to say which is out of order."""
    turn = -1
    for value in reversed(machine.values):
        if isinstance(value, Token) and value.kind in ("at", "and"):
            break
        turn = max([turn, *map(_turn, value if isinstance(value, list) else [value])])
    over = CLAUSES[: turn + 1]
    return [kind for kind in expected if kind not in over]


def _turn(value: object) -> int:
    """The place of a clause, or of its keyword, in reading order; -1 for anything else."""
    if isinstance(value, Token):
        return CLAUSES.index(value.kind) if value.kind in CLAUSES else -1
    if isinstance(value, tree.By | tree.Pick | tree.Via | tree.With):
        return CLAUSES.index(_clause_name(value))
    return -1


def _misspelt(machine: Machine, tokens: Sequence[Token], i: int, expected: Sequence[str]) -> Mistake | None:
    token, ahead = tokens[i], tokens[i + 1] if i + 1 < len(tokens) else None
    if ahead is None or not token.text.isidentifier():
        return None
    known = {kind.lower(): kind for kind in expected if kind in KEYWORDS}
    for near in get_close_matches(token.text.lower(), known, n=3, cutoff=0.6):
        keyword = known[near]
        beyond = machine.after(keyword)
        if beyond is None or not _takes(beyond, ahead):
            continue
        what = "statement" if keyword in STATEMENTS and len(machine.values) <= 1 else "keyword"
        return Mistake(
            error(
                "E0103",
                f"unknown {what} `{shortened(token.text)}`",
                token_span(token),
                f"did you mean `{keyword}`?",
                helps=(f"`{keyword}`: {KEYWORDS[keyword].doc}",),
                fix=Fix(f"write `{keyword}`", (Edit(token_span(token), keyword),), "safe"),
            ),
            replace=keyword,
        )
    return None


def _takes(machine: Machine, token: Token) -> bool:
    return machine.accepts(token.kind) or (token.kind in KEYWORDS and machine.accepts("NAME"))


def _missing_mark(machine: Machine, token: Token, previous: Token | None, expected: Sequence[str]) -> Mistake | None:
    for mark in _MISSING:
        if mark not in expected or previous is None:
            continue
        if mark == "," and not _in_a_list(token, previous, expected):
            continue
        beyond = machine.after(mark)
        if beyond is None or not beyond.accepts(token.kind):
            continue
        gap = Span(
            previous.end, previous.end, previous.line, _end_column(previous), previous.line, _end_column(previous)
        )
        return Mistake(
            error(
                "E0108",
                f"`{mark}` is missing {_where(mark, token, previous)}",
                token_span(previous),
                f"`{mark}` goes after this",
                fix=Fix(f"insert `{mark}`", (Edit(gap, mark),), "safe"),
            ),
            insert=mark,
        )
    return None


def _missing_verb(machine: Machine, token: Token, expected: Sequence[str]) -> Mistake | None:
    if token.kind not in ("NUMBER", "PERCENT", "FRACTION", "?") or "retain" not in expected:
        return None
    beyond = machine.after("retain")
    if beyond is None or not beyond.accepts(token.kind):
        return None
    start = Span(token.start, token.start, token.line, token.column, token.line, token.column)
    return Mistake(
        error(
            "E0108",
            f"`retain` or `remove` is missing before {quoted(token)}",
            token_span(token),
            "what is to be done with so many?",
            fix=Fix("insert `retain`", (Edit(start, "retain "),)),
        ),
        insert="retain",
    )


def _in_a_list(token: Token, previous: Token, expected: Sequence[str]) -> bool:
    """Whether a comma is the likely remedy: between numbers, or within parentheses, on one line."""
    if token.line != previous.line:
        return False
    return token.kind in ("NUMBER", "PERCENT", "FRACTION") or ")" in expected or "}" in expected


def _where(mark: str, token: Token, previous: Token) -> str:
    if mark == ":" and token.kind in ("retain", "remove", "by", "pick", "via", "with"):
        return f"between the site and `{token.text}`"
    if token.kind == END:
        return "at the end of the file"
    return f"between {quoted(previous)} and {quoted(token)}"


def _too_early(token: Token, previous: Token | None, wanted: str) -> Diagnostic:
    where = "the file" if token.kind == END else "the statement"
    if previous is None:
        return error("E0107", f"{where} is empty: expected {wanted}", token_span(token))
    return error(
        "E0107", f"{where} ends too early: expected {wanted}", token_span(previous), f"{where} ends after this"
    )


def _hints(token: Token, previous: Token | None, expected: Sequence[str]) -> tuple[str, ...]:
    if previous is not None and previous.text == "?" and token.kind in ("+", "-"):
        return ("an open weight multiplies a score: `? * norm(hidden)`",)
    if token.kind == "?" and "layer" in expected:
        return ("leave the place open with `any 1..3 of layers 0..24`",)
    if token.kind == "-" and previous is not None and previous.kind == "NAME":
        return (_NAMES,)
    if token.kind in UNITS and previous is not None and previous.kind == "PERCENT":
        return ("a share has no unit: `25%` or `64 tokens`",)
    if token.kind == "via" and "retain" in expected:
        return ("say how many first: `retain 25% via merge`",)
    return ()


def _wanted(expected: Iterable[str], previous: Token | None) -> str:
    """What could stand here, in words."""
    rest = set(expected)
    if previous is not None and previous.kind in _AFTER:
        needed, words = _AFTER[previous.kind]
        if needed in rest:
            return words
    names: list[str] = []
    for kinds, name in _CLASSES:
        if not kinds <= rest:
            continue
        names.append(name)
        rest -= kinds
        if "NAME" in kinds or "NUMBER" in kinds:
            rest -= _VALUE_KINDS
        if "<=" in kinds:
            rest -= _COMPARISONS
        if "at" in kinds:
            rest -= STATEMENTS
    rest -= UNITS
    rest.discard(END)
    if len(rest) > 6:
        rest -= {"+", "-", "*", "{", "}"} if previous is None or previous.kind != "?" else {"{"}
    return _list([*(f"`{kind}`" for kind in sorted(rest, key=_reading_order)), *names]) or "the end of the file"


def _reading_order(kind: str) -> tuple[int, str]:
    words = list(KEYWORDS)
    return (words.index(kind) if kind in KEYWORDS else -1, kind)


def _list(words: Sequence[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _unreadable(token: Token, instead: str | None, previous: Token | None) -> Diagnostic:
    if token.text.startswith('"'):
        return error(
            "E0104", "this text has no closing quote", token_span(token), "a text ends on the line that it starts on"
        )
    if token.text == ".":
        in_a_name = previous is not None and previous.text.isidentifier() and previous.end == token.start
        remedy = _NAMES if in_a_name else "write `0.5`, not `.5`; a range is `2..8`"
        return error("E0101", "a dot cannot stand here", token_span(token), helps=(remedy,))
    character = token.text[0]
    name = unicodedata.name(character, "a character without a name")
    shown = character if character.isprintable() and not character.isspace() else ""
    what = (
        f"`{shown}` ({name}, U+{ord(character):04X})"
        if shown and ord(character) < 0x110000
        else f"U+{ord(character):04X} ({name})"
    )
    instead = instead or _LOOKALIKES.get(character)
    if instead is None:
        return error(
            "E0101",
            f"{what} means nothing here",
            token_span(token),
            helps=("comments start with `#`",) if character in "/;'" else (),
        )
    span = token_span(token._replace(end=token.start + 1, text=character))
    fix = Fix(f"write `{instead}`", (Edit(span, instead),), "safe")
    written = "a space" if instead == " " else f"`{instead}`"
    return error("E0101", f"{what} means nothing here", span, f"did you mean {written}?", fix=fix)


def too_deep(token: Token) -> Diagnostic:
    """Nesting beyond what is read."""
    return error(
        "E0106", "this is nested too deeply", token_span(token), helps=("name parts of it with `score NAME = …`",)
    )


def number_too_large(token: Token) -> Diagnostic:
    """A number longer than any layer, count or cost."""
    return error("E0105", f"`{shortened(token.text)}` is too long a number", token_span(token), "at most 40 digits")


def zero_denominator(token: Token) -> Diagnostic:
    """`1/0`."""
    return error("E0111", f"`{shortened(token.text)}` divides by zero", token_span(token))


def clause_twice(second: tree.Clause, first: tree.Clause) -> Diagnostic:
    """Two clauses of a kind in one group."""
    name = _clause_name(second)
    labels = (Label(second.span, f"a second `{name}`"), Label(first.span, "the first one"))
    helps = ("separate options by commas: `with positions: compact, order: score`",) if name == "with" else (
        "a second group begins with `and retain …`",
    )  # fmt: skip
    return Diagnostic("E0109", Severity.ERROR, f"`{name}` is given twice", second.span, labels, helps=helps)


def clauses_out_of_order(written: Sequence[tree.Clause], ordered: Sequence[tree.Clause], text: str) -> Diagnostic:
    """Clauses that are not in reading order; the fix puts each where it belongs."""
    pairs = [(slot, clause) for slot, clause in zip(written, ordered, strict=True) if slot is not clause]
    edits = tuple(Edit(slot.span, text[clause.span.start : clause.span.end]) for slot, clause in pairs)
    first = pairs[0][1]
    return error(
        "E0110",
        f"`{_clause_name(first)}` stands too late",
        first.span,
        f"belongs before `{_clause_name(pairs[0][0])}`",
        helps=("clauses are read in the order retain, by, pick, via, with",),
        fix=Fix("put the clauses in reading order", edits, "safe"),
    )


def _clause_name(clause: tree.Clause) -> str:
    return {tree.By: "by", tree.Pick: "pick", tree.Via: "via", tree.With: "with"}[type(clause)]


def _end_column(token: Token) -> int:
    return token.column + token.end - token.start
