"""Packs: many short questions on one image's tokens, which is what makes training on two cores possible.

A pack is symbolic: what is in every cell, and questions with answers as token ids. The same pack trains the language
model on oracle tokens (`read`) and, drawn, the whole model on pixels (`join`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from eosdsl.tasks.base import Asked, Difficulty, Family
from eosdsl.tasks.families.attr import Attr
from eosdsl.tasks.families.chart import Chart, chart_scene
from eosdsl.tasks.families.compare import Compare
from eosdsl.tasks.families.count import Count
from eosdsl.tasks.families.diagram import Diagram, diagram_scene
from eosdsl.tasks.families.exist import Exist
from eosdsl.tasks.families.multi import Multi
from eosdsl.tasks.families.needle import Needle, needle_scene
from eosdsl.tasks.families.ocr import Ocr, text_scene
from eosdsl.tasks.families.photo import Photo, photo_scene
from eosdsl.tasks.families.position import Position
from eosdsl.tasks.families.prior import Prior
from eosdsl.tasks.families.relation import Relation
from eosdsl.tasks.objects import object_scene
from eosdsl.tasks.scene import Scene
from eosdsl.tasks.words import phrase

_EXIST, _ATTR, _RELATION, _COUNT, _COMPARE, _POSITION = Exist(), Attr(), Relation(), Count(), Compare(), Position()
_OCR, _CHART, _NEEDLE, _PHOTO, _PRIOR, _MULTI = Ocr(), Chart(), Needle(), Photo(), Prior(), Multi()
_DIAGRAM = Diagram()


_TRIES = 6
"""Large numbers are rare, and are looked for."""


@dataclass(frozen=True, slots=True)
class Question:
    """A phrased question of a pack."""

    family: str
    text: str
    answer: str


@dataclass(frozen=True, slots=True)
class Pack:
    """One or two scenes and the questions on them."""

    scenes: tuple[Scene, ...]
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class PackKind:
    """Packs of one sort: how many a step, how many questions each, cells kept in `read`, families asked."""

    name: str
    packs: int
    questions: int
    cells: int
    families: Mapping[Family, float]


_FIRST: Mapping[Family, float] = {_ATTR: 3, _EXIST: 1}
_LOOKUPS: Mapping[Family, float] = {_ATTR: 2, _EXIST: 3, _POSITION: 4, _COUNT: 2, _RELATION: 3}
_ALL: Mapping[Family, float] = {_EXIST: 3, _ATTR: 3, _RELATION: 5, _COUNT: 9, _COMPARE: 3, _POSITION: 2}
LEVELS: tuple[tuple[PackKind, ...], ...] = (
    (
        PackKind("objects", 6, 16, 24, _FIRST),
        PackKind("needle", 10, 3, 16, {_NEEDLE: 1}),
        PackKind("photo", 2, 1, 8, {_PHOTO: 1}),
    ),
    (
        PackKind("objects", 4, 24, 30, _LOOKUPS),
        PackKind("prior", 1, 4, 12, {_PRIOR: 1}),
        PackKind("text", 6, 4, 30, {_OCR: 1}),
        PackKind("chart", 3, 7, 46, {_CHART: 1}),
        PackKind("needle", 3, 3, 20, {_NEEDLE: 1}),
        PackKind("photo", 2, 1, 16, {_PHOTO: 1}),
        PackKind("multi", 4, 16, 24, {_MULTI: 1}),
    ),
    (
        PackKind("objects", 3, 24, 44, _ALL),
        PackKind("prior", 1, 4, 12, {_PRIOR: 1}),
        PackKind("text", 9, 4, 40, {_OCR: 1}),
        PackKind("chart", 1, 7, 46, {_CHART: 1}),
        PackKind("needle", 1, 3, 30, {_NEEDLE: 1}),
        PackKind("photo", 1, 1, 24, {_PHOTO: 1}),
        PackKind("multi", 3, 16, 32, {_MULTI: 1}),
    ),
    (
        PackKind("objects", 3, 28, 144, _ALL),
        PackKind("prior", 3, 4, 36, {_PRIOR: 1}),
        PackKind("text", 6, 4, 100, {_OCR: 1}),
        PackKind("chart", 2, 7, 144, {_CHART: 1}),
        PackKind("needle", 2, 3, 144, {_NEEDLE: 1}),
        PackKind("photo", 1, 1, 144, {_PHOTO: 1}),
        PackKind("multi", 1, 18, 144, {_MULTI: 1}),
    ),
)
"""What a step holds: first one kind of lookup, then all of them in small scenes, then everything on part of the cells,
then on all of them. A skill that is not there yet only makes noise for one that is about to emerge."""
DIFFICULTIES = (Difficulty(objects=(1, 3)), Difficulty(objects=(1, 4), length=(1, 2)), Difficulty(), Difficulty())
TEMPLATES = ("short", "short", "short", "train")
EVERYTHING: tuple[PackKind, ...] = (*LEVELS[-1], PackKind("diagram", 2, 6, 144, {_DIAGRAM: 1}))
"""What a step holds once there are all layers: diagrams too, which ask for two things side by side."""
FAMILIES: tuple[str, ...] = tuple(dict.fromkeys(family.name for kind in EVERYTHING for family in kind.families))


def make_pack(kind: PackKind, rng: Random, difficulty: Difficulty, split: str = "train") -> Pack:
    """A pack of `kind`: its scenes, and as many questions as it has room for."""
    while True:
        scenes = make_scenes(kind.name, rng, difficulty)
        questions = _questions(kind, scenes, rng, split)
        if questions is not None:
            return Pack(scenes, questions)


def make_scenes(name: str, rng: Random, difficulty: Difficulty) -> tuple[Scene, ...]:
    """The scenes of a sort of pack."""
    if name == "text":
        return (text_scene(rng, difficulty),)
    if name == "chart":
        return (chart_scene(rng),)
    if name == "diagram":
        return (diagram_scene(rng, difficulty),)
    if name == "needle":
        return (needle_scene(rng, difficulty),)
    if name == "photo":
        return (photo_scene(rng, "picture" if rng.random() < 0.5 else "face", None),)
    if name == "multi":
        return object_scene(rng, difficulty), object_scene(rng, difficulty)
    # half of them are built towards a count, so that every number occurs
    if rng.random() < 0.5:
        return _COUNT.scenes(rng, difficulty, "count", str(rng.randint(1, difficulty.objects[1])))
    return (object_scene(rng, difficulty),)


def _questions(kind: PackKind, scenes: tuple[Scene, ...], rng: Random, split: str) -> tuple[Question, ...] | None:
    families, weights = list(kind.families), list(kind.families.values())
    asked: list[Question] = []
    for _ in range(kind.questions * 5):
        family = rng.choices(families, weights)[0]
        question = _ask(family, scenes, rng)
        if question is None:
            continue
        text, _template = phrase(family.cores[question.kind], split, question.slots, rng)
        asked.append(Question(family.name, text, question.answer))
        if len(asked) == kind.questions:
            return tuple(asked)
    return None


def _ask(family: Family, scenes: tuple[Scene, ...], rng: Random) -> Asked | None:
    """Ask for a wanted answer where there are few, which balances; None where the scene has none such."""
    question_kind = rng.choice(list(family.answers))
    wanted = family.answers[question_kind]
    if family.name in ("ocr", "photo", "needle", "position", "diagram"):
        return family.ask(scenes, rng, question_kind, None)
    want = rng.choice(wanted)
    for _ in range(_TRIES if family.name == "count" else 1):
        asked = family.ask(scenes, rng, question_kind, want)
        if asked is not None:
            return asked
    return None
