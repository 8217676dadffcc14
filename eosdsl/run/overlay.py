"""From what was recorded of a run to the picture of surviving tokens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from eosdsl.diagnostics import SpecError, error
from eosdsl.models.facts import ModelFacts
from eosdsl.passes.sites import site_name
from eosdsl.views.image_view import ImageView, Preparation
from eosdsl.views.overlay import StepView, draw_overlay, stack_sheets

if TYPE_CHECKING:
    from eosdsl.lowering.record import StepRecord


def refuse_overlay(path: Path, facts: ModelFacts) -> None:
    """Raise SpecError where no overlay of this model could be drawn (E0624) or written under this name (E0626)."""
    if path.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        helps = ("end the name in .png, .jpg or .webp",)
        raise SpecError([error("E0626", f"{path}: `{path.suffix}` is not a picture that is written here", helps=helps)])
    if facts.grid is None or facts.encoder is None:
        raise _unplaced(facts)


def overlay(
    images: Sequence[Image.Image],
    names: Sequence[str],
    records: Sequence[StepRecord],
    facts: ModelFacts,
    image_processor: Any,
) -> Image.Image:
    """One sheet with a row of panels for every image of the prompt.

    Raises:
        SpecError: E0624 where tokens cannot be placed on the images.
    """
    sheets: list[Image.Image] = []
    for place, (image, name) in enumerate(zip(images, names, strict=True)):
        view = view_of(image_processor, image, facts)
        steps = [_step(record, place, view, facts) for record in records]
        sheets.append(draw_overlay(image, view, steps, name))
    return stack_sheets(sheets)


def view_of(image_processor: Any, image: Image.Image, facts: ModelFacts) -> ImageView:
    """Where the visual tokens of a model lie on an image. Raises SpecError: E0624 where they lie on no fixed grid."""
    if facts.grid is None or facts.encoder is None:
        raise _unplaced(facts)
    merge = facts.projector.merge if facts.projector else 1
    return Preparation.of(image_processor).view(image.width, image.height, facts.grid, facts.encoder.patch_size * merge)


def _step(record: StepRecord, place: int, view: ImageView, facts: ModelFacts) -> StepView:
    image = record.images[place]
    if image.original != view.tokens:
        raise _unplaced(facts)
    return StepView(site_name(record.site), image.kept, image.sizes)


def _unplaced(facts: ModelFacts) -> SpecError:
    return SpecError(
        [error("E0624", f"the tokens of {facts.name} ({facts.family}) cannot be placed on an image by a fixed grid")]
    )
