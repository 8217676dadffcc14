"""Every family: deterministic, balanced, right by an independent reading, and split without overlap."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from eosdsl.diagnostics import SpecError
from eosdsl.tasks.base import HARD, LEVELS, MEDIUM, SPLITS, Difficulty, Example, Family, correct
from eosdsl.tasks.registry import families, family
from eosdsl.tasks.scene import GRID
from eosdsl.tasks.words import VOCABULARY, templates

sys.path.insert(0, str(Path(__file__).parent))
from reference import answer as reference_answer

_SYMBOLIC = {"attr", "chart", "compare", "count", "diagram", "exist", "multi", "position", "prior", "relation"}
NAMES = sorted(_SYMBOLIC | {"needle", "ocr", "photo"})
every_family = pytest.mark.parametrize("name", NAMES)


def examples(name: str, split: str = "test", n: int = 60, level: Difficulty = MEDIUM) -> list[Example]:
    return list(families()[name].generate(split, 5, n, level))  # pyright: ignore[reportArgumentType] # parametrised


def test_the_families_are_registered() -> None:
    assert list(families()) == NAMES
    assert all(isinstance(one, Family) and one.name == name for name, one in families().items())


def test_unknown_family_is_named_with_a_suggestion() -> None:
    with pytest.raises(SpecError) as caught:
        family("exists")
    assert caught.value.diagnostics[0].code == "E0660"
    assert "did you mean `exist`?" in caught.value.diagnostics[0].helps


@every_family
@pytest.mark.parametrize("level", LEVELS)
def test_answers_agree_with_an_independent_reading(name: str, level: str) -> None:
    for example in examples(name, n=40, level=LEVELS[level]):
        assert reference_answer(example.question, example.meta["scenes"]) == example.answer, example.question


@every_family
def test_same_seed_same_examples_and_prefixes_agree(name: str) -> None:
    long, short = examples(name, n=12), examples(name, n=5)
    for a, b in zip(long, short, strict=False):
        assert (a.question, a.answer, a.meta) == (b.question, b.answer, b.meta)
        assert all(np.array_equal(x, y) for x, y in zip(a.images, b.images, strict=True))
    other = list(families()[name].generate("test", 6, 12))
    assert [example.meta["scenes"] for example in other] != [example.meta["scenes"] for example in long]


@every_family
def test_splits_share_no_template_and_no_image_whatever_the_seeds(name: str) -> None:
    """Twenty seeds a split, the same numbers for all splits: what is met in one is met in no other."""
    met: dict[str, tuple[set[str], set[bytes]]] = {}
    for split in SPLITS:
        asked = [one for seed in range(20) for one in families()[name].generate(split, seed, 8)]
        templates_met = {one.meta["template"] for one in asked}
        met[split] = templates_met, {image.tobytes() for one in asked for image in one.images}
        if families()[name].needs_image and name != "photo":  # of a photograph there are so many crops only
            assert len(met[split][1]) == sum(len(one.images) for one in asked), "an image came twice"
    for a, b in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert not met[a][0] & met[b][0]
        assert not met[a][1] & met[b][1]


@every_family
def test_answers_are_balanced_within_a_kind_of_question(name: str) -> None:
    asked: dict[str, Counter[str]] = defaultdict(Counter)
    one = families()[name]
    kinds = len(one.answers)
    rounds = max(len(answers) for answers in one.answers.values()) or 1
    for example in islice(one.generate("validation", 1, kinds * rounds), None):
        asked[example.meta["kind"]][example.answer] += 1
    for kind, answers in one.answers.items():
        if answers:
            counts = [asked[kind][answer] for answer in answers]
            assert max(counts) - min(counts) <= 1, (kind, asked[kind])


@every_family
def test_images_fit_the_model_and_words_the_vocabulary(name: str) -> None:
    for split in SPLITS:
        for example in examples(name, split, 12, HARD):
            assert len(example.images) == (3 if name == "multi" else families()[name].images)
            assert all(image.shape == (96, 96, 3) and image.dtype == np.uint8 for image in example.images)
            assert set(f"{example.question} {example.answer}".split()) <= set(VOCABULARY)


@every_family
def test_chance_is_the_share_of_a_guess(name: str) -> None:
    known = {"exist": 1 / 2, "attr": (1 / 7 + 1 / 6) / 2, "relation": 1 / 2, "count": 1 / 9, "compare": 1 / 2}
    known |= {"position": 1 / 36, "ocr": 0, "chart": (1 / 7 + 1 / 7 + 1 / 9) / 3, "needle": 1 / 10}
    known |= {"photo": (1 / 8 + 1 / 2) / 2, "prior": 1 / 7, "multi": 1 / 2, "diagram": 1 / 12}
    assert families()[name].chance() == pytest.approx(known[name])


@pytest.mark.parametrize("name", ["exist", "relation", "ocr", "needle", "diagram"])
def test_things_stay_inside_the_image_and_apart(name: str) -> None:
    for example in examples(name, n=40, level=HARD):
        for items in example.meta["scenes"]:
            taken = np.zeros((GRID, GRID), int)
            for item in items:
                assert item["row"] + item["height"] <= GRID
                assert item["col"] + item["width"] <= GRID
                taken[item["row"] : item["row"] + item["height"], item["col"] : item["col"] + item["width"]] += 1
            assert taken.max() <= 1


def test_negatives_of_existence_come_in_three_sorts() -> None:
    negatives = [one for one in examples("exist", n=240) if one.answer == "no"]
    modes = Counter(one.meta["negative"] for one in negatives)
    assert set(modes) == {"random", "popular", "adversarial"}
    for one in negatives:
        if one.meta["negative"] == "adversarial":
            words = one.meta["slots"]["thing"].split()
            there = {item[key] for item in one.meta["scenes"][0] for key in ("kind", "color")}
            assert any(word in there for word in words), one.question


def test_difficulty_is_seen_in_the_scenes() -> None:
    def size(level: str) -> float:
        items = [item for one in examples("exist", n=40, level=LEVELS[level]) for item in one.meta["scenes"][0]]
        return sum(item["height"] for item in items if item["color"] != "gray") / len(items)

    def grey(level: str) -> int:
        scenes = [one.meta["scenes"][0] for one in examples("exist", n=40, level=LEVELS[level])]
        return sum(item["color"] == "gray" for items in scenes for item in items)

    assert size("easy") > size("medium") > size("hard")
    assert grey("hard") > grey("easy") == 0


def test_several_images_are_as_many_as_asked_for() -> None:
    one = families()["multi"]
    asked = list(one.generate("test", 0, 12, replace(MEDIUM, images=4)))
    assert {len(example.images) for example in asked} == {4}
    assert {example.answer for example in asked} == {"1", "2", "3", "4"}
    assert any("in image 1 , 2 , 3 or 4" in example.question for example in asked)
    assert all(reference_answer(example.question, example.meta["scenes"]) == example.answer for example in asked)
    assert one.chance(replace(MEDIUM, images=4)) == 1 / 4


def test_a_needle_lies_in_as_large_an_image_as_asked_for() -> None:
    for example in families()["needle"].generate("test", 0, 6, replace(MEDIUM, canvas=48, clutter=0.6)):
        assert example.images[0].shape == (384, 384, 3)
        (items,) = example.meta["scenes"]
        assert max(item["row"] for item in items) >= 24, "only a corner is used"
        assert sum(item["color"] == "gray" for item in items) == round(0.6 * 24 * 24)
        assert reference_answer(example.question, [items]) == example.answer


def test_what_cannot_be_asked_at_a_difficulty_is_said() -> None:
    with pytest.raises(SpecError) as caught:
        list(families()["exist"].generate("test", 0, 4, replace(MEDIUM, objects=(0, 0))))
    assert caught.value.diagnostics[0].code == "E0679"


def test_templates_of_two_cores_are_all_owned_by_one_split() -> None:
    owned = [template for split in SPLITS for template in templates(2, split)]
    assert len(owned) == len(set(owned)) == 18
    assert len(templates(2, "train")) == 12
    assert set(templates(2, "short")) <= set(templates(2, "train"))


def test_scoring_is_exact_but_for_case_and_spaces() -> None:
    assert correct(" Yes. ", "yes")
    assert correct("4  7 1", "4 7 1")
    assert not correct("4 7", "4 7 1")
    assert not correct("no", "yes")
