"""Bringing a spec to the version of the language that this release reads, as edits: everything else stays as it was.

A version of the language is a row of `MIGRATIONS`: a function from the text of the version before to the text of that
version. There is one version so far, so that a spec is only made to name it; from then on it means the same in every
later release, or is brought to the new version by its row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from eosdsl.diagnostics import SpecError, error
from eosdsl.source import SourceFile
from eosdsl.syntax import tree
from eosdsl.syntax.parse import parse_syntax

CURRENT = 1

MIGRATIONS: Mapping[int, Callable[[str], str]] = MappingProxyType({})


def migrate(source: SourceFile) -> str:
    """The text in the current version, which it names. Raises SpecError with the source where it has syntax errors."""
    file, found = parse_syntax(source)
    errors = [diagnostic for diagnostic in found if diagnostic.is_error]
    if file is None or errors:
        raise SpecError(errors, source)
    text = source.text
    version = next((s for s in file.statements if isinstance(s, tree.Version)), None)
    if version is not None and version.number.value not in range(1, CURRENT + 1):
        message = f"version {version.number.text} of the language is not known"
        raise SpecError([error("E0113", message, version.number.span, f"this release reads up to {CURRENT}")], source)
    for step in range(int(version.number.value) if version is not None else CURRENT, CURRENT):
        text = MIGRATIONS[step + 1](text)
    return text if version is not None else _named(file, source)


def _named(file: tree.File, source: SourceFile) -> str:
    """The text with `eos 1` where the formatter would put it: before the header, or before all else."""
    if not file.statements:
        return source.text
    end = "\r\n" if "\r\n" in source.text else "\n"
    header = next((s for s in file.statements if isinstance(s, tree.Header)), None)
    place = header.span.start if header is not None else _top(file, source)
    blank = "" if header is not None else end
    return f"{source.text[:place]}eos {CURRENT}{end}{blank}{source.text[place:]}"


def _top(file: tree.File, source: SourceFile) -> int:
    """The start of the first statement, or of the comment lines right above it."""
    first = file.statements[0].span
    place, line = first.start, first.line
    for comment in reversed(file.comments):
        if comment.own_line and comment.span.line == line - 1:
            place, line = comment.span.start, comment.span.line
    return place
