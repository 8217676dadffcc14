"""A text that is open in an editor, with all that is known about it: worked out when first asked for, then kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from eosdsl.checking import check_source
from eosdsl.diagnostics import Diagnostic, SpecError
from eosdsl.ir.nodes import DiscreteProgram, RelaxedProgram
from eosdsl.ir.schedule import Schedule
from eosdsl.lsp.marks import Reading, read
from eosdsl.lsp.positions import Lines
from eosdsl.lsp.settings import DEFAULTS, Settings
from eosdsl.models.facts import ModelFacts
from eosdsl.source import SourceFile
from eosdsl.syntax import tree
from eosdsl.syntax.parse import parse_syntax

LONGEST = 600_000  # characters: tens of thousands of statements; beyond, a text is checked and nothing else


@dataclass(frozen=True)
class Document:
    """One version of a text. `path` is None for one that was never saved."""

    text: str
    path: Path | None = None
    settings: Settings = DEFAULTS

    @cached_property
    def source(self) -> SourceFile:
        return SourceFile(str(self.path) if self.path is not None else "<text>", self.text, self.path)

    @cached_property
    def lines(self) -> Lines:
        return Lines(self.text)

    @cached_property
    def reading(self) -> Reading:
        """All tokens with what they stand for, also where the text is broken."""
        return read(self.text[:0] if self.too_long else self.text)

    @property
    def too_long(self) -> bool:
        """Whether the text is longer than anything that people write: an editor must not wait for it."""
        return len(self.text) > LONGEST

    @cached_property
    def _parsed(self) -> tuple[tree.File | None, list[Diagnostic]]:
        return (None, []) if self.too_long else parse_syntax(self.source)

    @property
    def file(self) -> tree.File | None:
        """The syntax tree, without the statements that could not be read."""
        return self._parsed[0]

    @cached_property
    def statements(self) -> tuple[tree.Statement, ...]:
        return self.file.statements if self.file is not None else ()

    @cached_property
    def facts(self) -> ModelFacts | None:
        """The model that tokens and costs are counted for; None where the settings name none that is known.

        A spec that is `for` another family than the chosen model gets the first shipped model of its own.
        """
        header = next((one for one in self.statements if isinstance(one, tree.Header)), None)
        family = header.family.text if header is not None and header.family is not None else None
        return model_of(self.settings.model, family)

    @cached_property
    def found(self) -> list[Diagnostic]:
        """All findings, with those of the model."""
        return check_source(
            self.source, self.facts, settings=self.settings.params, allow_outside=self.settings.allow_outside
        )

    @cached_property
    def program(self) -> DiscreteProgram | RelaxedProgram | None:
        """What the text means; None where it has errors."""
        from eosdsl.passes.resolve import resolve

        file, problems = self._parsed
        if file is None or problems:
            return None
        given, outside = self.settings.params, self.settings.allow_outside
        try:
            return resolve(file, self.source, settings=given, allow_outside=outside)[0]
        except (SpecError, RecursionError):
            return None

    @cached_property
    def schedule(self) -> Schedule | None:
        """The program on the chosen model; None for spaces, and where it does not fit."""
        return schedule_of(self.program, self.facts)

    @cached_property
    def used(self) -> tuple[Document, ...]:
        """The documents that this one takes in by `use`, each once, nearest first."""
        return tuple(self._follow())

    def _follow(self) -> Iterator[Document]:
        seen = {self.path.resolve()} if self.path is not None else set[Path]()
        waiting: list[Document] = [self]
        while waiting:
            for file in _named_files(waiting.pop(0)):
                if file in seen:
                    continue
                seen.add(file)
                taken = open_file(file, self.settings)
                if taken is not None:
                    yield taken
                    waiting.append(taken)


def open_file(path: Path, settings: Settings) -> Document | None:
    """The document of a file on disk, or None where it cannot be read."""
    from eosdsl.reading import read_source

    try:
        return Document(read_source(path).text, path, settings)
    except SpecError:
        return None


def schedule_of(program: DiscreteProgram | RelaxedProgram | None, facts: ModelFacts | None) -> Schedule | None:
    """A program on a model, where it is an operator and fits."""
    from eosdsl.passes.bind import bind

    if facts is None or not isinstance(program, DiscreteProgram):
        return None
    try:
        return bind(program, facts)[0]
    except SpecError:
        return None


def model_of(chosen: str | None, family: str | None) -> ModelFacts | None:
    """Facts of the chosen model, or of the first shipped one of a family that is another."""
    from eosdsl.models.profiles import profiles
    from eosdsl.models.registry import facts

    if chosen is None:
        return None
    try:
        known = facts(chosen)
        if family in (None, known.family) or family not in profiles():
            return known
        shipped = profiles()[family].shipped
        return facts(shipped[0].name) if shipped else None
    except SpecError:
        return None


def _named_files(document: Document) -> Iterator[Path]:
    if document.path is None:
        return
    folder = document.path.resolve().parent
    for statement in document.statements:
        if isinstance(statement, tree.Use) and statement.path.text and "\0" not in statement.path.text:
            try:
                yield (folder / statement.path.text).resolve()
            except (OSError, RuntimeError, ValueError):
                continue
