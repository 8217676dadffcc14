"""Comments and blank lines: to which statement, and to which part of it, each belongs.

A comment on a line of its own belongs to what comes after it, one at the end of a line to what stands before it.
Comments at the top of a file that a blank line sets apart belong to the file.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from eosdsl.source import Span
from eosdsl.syntax import tree


@dataclass(frozen=True)
class Line:
    """A comment on a line of its own; `blank_before`: a blank line sets it apart from what is above."""

    text: str
    blank_before: bool


@dataclass(frozen=True)
class Tail:
    """A comment at the end of a line; `column` (1-based) is where it stood: comments aligned by hand stay aligned."""

    text: str
    column: int


@dataclass
class Attached:
    """What goes with one statement. `before[i]` and `after[i]` are the comments around its i-th unit (see `units`)."""

    blank_before: bool = False
    before: dict[int, list[Line]] = field(default_factory=dict)
    after: dict[int, Tail] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """Comments of a whole file: those at its top, those of each statement (in source order), and those at its end."""

    top: tuple[Line, ...]
    statements: tuple[Attached, ...]
    end: tuple[Line, ...]


def units(statement: tree.Statement) -> tuple[Span, ...]:
    """The parts of a statement that comments can stand between: what the formatter may put on lines of their own."""
    if isinstance(statement, tree.At):
        return (statement.site.span, *(clause.span for group in statement.groups for clause in group.clauses))
    if isinstance(statement, tree.SubjectTo | tree.Expect):
        return tuple(constraint.span for constraint in statement.constraints)
    if isinstance(statement, tree.SearchWith):
        return tuple(option.span for option in statement.options)
    return (statement.span,)


def attach(file: tree.File, text: str) -> Layout:
    """Which comment belongs where."""
    statements = file.statements
    attached = tuple(Attached() for _ in statements)
    starts = [statement.span.start for statement in statements]
    top: list[Line] = []
    end: list[Line] = []
    for comment in file.comments:
        index = bisect_right(starts, comment.span.start) - 1
        if index >= 0 and _belongs_within(comment, statements[index]):
            _attach_within(comment, statements[index], attached[index])
            continue
        line = Line(comment.text, _blank_before(text, comment.span.start))
        if index + 1 < len(statements):
            attached[index + 1].before.setdefault(0, []).append(line)
        else:
            end.append(line)
    for statement, own in zip(statements, attached, strict=True):
        own.blank_before = _blank_before(text, statement.span.start)
    if attached:
        top = _take_top(attached[0])
    return Layout(tuple(top), attached, tuple(end))


def opening_comment(file: tree.File, text: str) -> tuple[str, ...]:
    """The comment that a formatted file begins with, line by line, without its signs."""
    if not file.comments:
        return ()
    from eosdsl.syntax.order import canonical_order

    layout = attach(file, text)
    lines = list(layout.top)
    order = canonical_order(file.statements)
    if order:
        lines += layout.statements[order[0]].before.get(0, [])
    elif not lines:
        lines = list(layout.end)
    return tuple(line.text.removeprefix("#").strip() for line in lines)


def _belongs_within(comment: tree.Comment, statement: tree.Statement) -> bool:
    if comment.span.start < statement.span.end:
        return True
    return not comment.own_line and comment.span.line == statement.span.end_line


def _attach_within(comment: tree.Comment, statement: tree.Statement, own: Attached) -> None:
    """Before the unit that follows, or after the one that precedes; one that would be the second after a unit goes
    before it, as only one comment fits at the end of a line."""
    parts = units(statement)
    starts = [part.start for part in parts]
    place = max(bisect_right(starts, comment.span.start) - 1, 0)
    if not comment.own_line:
        previous = own.after.get(place)
        if previous is not None:
            own.before.setdefault(place, []).append(Line(previous.text, False))
        own.after[place] = Tail(comment.text, comment.span.column)
        return
    beyond = comment.span.start >= parts[place].end
    target = place + 1 if beyond and place + 1 < len(parts) else place
    own.before.setdefault(target, []).append(Line(comment.text, False))


def _take_top(first: Attached) -> list[Line]:
    """Of the comments before the first statement, those that a blank line sets apart from it belong to the file."""
    lines = first.before.get(0, [])
    if first.blank_before:
        first.before.pop(0, None)
        return lines
    cut = max((i for i, line in enumerate(lines) if line.blank_before), default=0)
    if cut:
        first.before[0] = lines[cut:]
    return lines[:cut]


def _blank_before(text: str, start: int) -> bool:
    """Whether what starts at this offset is the first on its line, and the line above is blank."""
    line = text.rfind("\n", 0, start) + 1
    if line == 0 or text[line:start].strip():
        return False
    above = text.rfind("\n", 0, line - 1) + 1
    return not text[above : line - 1].strip()
