"""Applying fixes: edits of findings put into the text, round by round, until nothing is left that can be mended."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from eosdsl.diagnostics import Diagnostic, Edit, Fix
from eosdsl.source import SourceFile

ROUNDS = 20

Check = Callable[[SourceFile], list[Diagnostic]]


@dataclass(frozen=True)
class Fixed:
    """A text after fixing, what is still found in it, and how many fixes went in."""

    source: SourceFile
    remaining: list[Diagnostic]
    applied: int


def fix_source(source: SourceFile, check: Check, *, unsafe: bool = False) -> Fixed:
    """Apply fixes until none is left. A round after which there are more errors than before is taken back."""
    found = check(source)
    applied = 0
    for _ in range(ROUNDS):
        text, count = apply_fixes(source.text, found, unsafe=unsafe)
        if count == 0 or text == source.text:
            break
        mended = SourceFile(source.name, text, source.path)
        remaining = check(mended)
        if _errors(remaining) > _errors(found):
            break
        source, found, applied = mended, remaining, applied + count
    return Fixed(source, found, applied)


def apply_fixes(text: str, diagnostics: Iterable[Diagnostic], *, unsafe: bool = False) -> tuple[str, int]:
    """The text with the fixes that do not overlap, and their number. Edits in other files are left alone."""
    taken: list[tuple[int, int, str]] = []  # start, end and replacement of the edits so far, in order
    count = 0
    for fix in _fixes(diagnostics, unsafe):
        if any(_touches(edit, taken) for edit in fix.edits):
            continue
        for edit in fix.edits:
            insort(taken, (edit.span.start, edit.span.end, edit.replacement))
        count += 1
    pieces: list[str] = []
    place = 0
    for start, end, replacement in taken:
        pieces += [text[place:start], replacement]
        place = end
    return "".join([*pieces, text[place:]]), count


def _fixes(diagnostics: Iterable[Diagnostic], unsafe: bool) -> Sequence[Fix]:
    """Those that may be applied, each once."""
    fixes = [d.fix for d in diagnostics if d.fix is not None and (unsafe or d.fix.applicability == "safe")]
    return [fix for fix in dict.fromkeys(fixes) if fix.edits and not any(edit.span.file for edit in fix.edits)]


def _touches(edit: Edit, taken: list[tuple[int, int, str]]) -> bool:
    """Whether an edit overlaps or meets one that is taken, so that their order would matter."""
    place = bisect_left(taken, (edit.span.start,))
    return any(
        edit.span.start <= end and start <= edit.span.end for start, end, _ in taken[max(place - 1, 0) : place + 1]
    )


def _errors(diagnostics: Iterable[Diagnostic]) -> int:
    return sum(diagnostic.is_error for diagnostic in diagnostics)
