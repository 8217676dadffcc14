"""The words of questions and answers, and the templates that put them.

A question is lead + core + tail. A split owns some combinations of the three: its templates are its own, while every
word and every part is met in training, so that a small model can be asked in a way it has not seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from random import Random

from eosdsl.tasks.scene import COLORS, DIGITS, LETTERS, PICTURES, SHAPES

LEADS = ("", "look :", "tell me :")
TAILS = ("?", "here ?", "please ?")

_PLURALS = ("circles", "squares", "triangles", "crosses", "rings", "stars", "objects")
# fmt: off
_QUESTION_WORDS = (
    "is", "there", "a", "the", "do", "you", "see", "what", "color", "shape", "of", "object", "has", "how", "many",
    "number", "are", "more", "than", "where", "place", "word", "does", "say", "which", "bar", "bars", "highest",
    "lowest", "value", "high", "digit", "this", "picture", "show", "face", "and", "in", "image", "images", "or",
    "left", "right", "above", "below", "look", "tell", "me", "here", "please", "yes", "no",
    ",", "?", ":", ".", "not", "an", "it",
)
# fmt: on
VOCABULARY: tuple[str, ...] = tuple(
    dict.fromkeys([*DIGITS, *COLORS, *SHAPES, *_PLURALS, *PICTURES, *_QUESTION_WORDS, *LETTERS, "user", "assistant"])
)
"""Every word, in the order of the tokenizer's ids after its special tokens."""


@cache
def templates(cores: int, split: str) -> tuple[tuple[int, int, int], ...]:
    """The (lead, core, tail) combinations of a split: two thirds to training, the rest shared by the other two.

    `short` is the plainest of training's templates alone, with which training begins."""
    if split == "short":
        return ((0, 0, 0),)
    found: list[tuple[int, int, int]] = []
    for lead in range(len(LEADS)):
        for core in range(cores):
            for tail in range(len(TAILS)):
                if _owner(lead, core, tail) == split:
                    found.append((lead, core, tail))
    return tuple(found)


def _owner(lead: int, core: int, tail: int) -> str:
    if (lead + core + tail) % 3 != 2:
        return "train"
    return "validation" if core % 2 == 0 else "test"


def phrase(cores: Sequence[str], split: str, slots: Mapping[str, str], rng: Random) -> tuple[str, str]:
    """A question and the template it was made from."""
    lead, core, tail = rng.choice(templates(len(cores), split))
    template = " ".join(part for part in (LEADS[lead], cores[core], TAILS[tail]) if part)
    return template.format(**slots), template
