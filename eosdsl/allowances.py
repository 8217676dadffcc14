"""`# eos: allow(W0301)`: comments that take a warning back.

After a statement on its line, it counts for findings that start on that line; alone on its line, for the statement
below it (or for the rest of the statement that it stands in); `# eos: allow-file(W0301)` counts for the whole file.
Only warnings can be allowed away (E0190); what allows nothing is a warning itself (W0190).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from eosdsl.diagnostics import Diagnostic, Edit, Fix, Severity, error, warning
from eosdsl.source import SourceFile, Span
from eosdsl.syntax import tree

CODES = {
    "W0190": """A comment allows what is not there.

    `# eos: allow(W0301)` takes one warning back where it stands. This one takes nothing back: the finding is gone, or
    it is reported on another line. A comment that outlives its reason hides the next finding.

    ```eos
    at layer 2: retain 50%   # eos: allow(W0301)
    ```

    Remove the comment; `--fix` does.
    """,
    "W0191": """A comment allows a code that does not exist.

    The code is misspelt, or a rule of that code is not installed. `eosdsl explain` lists the codes.
    """,
    "E0190": """Errors cannot be allowed away.

    `# eos: allow(…)` takes warnings back. An error means that the spec has no meaning or cannot run on this model, and
    information never fails a check: neither can be allowed.

    ```eos
    at layer 40: retain 50%   # eos: allow(E0302)
    ```
    """,
}

_ALLOW = re.compile(r"\beos:\s*(?P<verb>allow(?:-file)?)\s*\((?P<codes>[^)]*)\)")
_CODE = re.compile(r"[^\s,]+")


@dataclass(frozen=True)
class Allowance:
    """One code of one comment; it counts for findings that start on lines `first` to `last` (1-based, included)."""

    code: str
    span: Span
    comment: Span
    first: int
    last: int

    def covers(self, diagnostic: Diagnostic) -> bool:
        """Whether the finding is of this code and starts on these lines. One without a place is at line 0."""
        line = diagnostic.span.line if diagnostic.span is not None and not diagnostic.span.file else 0
        return diagnostic.code == self.code and self.first <= line <= self.last


def allowances(file: tree.File, source: SourceFile) -> list[Allowance]:
    """All codes that comments of the text allow, in the order of the text."""
    ends = [statement.span.end_line for statement in file.statements]
    return [
        allowance
        for comment in file.comments
        for match in _ALLOW.finditer(comment.text)
        for allowance in _of_match(match, comment, ends, source)
    ]


def apply_allowances(diagnostics: Iterable[Diagnostic], file: tree.File, source: SourceFile) -> list[Diagnostic]:
    """The diagnostics without the warnings that comments allow, and findings on comments that allow nothing."""
    given = list(diagnostics)
    if not file.comments:
        return given
    allowed = allowances(file, source)
    by_code: dict[str, list[Allowance]] = {}
    for allowance in allowed:
        by_code.setdefault(allowance.code, []).append(allowance)
    used: set[Allowance] = set()
    kept: list[Diagnostic] = []
    for diagnostic in given:
        candidates = by_code.get(diagnostic.code, []) if diagnostic.severity is Severity.WARNING else []
        covering = [allowance for allowance in candidates if allowance.covers(diagnostic)]
        used.update(covering)
        if not covering:
            kept.append(diagnostic)
    return [*kept, *(_useless(a, source) for a in allowed if a not in used)]


def _of_match(match: re.Match[str], comment: tree.Comment, ends: list[int], source: SourceFile) -> list[Allowance]:
    first, last = _lines(match["verb"], comment, ends, source)
    start = comment.span.start + match.start("codes")
    return [
        Allowance(code[0].upper(), source.span(start + code.start(), start + code.end()), comment.span, first, last)
        for code in _CODE.finditer(match["codes"])
    ]


def _lines(verb: str, comment: tree.Comment, ends: list[int], source: SourceFile) -> tuple[int, int]:
    """First and last line that the comment counts for."""
    line = comment.span.line
    if verb == "allow-file":
        return 0, source.line_column(len(source.text))[0]
    if not comment.own_line:
        return line, line
    below = bisect_right(ends, line)
    return line, ends[below] if below < len(ends) else line


def _useless(allowance: Allowance, source: SourceFile) -> Diagnostic:
    from eosdsl.diagnostic_catalogue import catalogue, explanation

    if allowance.code.startswith(("E", "I")):
        kind = "an error" if allowance.code.startswith("E") else "information"
        return error("E0190", f"{allowance.code} is {kind}: only warnings can be allowed", allowance.span)
    if explanation(allowance.code) is None:
        near = get_close_matches(allowance.code, catalogue(), n=1)
        helps = (f"did you mean {near[0]}?",) if near else ("`eosdsl explain` lists the codes",)
        return warning("W0191", f"there is no code {allowance.code}", allowance.span, helps=helps)
    fix = Fix("remove the comment", (Edit(_with_space_before(allowance.comment, source), ""),), "safe")
    return warning("W0190", f"{allowance.code} is not reported here", allowance.span, "allows nothing", fix=fix)


def _with_space_before(comment: Span, source: SourceFile) -> Span:
    start = comment.start
    while start > 0 and source.text[start - 1] in " \t":
        start -= 1
    return source.span(start, comment.end)
