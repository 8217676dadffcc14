"""The contract of a task family: seeded, unlimited examples, short answers scored exactly.

A family says how to make scenes (`scenes`) and how to ask about them (`ask`); drawing, phrasing, splitting and
balancing are common. Splits share no seed, no question template and no glyph exemplar.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from eosdsl.diagnostics import SpecError, error
from eosdsl.tasks.scene import GRID, Scene
from eosdsl.tasks.words import phrase

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
Image = NDArray[np.uint8]
"""[height, width, 3]."""
Choices = Mapping[str, tuple[str, ...]]
"""Per kind of question some strings."""

_ATTEMPTS = 400
"""Scenes drawn for one wanted answer before giving up; families build towards the answer, so a few suffice."""


@dataclass(frozen=True, slots=True)
class Difficulty:
    """What makes a family harder. `objects` per scene, `small`: share of one-cell objects, `clutter`: share of blocks
    with grey distractors, `contrast`: of the drawing against its background, `length` of texts in glyphs, `images`:
    of a family that compares several, `canvas`: cells a side of the image that a needle lies in."""

    objects: tuple[int, int] = (2, 8)
    small: float = 0.5
    clutter: float = 0.0
    contrast: float = 1.0
    length: tuple[int, int] = (2, 3)
    images: int = 2
    canvas: int = GRID


EASY = Difficulty(objects=(2, 4), small=0.0)
MEDIUM = Difficulty()
HARD = Difficulty(objects=(6, 12), small=1.0, clutter=0.3, contrast=0.6, length=(3, 4), images=3)
LEVELS: Mapping[str, Difficulty] = {"easy": EASY, "medium": MEDIUM, "hard": HARD}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question before it is phrased: its kind, the words that fill the template, the answer."""

    kind: str
    slots: Mapping[str, str]
    answer: str
    notes: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Example:
    """One question on zero or more images. `meta` holds the scenes and what was asked: the answer follows."""

    images: tuple[Image, ...]
    question: str
    answer: str
    family: str
    split: str
    difficulty: Difficulty
    meta: Mapping[str, Any]


class Family(ABC):
    """One task family. Subclasses are stateless; everything random comes from the `Random` handed in."""

    name: ClassVar[str]
    mirrors: ClassVar[str]
    """The public benchmark whose question it asks in small."""
    breaks: ClassVar[str]
    """What token reduction has to lose for this family to suffer."""
    needs_image: ClassVar[bool] = True
    images: ClassVar[int] = 1
    """Of a question, at medium difficulty."""
    in_all: ClassVar[bool] = True
    """Whether `all` stands for it too. A family that the small models were not trained on is asked for by its name."""
    answers: ClassVar[Choices]
    """Per kind of question the possible answers, all equally frequent; empty where they are too many to list."""
    cores: ClassVar[Choices]
    """Per kind of question two ways of putting it, with slots in braces."""

    @abstractmethod
    def scenes(self, rng: Random, difficulty: Difficulty, kind: str, want: str | None) -> tuple[Scene, ...]:
        """Scenes on which a question of `kind` with the answer `want` is likely possible."""

    @abstractmethod
    def ask(self, scenes: tuple[Scene, ...], rng: Random, kind: str, want: str | None) -> Asked | None:
        """A question of `kind` on these scenes whose answer is `want` (any if None), or None where there is none."""

    def generate(self, split: Split, seed: int, n: int, difficulty: Difficulty = MEDIUM) -> Iterator[Example]:
        """`n` examples; the same arguments give the same examples, and a longer run begins with the shorter one."""
        for index in range(n):
            yield self.example(split, seed, index, difficulty)

    def example(self, split: Split, seed: int, index: int, difficulty: Difficulty = MEDIUM) -> Example:
        """The example number `index` of a split, by itself. Kinds and answers take turns, which balances both."""
        from eosdsl.tasks.render import draw

        rng = Random(f"{split}/{self.name}/{seed}/{index}")
        scenes, asked = self.situation(rng, difficulty, index)
        question, template = phrase(self.cores[asked.kind], split, asked.slots, rng)
        meta = {
            "scenes": [scene.as_meta() for scene in scenes],
            "kind": asked.kind,
            "slots": dict(asked.slots),
            "template": template,
            "seed": seed,
            "index": index,
            **asked.notes,
        }
        images = tuple(draw(scene, split, rng, difficulty.contrast) for scene in scenes)
        return Example(images, question, asked.answer, self.name, split, difficulty, meta)

    def choices(self, difficulty: Difficulty) -> Choices:
        """`answers`, where they depend on the difficulty."""
        return self.answers

    def situation(self, rng: Random, difficulty: Difficulty, index: int) -> tuple[tuple[Scene, ...], Asked]:
        """Scenes and a question on them, of the kind and with the answer whose turn it is.

        Raises:
            SpecError: E0679 where there is none at this difficulty.
        """
        choices = self.choices(difficulty)
        kinds = tuple(choices)
        kind = kinds[index % len(kinds)]
        wanted = choices[kind]
        want = wanted[(index // len(kinds)) % len(wanted)] if wanted else None
        for _ in range(_ATTEMPTS):
            scenes = self.scenes(rng, difficulty, kind, want)
            asked = self.ask(scenes, rng, kind, want)
            if asked is not None:
                return scenes, asked
        said = f"`{self.name}` finds no image whose answer is `{want}` at this difficulty, in {_ATTEMPTS} attempts"
        raise SpecError([error("E0679", said, helps=("allow more `objects`",))])

    def chance(self, difficulty: Difficulty = MEDIUM) -> float:
        """Accuracy of guessing among the possible answers, mean over kinds of question."""
        shares = [1 / len(answers) if answers else 0.0 for answers in self.choices(difficulty).values()]
        return sum(shares) / len(shares)


def normalise(answer: str) -> str:
    """The form in which answers are compared: lower case, one space between words, no full stop."""
    return " ".join(answer.lower().replace(".", " ").split())


def correct(given: str, answer: str) -> bool:
    """Exact match after `normalise`."""
    return normalise(given) == normalise(answer)
