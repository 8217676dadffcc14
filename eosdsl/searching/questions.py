"""What a search learns from: task families without end, or the lines of files; and what it is judged by.

A step's questions follow from the seed and the step alone, so that a search that goes on after a crash asks what it
would have asked, and several processes share out one batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from eosdsl.diagnostics import SpecError, error
from eosdsl.tasks.base import MEDIUM, Difficulty, Example, Family, Split
from eosdsl.tasks.jsonl import load_jsonl, writable_by
from eosdsl.tasks.registry import family, standard_families

ALL = "tasks"
_HELD_BACK = 0.1


class Questions(ABC):
    """A numbered stream of questions without end."""

    name: str

    @abstractmethod
    def question(self, index: int) -> Example:
        """The question number `index`, always the same."""

    def batch(self, step: int, size: int) -> list[Example]:
        """Those of a step."""
        return [self.question(index) for index in range(step * size, (step + 1) * size)]


@dataclass(frozen=True)
class FamilyQuestions(Questions):
    """Task families in turns."""

    families: tuple[Family, ...]
    split: Split
    seed: int
    difficulty: Difficulty = MEDIUM

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] # read only in both
        return f"{'+'.join(one.name for one in self.families)} ({self.split})"

    def question(self, index: int) -> Example:
        turn, which = divmod(index, len(self.families))
        return self.families[which].example(self.split, self.seed, turn, self.difficulty)


@dataclass(frozen=True)
class ListedQuestions(Questions):
    """Given questions, shuffled anew every time round."""

    name: str  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues]
    examples: tuple[Example, ...]
    seed: int

    def question(self, index: int) -> Example:
        times, place = divmod(index, len(self.examples))
        order = list(range(len(self.examples)))
        Random(f"{self.seed}/{times}").shuffle(order)
        return self.examples[order[place]]


@dataclass(frozen=True)
class PooledQuestions(Questions):
    """The first `count` of other questions, again and again; each is made once."""

    inner: Questions
    count: int
    _made: dict[int, Example] = field(default_factory=dict[int, Example], repr=False, compare=False)

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] # read only in both
        return f"{self.count} of {self.inner.name}"

    def question(self, index: int) -> Example:
        place = index % self.count
        if place not in self._made:
            self._made[place] = self.inner.question(place)
        return self._made[place]


@dataclass(frozen=True)
class Data:
    """Questions to learn from, and others to derive by."""

    learning: Questions
    validation: Questions

    def pooled(self, count: int) -> Data:
        """With so many questions to learn from, 0: all of them."""
        return replace(self, learning=PooledQuestions(self.learning, count)) if count else self


def read_data(data: str | Path | Sequence[Example] | Data, seed: int, tokenizer: Any = None) -> Data:
    """The data that `--data` names: `tasks`, families (`count,ocr`), JSONL files; or examples, or data themselves.

    Families are asked from their `train` split to learn and from `validation` to derive, never from `test`. Of files
    a tenth is held back.

    Raises:
        SpecError: E0660 for an unknown family, E066x for a bad file, E0678 where there are too few questions.
    """
    if isinstance(data, Data):
        return data
    if not isinstance(data, (str, Path)):
        return _listed("examples", tuple(data), seed)
    parts = [part.strip() for part in str(data).split(",") if part.strip()]
    files = [part for part in parts if part.endswith((".jsonl", ".json")) or Path(part).is_file()]
    if not files:
        chosen = tuple(standard_families().values()) if parts == [ALL] else tuple(family(part) for part in parts)
        if not chosen:
            raise _too_few("no data is named")
        return Data(FamilyQuestions(chosen, "train", seed), FamilyQuestions(chosen, "validation", seed))
    if len(files) < len(parts):
        raise _too_few("files and task families cannot be mixed")
    can_write = writable_by(tokenizer) if tokenizer is not None else None
    examples = [one for file in files for one in load_jsonl(file, can_write=can_write).examples]
    return _listed("+".join(Path(file).name for file in files), tuple(examples), seed)


def _listed(name: str, examples: tuple[Example, ...], seed: int) -> Data:
    if len(examples) < 2:
        raise _too_few(f"{name} holds {len(examples)} questions")
    order = list(examples)
    Random("held back").shuffle(order)
    held = max(1, round(_HELD_BACK * len(order)))
    return Data(
        ListedQuestions(name, tuple(order[held:]), seed), ListedQuestions(f"{name} (held back)", tuple(order[:held]), 0)
    )


def _too_few(message: str) -> SpecError:
    helps = ("--data tasks, --data count,ocr, or --data questions.jsonl",)
    return SpecError([error("E0678", message, helps=helps)])
