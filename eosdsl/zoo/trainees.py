"""The models that are trained here: their stages, their paces, what their cards say of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from torch import nn

from eosdsl.zoo import tiny_llava, tiny_qwen_vl, train_qwen, train_reader, train_spread, train_stages
from eosdsl.zoo.train_card import About
from eosdsl.zoo.train_loop import Pace, Stage


class Joined(Protocol):
    """The last stage: it has the whole model."""

    model: Any

    def modules(self) -> dict[str, nn.Module]: ...


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is trained. The paces are upper limits: a stage ends sooner once its target is reached."""

    read: Pace
    align: Pace
    join: Pace
    spread: Pace | None = None
    """Between read and join, of models that have it."""
    seed: int = 0
    questions: int = 200
    """Held-out questions a family in the card."""
    notes: tuple[str, ...] = ()
    """What the card has to say of such a training."""

    def rehearsed(self, steps: int) -> Recipe:
        """The same stages in so many steps each: to see that everything runs, not to learn anything."""
        paces = {"read": self.read, "spread": self.spread, "align": self.align, "join": self.join}
        short = {
            name: pace and replace(pace, steps=steps, cool=min(pace.cool, steps // 2)) for name, pace in paces.items()
        }
        note = f"A rehearsal of {steps} step{'s' * (steps != 1)} a stage: these weights have learned next to nothing."
        return replace(self, **short, questions=4, notes=(*self.notes, note))


@dataclass(frozen=True, slots=True)
class Trainee:
    """A model that is trained here."""

    about: About
    recipe: Callable[[int], Recipe]
    read: Callable[[Recipe], Stage]
    align: Callable[[Recipe], Stage]
    join: Callable[[Recipe, Any, Any], Any]
    """From the recipe and the two halves (what reads, what sees): a stage that is `Joined`."""
    processor: Callable[[], Any]
    spread: Callable[[Recipe, Any], Stage] | None = None
    """From the recipe and what `read` learned: a stage that goes on with it."""


def _llava_recipe(seed: int) -> Recipe:
    return Recipe(
        read=Pace(steps=20_000, cool=450, muon=1.2e-2, adam=2e-3),
        align=Pace(steps=4_000, cool=1_500, muon=8e-3, adam=2e-3, decay=0.0),
        join=Pace(steps=330, cool=200, muon=2.5e-3, adam=5e-4),
        spread=Pace(steps=700, cool=350, muon=6e-3, adam=1e-3),
        seed=seed,
    )


def _llava_spread(recipe: Recipe, read: Any) -> Stage:
    assert recipe.spread is not None, "a recipe of tiny-llava has a pace for spread"
    return train_spread.Spread(recipe.seed, recipe.spread, read)


def _qwen_recipe(seed: int) -> Recipe:
    return Recipe(
        read=Pace(steps=160, cool=100, muon=1.5e-3, adam=2e-4),
        align=Pace(steps=1_800, cool=700, muon=8e-3, adam=2e-3, decay=0.0),
        join=Pace(steps=150, cool=100, muon=2.0e-3, adam=4e-4),
        seed=seed,
    )


TRAINEES: Mapping[str, Trainee] = {
    "tiny-llava": Trainee(
        about=About(
            "tiny-llava",
            "tiny_llava",
            "A LLaVA of 2.4 million parameters (144 visual tokens, eight decoder layers, CLIP tower with a CLS token)",
        ),
        recipe=_llava_recipe,
        read=lambda recipe: train_reader.Read(recipe.seed, recipe.read),
        spread=_llava_spread,
        align=lambda recipe: train_stages.Align(recipe.seed, recipe.align),
        join=lambda recipe, spread, align: train_stages.Join(recipe.seed, recipe.join, spread, align),
        processor=tiny_llava.processor,
    ),
    "tiny-qwen-vl": Trainee(
        about=About(
            "tiny-qwen-vl",
            "tiny_qwen_vl",
            "A Qwen2-VL of 2.2 million parameters (no CLS token, any resolution, 144 visual tokens from 96 x 96 "
            "pixels, M-RoPE, nine decoder layers)",
        ),
        recipe=_qwen_recipe,
        read=lambda recipe: train_qwen.Read(recipe.seed, recipe.read),
        align=lambda recipe: train_qwen.Align(recipe.seed, recipe.align),
        join=lambda recipe, read, align: train_qwen.Join(recipe.seed, recipe.join, read, align),
        processor=tiny_qwen_vl.processor,
    ),
}
