"""An independent reading of questions: words in, answer out, from `meta` alone. Shares no code with the families."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Item = Mapping[str, Any]

_COLORS = ("red", "green", "blue", "yellow", "purple", "cyan", "white")
_SHAPES = ("circle", "square", "triangle", "cross", "ring", "star")
_NOUN = "|".join((*_SHAPES, "object"))
_THING = rf"((?:(?:{'|'.join(_COLORS)}) )?(?:{_NOUN})(?:es|s)?)"


def answer(question: str, scenes: Sequence[Sequence[Item]]) -> str:
    """The answer to a question in plain words."""
    for pattern, read in _READINGS:
        found = re.search(pattern, question)
        if found:
            return read(scenes, *(words.strip() for words in found.groups()))
    raise AssertionError(f"the reference cannot read: {question}")


def _count(items: Sequence[Item], words: str) -> int:
    color, kind = _description(words)
    visible = [item for item in items if item["color"] != "gray"]
    return sum(color in (None, item["color"]) and kind in (None, item["kind"]) for item in visible)


def _one(items: Sequence[Item], words: str) -> Item:
    color, kind = _description(words)
    found = [item for item in items if color in (None, item["color"]) and kind in (None, item["kind"])]
    found = [item for item in found if item["color"] != "gray"]
    assert len(found) == 1, f"{words} describes {len(found)} things"
    return found[0]


def _description(words: str) -> tuple[str | None, str | None]:
    color = next((word for word in words.split() if word in _COLORS), None)
    noun = words.split()[-1]
    noun = noun if noun in (*_SHAPES, "object") else re.sub("(es|s)$", "", noun) if noun == "crosses" else noun[:-1]
    return color, None if noun == "object" else noun


def _yes(truth: bool) -> str:
    return "yes" if truth else "no"


def _centre(item: Item) -> tuple[float, float]:
    return item["row"] + item["height"] / 2, item["col"] + item["width"] / 2


def _relation(scenes: Sequence[Sequence[Item]], a: str, way: str, b: str) -> str:
    (row_a, col_a), (row_b, col_b) = _centre(_one(scenes[0], a)), _centre(_one(scenes[0], b))
    truth = {"left of": col_a < col_b, "right of": col_a > col_b, "above": row_a < row_b, "below": row_a > row_b}
    return _yes(truth[way])


def _where(scenes: Sequence[Sequence[Item]], words: str) -> str:
    row, col = _centre(_one(scenes[0], words))
    return f"{int(row // 2) + 1} {int(col // 2) + 1}"


def _extreme(scenes: Sequence[Sequence[Item]], which: str) -> str:
    ends = max if which == "highest" else min
    height = ends(item["height"] for item in scenes[0])
    (bar,) = [item for item in scenes[0] if item["height"] == height]
    return bar["color"]


def _value(scenes: Sequence[Sequence[Item]], color: str) -> str:
    return str(_one_of(scenes[0], "bar", color)["height"])


def _one_of(items: Sequence[Item], kind: str, color: str) -> Item:
    (found,) = [item for item in items if item["kind"] == kind and item["color"] == color]
    return found


def _read(scenes: Sequence[Sequence[Item]], color: str) -> str:
    glyphs = [item for item in scenes[0] if item["color"] == color]
    return " ".join(item["kind"] for item in sorted(glyphs, key=lambda item: item["col"]))


def _digit(scenes: Sequence[Sequence[Item]], color: str) -> str:
    (item,) = [item for item in scenes[0] if item["color"] == color]
    return item["kind"]


def _label(scenes: Sequence[Sequence[Item]], words: str) -> str:
    color, kind = _description(words)
    parts = [item for item in scenes[0] if item["kind"] in _SHAPES and item["color"] != "gray"]
    (part,) = [item for item in parts if color in (None, item["color"]) and kind in (None, item["kind"])]
    (label,) = [item for item in scenes[0] if _at(item) == (part["row"], part["col"] + part["width"])]
    return label["kind"]


def _part(scenes: Sequence[Sequence[Item]], letter: str) -> str:
    (label,) = [item for item in scenes[0] if item["kind"] == letter and item["color"] != "gray"]
    (part,) = [item for item in scenes[0] if (item["row"], item["col"] + item["width"]) == _at(label)]
    return part["kind"]


def _at(item: Item) -> tuple[int, int]:
    return item["row"], item["col"]


def _which(scenes: Sequence[Sequence[Item]], words: str) -> str:
    (index,) = [index for index, items in enumerate(scenes) if _count(items, words)]
    return str(index + 1)


def _more(scenes: Sequence[Sequence[Item]], words: str) -> str:
    numbers = [_count(items, words) for items in scenes]
    assert numbers.count(max(numbers)) == 1
    return str(numbers.index(max(numbers)) + 1)


_READINGS: tuple[tuple[str, Callable[..., str]], ...] = (
    (r"the (\w+) is (\w+) and the (\w+) is (\w+) , what color is the (\w+)",
     lambda s, a, color, b, other, asked: color if asked == a else other),
    (rf"(?:which image has more|are there more) {_THING} (?:in image|here|please|\?)", _more),
    (rf"(?:which image has a|is the) {_THING} (?:in image|here|please|\?)", _which),
    (rf"more {_THING} than {_THING} (?:here|please|\?)",
     lambda s, a, b: _yes(_count(s[0], a) > _count(s[0], b))),
    (rf"the {_THING} (left of|right of|above|below) the {_THING} (?:here|please|\?)", _relation),
    (r"(?:is there|see) a face", lambda s: _yes(s[0][0]["kind"] == "face")),
    (rf"(?:is there|see) a {_THING} (?:here|please|\?)", lambda s, words: _yes(_count(s[0], words) > 0)),
    (rf"(?:how many|number of) {_THING} (?:are|here|please|\?)", lambda s, words: str(_count(s[0], words))),
    (rf"(?:where is|place of) the {_THING} (?:here|please|\?)", _where),
    (rf"(?:which word has|word of) the {_THING} (?:here|please|\?)", _label),
    (r"object has the word (\w)", _part),
    (r"(highest|lowest)", _extreme),
    (r"(?:value of the|how high is the) (\w+) bar", _value),
    (r"(?:is|does) the (\w+) (?:number|word)", _read),
    (r"what digit is (\w+)", _digit),
    (r"what is the (\w+) digit", _digit),
    (rf"(?:what color is|color of) the {_THING} (?:here|please|\?)", lambda s, words: _one(s[0], words)["color"]),
    (rf"(?:what shape is|shape of) the {_THING} (?:here|please|\?)", lambda s, words: _one(s[0], words)["kind"]),
    (r"picture", lambda s: s[0][0]["kind"]),
)  # fmt: skip
