"""The one table of keywords: what they are for, in one line each. Completion, hover, highlighting and messages read it.

Keywords are contextual: each is an ordinary name wherever the grammar does not ask for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

Role = Literal["statement", "site", "budget", "clause", "word", "unit"]


class Keyword(NamedTuple):
    """What part of the language a keyword belongs to, and what it does."""

    role: Role
    doc: str


_ROWS: dict[str, Keyword] = {
    "eos": Keyword("statement", "the version of the language: `eos 1`"),
    "operator": Keyword("statement", "a program with nothing left open: `operator fastv for llava`"),
    "space": Keyword("statement", "a program with values left open, to search: `space hybrid for llava`"),
    "use": Keyword("statement", 'takes in the statements of another file: `use "visionzip.eos"`'),
    "param": Keyword("statement", "a value that `--set` overrides: `param budget = 64 tokens`"),
    "score": Keyword("statement", "a score with a name: `score worth = 0.7 * norm(keys) + 0.3 * position`"),
    "at": Keyword("statement", "where tokens are reduced, and how: `at layer 2: retain 50%`"),
    "minimise": Keyword("statement", "what a search makes small: `minimise task + 0.1 * alignment(hidden)`"),
    "subject": Keyword("statement", "what a search has to respect: `subject to tokens(mean) <= 64`"),
    "search": Keyword("statement", "how to search: `search with steps: 600, seed: 0`"),
    "expect": Keyword("statement", "what has to hold for the model at hand: `expect flops <= 30%`"),
    "layer": Keyword("site", "one layer, or gradually over a range: `layer 2`, `layer 2..8`"),
    "layers": Keyword("site", "each of these layers: `layers 8, 16, 24`, `layers 2..8`"),
    "depth": Keyword("site", "a layer relative to the model's depth: `depth 25%`"),
    "input": Keyword("site", "after the projector, before decoder layer 0"),
    "encoder": Keyword("site", "in the vision tower: `encoder layer 22`, `encoder output`"),
    "output": Keyword("site", "`encoder output`: the features that the model selects, before the projector"),
    "any": Keyword("site", "leaves the place open: `any 1..3 of layers 2..24`"),
    "after": Keyword("site", "`after attention`: between the attention and the MLP of the layer"),
    "attention": Keyword("site", "`after attention`: between the attention and the MLP of the layer"),
    "retain": Keyword("budget", "how many tokens stay: `retain 25%`, `retain 64 tokens`"),
    "remove": Keyword("budget", "how many tokens go: `remove 16 tokens`"),
    "of": Keyword("budget", "of what a share is taken: `50% of incoming`"),
    "along": Keyword("budget", "the curve between two values: `100% -> 10% along cosine`"),
    "by": Keyword("clause", "the score that makes a token worth keeping: `by attention(query: last)`"),
    "pick": Keyword("clause", "how anchors are chosen from the scores: `pick top`"),
    "via": Keyword("clause", "what becomes of the tokens that are not anchors: `via merge`"),
    "with": Keyword("clause", "bookkeeping: `with positions: compact`"),
    "and": Keyword("clause", "a second group of anchors at the same site: `and retain 10 tokens via merge`"),
    "for": Keyword("word", "the model family that it is made for: `operator fastv for llava`"),
    "mix": Keyword("word", "a blend of behaviours: `mix(0.6 merge, 0.4 prune)`"),
    "prior": Keyword("word", "where a search starts: `? 25% prior`, `? 2%..60% prior 25%`"),
    "to": Keyword("word", "`subject to`: what a search has to respect"),
    "tokens": Keyword("unit", "visual tokens of one image"),
    "token": Keyword("unit", "one visual token"),
    "MACs": Keyword("unit", "multiply-accumulates, two FLOPs each"),
    "GMACs": Keyword("unit", "10^9 MACs"),
    "TMACs": Keyword("unit", "10^12 MACs"),
    "FLOPs": Keyword("unit", "floating-point operations"),
    "GFLOPs": Keyword("unit", "10^9 FLOPs"),
    "TFLOPs": Keyword("unit", "10^12 FLOPs"),
    "B": Keyword("unit", "bytes"),
    "KB": Keyword("unit", "10^3 bytes"),
    "MB": Keyword("unit", "10^6 bytes"),
    "GB": Keyword("unit", "10^9 bytes"),
    "KiB": Keyword("unit", "2^10 bytes"),
    "MiB": Keyword("unit", "2^20 bytes"),
    "GiB": Keyword("unit", "2^30 bytes"),
    "us": Keyword("unit", "microseconds"),
    "ms": Keyword("unit", "milliseconds"),
    "s": Keyword("unit", "seconds"),
}

KEYWORDS: Mapping[str, Keyword] = MappingProxyType(_ROWS)

STATEMENTS: frozenset[str] = frozenset(word for word, keyword in _ROWS.items() if keyword.role == "statement")
CLAUSES: tuple[str, ...] = ("by", "pick", "via", "with", "and")
UNITS: frozenset[str] = frozenset(word for word, keyword in _ROWS.items() if keyword.role == "unit")
