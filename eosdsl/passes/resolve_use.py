"""`use`: the statements of other files. Paths are relative to the file that names them, in the spec's folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from eosdsl.diagnostics import Diagnostic, Edit, Fix, Label, SpecError
from eosdsl.passes.resolve_context import Context
from eosdsl.source import SourceFile, Span
from eosdsl.syntax import tree
from eosdsl.syntax.parse import parse_syntax
from eosdsl.syntax.record import Record


class Placed(Record):
    """A statement with the file that it stands in (empty: the text at hand)."""

    statement: tree.Statement
    file: str


class Gatherer:
    """Follows `use` from file to file; every file is taken in once."""

    def __init__(self, context: Context, source: SourceFile, allow_outside: bool) -> None:
        self.context = context
        self.root = source.path.resolve().parent if source.path is not None else None
        self.allow_outside = allow_outside
        self.done: set[Path] = set()
        self.chain: list[Path] = [source.path.resolve()] if source.path is not None else []

    def gather(self, file: tree.File) -> Iterator[Placed]:
        """All statements, those of used files in the place of the `use`."""
        yield from self._statements(file, "")

    def _statements(self, file: tree.File, name: str) -> Iterator[Placed]:
        for statement in file.statements:
            if isinstance(statement, tree.Use):
                yield from self._used(statement)
            else:
                yield Placed(statement, name)

    def _used(self, use: tree.Use) -> Iterator[Placed]:
        path = self._path(use)
        if path is None or path in self.done:
            return
        loaded = self._load(use, path)
        if loaded is None:
            return
        self.chain.append(path)
        with self.context.within(str(path)):
            yield from self._statements(loaded, str(path))
        self.chain.pop()
        self.done.add(path)

    def _path(self, use: tree.Use) -> Path | None:
        """The file that is meant, if it may be taken in."""
        context, written = self.context, use.path
        if self.root is None:
            context.error(
                "E0213",
                "a text without a file cannot use others",
                written.span,
                "relative to what?",
                helps=("save the spec as a file and name that file",),
            )
            return None
        if not written.text or "\0" in written.text:
            context.error("E0210", "this names no file", written.span, "expected a path")
            return None
        try:
            path = (self.chain[-1].parent / written.text).resolve()
        except (OSError, RuntimeError, ValueError) as problem:
            context.error("E0210", f"`{written.text}` cannot be followed: {problem}", written.span)
            return None
        if path in self.chain:
            names = [link.name for link in (*self.chain[self.chain.index(path) :], path)]
            context.error("E0211", "these files use each other in a circle", written.span, " → ".join(names))
            return None
        if not self.allow_outside and not path.is_relative_to(self.root):
            context.error(
                "E0212",
                f"`{written.text}` is outside the spec's folder",
                written.span,
                f"not below {self.root}",
                helps=("`--allow-outside` takes it in all the same",),
            )
            return None
        return path

    def _load(self, use: tree.Use, path: Path) -> tree.File | None:
        from eosdsl.reading import read_source

        try:
            source = read_source(path)
        except SpecError as problem:
            reason = "; ".join(d.message for d in problem.diagnostics)
            self.context.error("E0210", f"`{use.path.text}` cannot be used: {reason}", use.path.span)
            return None
        file, problems = parse_syntax(source)
        self.context.found.extend(in_file(problem, str(path)) for problem in problems)
        if file is None:
            return None
        self.context.legible |= {broken.name for broken in file.broken if broken.name}
        return file


def in_file(problem: Diagnostic, file: str) -> Diagnostic:
    """A diagnostic whose spans name the file that they are in."""

    def named(span: Span) -> Span:
        return replace(span, file=file)

    fix = problem.fix
    if fix is not None:
        fix = Fix(fix.message, tuple(Edit(named(edit.span), edit.replacement) for edit in fix.edits), fix.applicability)
    return replace(
        problem,
        span=None if problem.span is None else named(problem.span),
        labels=tuple(Label(named(label.span), label.text) for label in problem.labels),
        fix=fix,
    )
