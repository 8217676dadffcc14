"""Your own questions: JSON lines of `{image, question, answer}` or of LLaVA-style conversations.

Whatever is wrong with a line is named with file and line. Bad lines stop the reading unless they are to be skipped;
then they are counted and handed back, never silently lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from eosdsl.diagnostics import Diagnostic, Severity, SpecError, error
from eosdsl.reading import os_error_diagnostic
from eosdsl.source import Span
from eosdsl.tasks.base import MEDIUM, Example, Image

_PLACEHOLDER = "<image>"
_SHOWN = 20
"""At most so many bad lines are spelled out; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a file held: the examples, and a diagnostic for every line that was skipped."""

    examples: tuple[Example, ...]
    skipped: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class Reader:
    """How a file is read. `images`: the folder that image paths count from, by default that of the file.
    `can_write`: whether the model's tokenizer can write an answer."""

    path: Path
    images: Path | None = None
    can_write: Callable[[str], bool] | None = None

    def lines(self) -> Iterator[Example | Diagnostic]:
        """Lazily, line by line: one example per question of a good line, one diagnostic for a bad line.

        Raises:
            SpecError: E060x where the file itself cannot be read.
        """
        start = 0
        try:
            with self.path.open("rb") as file:
                for number, raw in enumerate(file, start=1):
                    if raw.strip():
                        yield from self._line(raw, number, start)
                    # a byte order mark is no character of the text that messages point into
                    start += len(raw.decode("utf-8" if number > 1 else "utf-8-sig", "replace"))
        except OSError as problem:
            raise SpecError([os_error_diagnostic(problem, self.path)]) from problem

    def _line(self, raw: bytes, number: int, start: int) -> Iterator[Example | Diagnostic]:
        try:
            record = _parsed(raw)
            turns = questions_of(record, self.can_write)
            folder = self.images or self.path.parent
            images = tuple(image_array(folder / name) for name in _image_names(record))
        except BadLine as problem:
            yield self._diagnostic(problem, number, start)
            return
        for turn, (question, answer) in enumerate(turns):
            meta = {"line": number, "turn": turn, "before": turns[:turn], "id": record.get("id")}
            yield Example(images, question, answer, self.path.stem, "test", MEDIUM, meta)

    def _diagnostic(self, problem: BadLine, number: int, start: int) -> Diagnostic:
        """`start`: characters of the file before the line."""
        column = problem.column
        span = Span(start + column - 1, start + column, number, column, number, column + 1, str(self.path))
        helps = () if problem.remedy is None else (problem.remedy,)
        return error(problem.code, f"{self.path}:{number}: {problem.reason}", span, helps=helps)


def load_jsonl(
    path: Path | str,
    *,
    skip_bad: bool = False,
    images: Path | str | None = None,
    can_write: Callable[[str], bool] | None = None,
) -> Loaded:
    """All examples of a file, checked before the first is used.

    Raises:
        SpecError: every bad line (E0661 to E0664; with `skip_bad` they are handed back instead), E0665 where nothing
            is left, E060x where the file cannot be read.
    """
    reader = Reader(Path(path), Path(images) if images is not None else None, can_write)
    examples: list[Example] = []
    bad: list[Diagnostic] = []
    for found in reader.lines():
        bad.append(found) if isinstance(found, Diagnostic) else examples.append(found)
    return finished(examples, bad, reader.path, skip_bad)


def finished(examples: list[Example], bad: list[Diagnostic], path: Path, skip_bad: bool) -> Loaded:
    """What was read, where that will do. Raises SpecError: the bad lines unless they are to be skipped, E0665."""
    if bad and not skip_bad:
        raise SpecError(_counted(bad, path))
    if not examples:
        raise SpecError([error("E0665", f"{path} holds no example that can be used", notes=_count(bad))])
    return Loaded(tuple(examples), tuple(replace(one, severity=Severity.WARNING) for one in bad))


def questions_of(record: dict[str, Any], can_write: Callable[[str], bool] | None = None) -> list[tuple[str, str]]:
    """Questions and answers of one record in their order. Raises BadLine (E0662, E0664)."""
    turns = _turns(record)
    for _, answer in turns:
        if can_write is not None and not can_write(answer):
            raise BadLine("E0664", f"the tokenizer cannot write the answer {answer!r}")
    return turns


def image_array(path: Path) -> Image:
    """The picture of a file [height, width, 3]. Raises BadLine (E0663)."""
    from eosdsl.run.images import open_image

    try:
        return np.asarray(open_image(path))
    except SpecError as problem:
        raise BadLine("E0663", problem.diagnostics[0].message) from problem


def writable_by(tokenizer: Any) -> Callable[[str], bool]:
    """Whether a Hugging Face tokenizer writes a text without its unknown token."""

    def can_write(text: str) -> bool:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        return bool(ids) and tokenizer.unk_token_id not in ids

    return can_write


class BadLine(Exception):
    """Why a line cannot be used."""

    def __init__(self, code: str, reason: str, column: int = 1, remedy: str | None = None) -> None:
        super().__init__(reason)
        self.code, self.reason, self.column, self.remedy = code, reason, column, remedy


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        record = json.loads(raw)
    except UnicodeDecodeError as problem:
        raise BadLine("E0661", "the line is not UTF-8 text", problem.start + 1) from problem
    except json.JSONDecodeError as problem:
        remedy = "a JSON list is turned into lines with: jq -c '.[]'" if raw.lstrip()[:1] == b"[" else None
        raise BadLine("E0661", f"not JSON: {problem.msg}", problem.colno, remedy) from problem
    if not isinstance(record, dict):
        raise BadLine("E0661", f"a JSON object is needed, this is a {type(record).__name__}")
    return record


def _turns(record: dict[str, Any]) -> list[tuple[str, str]]:
    """Questions and answers in their order."""
    if "conversations" in record:
        return _conversation(record["conversations"])
    for key in ("question", "answer"):
        if not isinstance(record.get(key), str) or not record[key].strip():
            there = ", ".join(sorted(map(str, record))) or "none"
            raise BadLine("E0662", f"`{key}` is missing or is not text (keys: {there})")
    return [(_question(record["question"]), record["answer"].strip())]


def _conversation(messages: Any) -> list[tuple[str, str]]:
    if not isinstance(messages, list) or not messages or len(messages) % 2:
        raise BadLine("E0662", "`conversations` needs a list of questions and answers in turns")
    texts: list[str] = []
    for index, message in enumerate(messages):
        speaker = ("human", "gpt")[index % 2]
        if not isinstance(message, dict) or message.get("from") != speaker or not isinstance(message.get("value"), str):
            raise BadLine("E0662", f'message {index + 1} of `conversations` needs {{"from": "{speaker}", "value": …}}')
        texts.append(message["value"])
    return [(_question(q), a.strip()) for q, a in zip(texts[::2], texts[1::2], strict=True)]


def _question(text: str) -> str:
    """The question without the placeholder, which the chat template puts where the model wants it."""
    return text.replace(_PLACEHOLDER, " ").strip()


def _image_names(record: dict[str, Any]) -> list[str]:
    names = record.get("image", record.get("images", record.get("file_name", [])))
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise BadLine("E0662", "`image` needs a path or a list of paths")
    return names


def _counted(bad: list[Diagnostic], path: Path) -> list[Diagnostic]:
    """The first of them; behind the last how many there are, and what can be done."""
    helps = ("--skip-bad leaves them out",)
    if len(bad) > _SHOWN:
        return [*bad[:_SHOWN], error("E0661", f"{path}: {len(bad) - _SHOWN} more bad lines", helps=helps)]
    last, number = bad[-1], f"{len(bad)} bad line{'s' * (len(bad) != 1)} in {path}"
    return [*bad[:-1], replace(last, notes=(*last.notes, number), helps=(*last.helps, *helps))]


def _count(bad: list[Diagnostic]) -> tuple[str, ...]:
    return (f"{len(bad)} bad lines were skipped",) if bad else ()
