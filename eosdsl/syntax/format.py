"""The formatter: one way to lay a spec out. It keeps every comment, blank lines (runs become one) and what is meant.

A statement stands on one line where it fits; else its site, and a line for each group; else a line for each clause.
The header comes first and sites follow in the order of the forward pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from eosdsl.collection import collects_later
from eosdsl.diagnostics import SpecError
from eosdsl.source import SourceFile
from eosdsl.syntax import tree, unparse
from eosdsl.syntax.comments import Attached, Line, Tail, attach
from eosdsl.syntax.order import canonical_order
from eosdsl.syntax.parse import parse_syntax

WIDTH = 120  # columns of a line; comments do not count
INDENT = "  "


@collects_later
def format_text(text: str) -> str:
    """The text in canonical layout. Raises SpecError where it cannot be parsed."""
    source = SourceFile("<text>", text)
    file, problems = parse_syntax(source)
    if file is None or problems:
        raise SpecError(problems, source)
    return format_file(file, text)


def format_file(file: tree.File, text: str) -> str:
    """The canonical layout of a tree that was parsed from `text` without errors."""
    layout = attach(file, text)
    lines = _comment_lines(layout.top, "", first=True)
    for position, index in enumerate(canonical_order(file.statements)):
        own = layout.statements[index]
        above = own.before.get(0, [])
        apart = (above[0].blank_before if above else own.blank_before) or bool(layout.top and not position)
        if apart and lines:
            lines.append("")
        lines += _comment_lines(above, "", first=True)
        if above and own.blank_before:
            lines.append("")
        lines += _statement(file.statements[index], own)
    lines += _comment_lines(layout.end, "", first=not lines)
    return "\n".join(lines) + "\n" if lines else ""


def one_line(statement: tree.Statement) -> str:
    """A statement on one line, however long, without comments."""
    return _join(list(_units(statement)))


@dataclass(frozen=True)
class Unit:
    """A part of a statement that may stand on a line of its own, with its indent there; else a blank separates them."""

    text: str
    indent: str
    begins_group: bool = False


def _comment_lines(comments: Sequence[Line], indent: str, *, first: bool) -> list[str]:
    lines: list[str] = []
    for comment in comments:
        if comment.blank_before and not (first and not lines):
            lines.append("")
        lines.append(indent + comment.text)
    return lines


def _statement(statement: tree.Statement, own: Attached) -> list[str]:
    """The lines of a statement, the comments around its parts included."""
    units = list(_units(statement))
    inside = any(i > 0 for i in own.before)
    if not inside and all(i == len(units) - 1 for i in own.after):
        line = _join(units)
        if len(line) <= WIDTH or len(units) == 1:
            return [_with_comment(line, own.after.get(len(units) - 1))]
    groups = _by_group(units)
    if not inside and all(_ends_a_line(i, groups) for i in own.after):
        lines = [_join(units[start:stop], units[start].indent) for start, stop in groups]
        if all(len(line) <= WIDTH for line in lines):
            return [_with_comment(line, own.after.get(stop - 1)) for line, (_, stop) in zip(lines, groups, strict=True)]
    return list(_one_a_line(units, own))


def _one_a_line(units: Sequence[Unit], own: Attached) -> Iterator[str]:
    for i, unit in enumerate(units):
        if i:
            yield from _comment_lines([Line(c.text, False) for c in own.before.get(i, [])], unit.indent, first=True)
        yield _with_comment(f"{unit.indent}{unit.text}", own.after.get(i))


def _by_group(units: Sequence[Unit]) -> list[tuple[int, int]]:
    """Index ranges of units that stand on one line when every group has a line."""
    starts = [i for i, unit in enumerate(units) if i == 0 or unit.begins_group]
    return list(zip(starts, [*starts[1:], len(units)], strict=True))


def _ends_a_line(index: int, groups: Sequence[tuple[int, int]]) -> bool:
    return any(index == stop - 1 for _, stop in groups)


def _join(units: Sequence[Unit], indent: str = "") -> str:
    return indent + " ".join(unit.text for unit in units)


def _with_comment(line: str, comment: Tail | None) -> str:
    """A comment at the end of a line keeps its column where it can, and is two blanks away at least."""
    return line if comment is None else f"{line.ljust(comment.column - 3)}  {comment.text}"


def _units(statement: tree.Statement) -> Iterator[Unit]:
    match statement:
        case tree.At():
            yield Unit(f"at {unparse.site(statement.site)}:", "")
            for number, group in enumerate(statement.groups):
                for i, clause in enumerate(group.clauses):
                    conjunction = "and " if number and not i else ""
                    yield Unit(f"{conjunction}{unparse.clause(clause)}", INDENT, begins_group=not i)
        case tree.SubjectTo() | tree.Expect():
            word = "subject to" if isinstance(statement, tree.SubjectTo) else "expect"
            yield from _listed(word, [unparse.constraint(one) for one in statement.constraints])
        case tree.SearchWith():
            yield from _listed("search with", [unparse.option(one) for one in statement.options])
        case _:
            yield Unit(_simple(statement), "")


def _listed(word: str, items: Sequence[str]) -> Iterator[Unit]:
    for i, item in enumerate(items):
        comma = "," if i + 1 < len(items) else ""
        yield Unit(f"{item if i else f'{word} {item}'}{comma}", INDENT if i else "", begins_group=bool(i))


def _simple(
    statement: tree.Version | tree.Header | tree.Use | tree.Param | tree.Score | tree.Minimise,
) -> str:
    match statement:
        case tree.Version():
            return f"eos {statement.number.text}"
        case tree.Header():
            family = f" for {statement.family.text}" if statement.family is not None else ""
            return f"{statement.kind} {statement.name.text}{family}"
        case tree.Use():
            return f'use "{statement.path.text}"'
        case tree.Param():
            return f"param {statement.name.text} = {unparse.expression(statement.value)}"
        case tree.Score():
            return f"score {statement.name.text} = {unparse.expression(statement.value)}"
        case tree.Minimise():
            return f"minimise {unparse.expression(statement.value)}"
