"""`# eos: allow(W0301)`: comments that take a warning back.

After a statement on its line, it counts for findings that start on that line; alone on its line, for the statement
below (up to the next line that starts one); `# eos: allow-file(W0301)` counts for the whole file. Only warnings can
be allowed away; what allows nothing is a warning itself (W0190).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eosdsl.diagnostics import Diagnostic, Edit, Fix, Severity, error, warning
from eosdsl.source import SourceFile, Span

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

_COMMENT = re.compile(r'"[^"\n]*"|#(?P<comment>[^\n]*)')
_ALLOW = re.compile(r"\beos:\s*(?P<verb>allow(?:-file)?)\s*\((?P<codes>[^)\n]*)\)")
_STATEMENT = re.compile(
    r"^[ \t]*(?:at|operator|space|score|param|use|expect|minimise|subject|search|eos)\b", re.MULTILINE
)


@dataclass(frozen=True)
class Allowance:
    """One code of one comment; it counts for findings that start on lines `first` to `last` (1-based, included)."""

    code: str
    span: Span
    comment: Span
    first: int
    last: int

    def covers(self, diagnostic: Diagnostic) -> bool:
        line = diagnostic.span.line if diagnostic.span is not None and not diagnostic.span.file else 0
        return diagnostic.code == self.code and self.first <= line <= self.last


def allowances(source: SourceFile) -> list[Allowance]:
    """All codes that comments of the text allow, in the order of the text."""
    if "eos:" not in source.text:
        return []
    starts = [source.line_column(match.start())[0] for match in _STATEMENT.finditer(source.text)]
    return [
        allowance
        for comment in _COMMENT.finditer(source.text)
        if comment["comment"] is not None
        for match in _ALLOW.finditer(source.text, comment.start(), comment.end())
        for allowance in _of_comment(source, comment.start(), comment.end(), match, starts)
    ]


def apply_allowances(source: SourceFile, diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The diagnostics without the warnings that comments allow, and findings on comments that allow nothing."""
    given = list(diagnostics)
    allowed = allowances(source)
    if not allowed:
        return given
    used: set[Allowance] = set()
    kept: list[Diagnostic] = []
    for diagnostic in given:
        covering = [a for a in allowed if diagnostic.severity is Severity.WARNING and a.covers(diagnostic)]
        used.update(covering)
        if not covering:
            kept.append(diagnostic)
    return [*kept, *(_useless(a, source) for a in allowed if a not in used)]


def _of_comment(
    source: SourceFile, start: int, end: int, match: re.Match[str], starts: Sequence[int]
) -> list[Allowance]:
    line, column = source.line_column(start)
    own_line = not source.line_text(line)[: column - 1].strip()
    first, last = (line, line)
    if match["verb"] == "allow-file":
        first, last = 0, len(source.text)
    elif own_line:
        first, last = _statement_below(line, starts, len(source.text))
    comment = source.span(start, end)
    return [
        Allowance(code["code"].upper(), source.span(code.start(), code.end()), comment, first, last)
        for code in re.compile(r"(?P<code>[^\s,]+)").finditer(source.text, match.start("codes"), match.end("codes"))
    ]


def _statement_below(line: int, starts: Sequence[int], end: int) -> tuple[int, int]:
    """First and last line of the statement that starts below a line."""
    place = bisect_right(starts, line)
    if place == len(starts):
        return line, end
    return starts[place], starts[place + 1] - 1 if place + 1 < len(starts) else end


def _useless(allowance: Allowance, source: SourceFile) -> Diagnostic:
    from eosdsl.diagnostic_catalogue import catalogue, explanation

    if allowance.code.startswith("E") or allowance.code.startswith("I"):
        kind = "an error" if allowance.code.startswith("E") else "information"
        return error("E0190", f"{allowance.code} is {kind}: only warnings can be allowed", allowance.span)
    if explanation(allowance.code) is None:
        from difflib import get_close_matches

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
