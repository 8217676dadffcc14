"""Applying fixes: edits of findings put into the text, round by round, until nothing is left that can be mended."""

from __future__ import annotations

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
    edits: list[Edit] = []
    count = 0
    for fix in _fixes(diagnostics, unsafe):
        if any(_touch(edit, other) for edit in fix.edits for other in edits):
            continue
        edits.extend(fix.edits)
        count += 1
    for edit in sorted(edits, key=lambda edit: edit.span.start, reverse=True):
        text = text[: edit.span.start] + edit.replacement + text[edit.span.end :]
    return text, count


def _fixes(diagnostics: Iterable[Diagnostic], unsafe: bool) -> Sequence[Fix]:
    """Those that may be applied, each once."""
    fixes = [d.fix for d in diagnostics if d.fix is not None and (unsafe or d.fix.applicability == "safe")]
    return [fix for fix in dict.fromkeys(fixes) if fix.edits and not any(edit.span.file for edit in fix.edits)]


def _touch(edit: Edit, other: Edit) -> bool:
    """Whether two edits overlap or meet, so that their order would matter."""
    return edit.span.start <= other.span.end and other.span.start <= edit.span.end


def _errors(diagnostics: Iterable[Diagnostic]) -> int:
    return sum(diagnostic.is_error for diagnostic in diagnostics)
