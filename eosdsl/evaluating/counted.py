"""Tokens that entered, measured: read from what every reducer left of every image while the model ran."""

from __future__ import annotations

from collections.abc import Sequence

from eosdsl.lowering.record import StepRecord
from eosdsl.models.facts import ModelFacts
from eosdsl.passes.infer_tokens import ImageTokens


def mean_entering(records: Sequence[StepRecord], originals: Sequence[int], facts: ModelFacts) -> list[float]:
    """Per image, the mean over decoder layers of its tokens entering.

    Args:
        records: of one prefill, in the order in which its reducers ran.
        originals: visual tokens of every image before any reduction.
        facts: of the model.
    """
    return [_mean(records, place, original, facts) for place, original in enumerate(originals)]


def _mean(records: Sequence[StepRecord], place: int, original: int, facts: ModelFacts) -> float:
    present = original
    entering: list[int] = []
    waiting = sorted(
        (one for one in records if one.site.stream == "decoder"),
        key=lambda one: (one.site.layer, one.site.after_attention),
    )
    before = [one for one in records if one.site.stream != "decoder"]
    if before:
        image = ImageTokens(original, original * facts.merge_area, facts.merge_area)
        present = image.visual(len(before[-1].images[place].kept))
    for layer in range(facts.decoder.layers):
        present = _after(waiting, layer, False, place, present)
        entering.append(present)
        present = _after(waiting, layer, True, place, present)
    return sum(entering) / len(entering)


def _after(records: Sequence[StepRecord], layer: int, after_attention: bool, place: int, present: int) -> int:
    for record in records:
        if record.site.layer == layer and record.site.after_attention == after_attention:
            return len(record.images[place].kept)
    return present
