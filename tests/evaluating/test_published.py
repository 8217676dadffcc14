"""Cited points, and the front of one's own, by hand."""

from __future__ import annotations

import csv
import re
from itertools import pairwise

import pytest

from eosdsl.evaluating.pareto import BOTTOM, HEIGHT, TOP, Spot, _names, front  # pyright: ignore[reportPrivateUsage]
from eosdsl.evaluating.published import NAMES, TABLE, published
from eosdsl.resources import resource


def test_a_source_that_prints_points_is_taken_relative_to_its_own_full_model() -> None:
    """EADP averages raw scores: FastV has 59.1 at 128 where the full model has 64.9; RESTORE prints 91.8%."""
    fastv = {one.source.split()[0]: one.relative for one in published() if (one.method, one.tokens) == ("FastV", 128)}
    assert fastv["EADP"] == pytest.approx(59.1 / 64.9)
    assert fastv["RESTORE"] == pytest.approx(0.918)


def test_every_row_names_its_source_and_every_name_is_a_spec() -> None:
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2011
    assert all(row["source"].strip() for row in rows)
    specs = {path.stem for path in (resource("specs") / "methods").glob("*.eos")}
    assert set(NAMES) <= specs
    assert set(NAMES.values()) <= {row["method"] for row in rows}


def test_the_front_is_what_none_beats() -> None:
    def spot(share: float, height: float) -> Spot:
        return Spot(f"{share}/{height}", "m", share, height, "")

    found = [spot(1.0, 1.0), spot(0.25, 0.9), spot(0.25, 0.8), spot(0.5, 0.85), spot(0.1, 0.4)]
    assert [(one.share, one.height) for one in front(found)] == [(0.1, 0.4), (0.25, 0.9), (1.0, 1.0)]


@pytest.mark.parametrize("number", [1, 5, 46])
def test_names_stay_inside_and_apart(number: int) -> None:
    """However many methods there are, and where all of their points lie at the lower edge."""
    drawn = "".join(_names([(HEIGHT - BOTTOM - 3.0, f"method{place}", "#000") for place in range(number)]))
    found = [(float(y), float(size)) for size, y in re.findall(r'font-size:([\d.]+)px" x="\d+" y="([\d.]+)"', drawn)]
    assert len(found) == number
    assert found[0][0] >= TOP and found[-1][0] <= HEIGHT - BOTTOM
    for (above, _), (below, size) in pairwise(found):
        assert below - above >= size - 0.2
