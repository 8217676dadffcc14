"""The syntax errors: code → (title, page in Markdown). What to write instead is in every page."""

from __future__ import annotations

CODES: dict[str, tuple[str, str]] = {
    "E0101": (
        "a character that means nothing here",
        """\
Outside comments and quoted texts a spec is made of ASCII letters, digits, `_` and the marks `: , ( ) { } ? * +
- = .. -> <= >= % " #`. Characters pasted from documents (long dashes, curly quotes, no-break spaces) look right
and are not.

```eos
at layer 2…8: retain 25%   # wrong: `…` is one character
at layer 8..8: retain 25%
```
""",
    ),
    "E0102": (
        "something else was expected",
        """\
At this place the language has no use for what stands there; the message lists what it has a use for. The order
of a statement is where, how many, which, and what becomes of the rest.

```eos
at layer 2: merge 25%              # wrong
at layer 8: retain 25% via merge
```
""",
    ),
    "E0103": (
        "a misspelt keyword",
        """\
The word is none that could stand here, but close to one that can. The fix writes that one.

```eos
at leyer 2: retian 50%   # wrong
at layer 2: retain 50%
```
""",
    ),
    "E0104": (
        "a text without its closing quote",
        """\
A quoted text begins and ends on one line.

```eos
use "visionzip.eos    # wrong
use "visionzip.eos"
```
""",
    ),
    "E0105": (
        "a number that is too long",
        """\
Numbers are exact, and have at most 40 digits; exponents go to 40. No layer, count or cost needs more.

```eos
param budget = 1e999 tokens   # wrong
param budget = 64 tokens
```
""",
    ),
    "E0106": (
        "nesting that is too deep",
        """\
Some sixty parentheses within each other are read, no more. Give parts of a long score a name instead.

```eos
score worth = 0.7 * attention(query: last) + 0.3 * norm(keys)
at layer 2: retain 50% by worth
```
""",
    ),
    "E0107": (
        "a statement that ends too early",
        """\
The file, or the next statement, begins before this one is complete.

```eos
at layer 2: retain            # wrong: how many?
at layer 8: retain 50%
```
""",
    ),
    "E0108": (
        "a missing mark",
        """\
A colon, comma or closing parenthesis is missing; the fix inserts it.

```eos
at layer 2 retain 50% via mix(0.6 merge 0.4 prune)   # wrong
at layer 8: retain 50% via mix(0.6 merge, 0.4 prune)
```
""",
    ),
    "E0109": (
        "a clause that is given twice",
        """\
A group has one score, one pick, one behaviour and one list of options. For a second group of anchors write
`and`.

```eos
at layer 2: retain 50% by norm(hidden) by attention(query: last)   # wrong
at layer 8: retain 50% by 0.5 * norm(hidden) + 0.5 * attention(query: last)
```
""",
    ),
    "E0110": (
        "clauses out of order",
        """\
A statement is read in one order: how many (`retain`), which (`by`, `pick`), what becomes of the rest (`via`),
and bookkeeping (`with`). The fix puts the clauses in that order.

```eos
at layer 2: retain 50% via merge by norm(hidden)   # wrong
at layer 8: retain 50% by norm(hidden) via merge
```
""",
    ),
    "E0111": (
        "a division by zero",
        """\
A fraction has a denominator that is not zero.

```eos
at layer 2: retain 1/0   # wrong
at layer 8: retain 1/3
```
""",
    ),
}
