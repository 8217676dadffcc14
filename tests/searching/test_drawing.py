"""Pictures of reports: what is written stays inside its panel, apart from its neighbours, and has its colour."""

from __future__ import annotations

from itertools import pairwise

import pytest

from eosdsl.searching.drawing import COLOURS, Curve, Panel, Words, plot, svg, ticks, wrapped


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.002, 0.4589), (-0.47, 0.74), (1, 600), (89.25, 89.5)])
def test_ticks_are_round_and_within(low: float, high: float) -> None:
    found = ticks(low, high)
    assert 2 <= len(found) <= 9 and low - 1e-9 <= found[0] and found[-1] <= high + 1e-9
    assert all(len(f"{one:.4g}") <= 7 for one in found)


def words(panel: Panel) -> list[Words]:
    return [mark for mark in panel.marks if isinstance(mark, Words)]


@pytest.mark.parametrize("ends", [[0.0] * 12, [1.0] * 12, [0.5] * 3, [0.0, 0.0, 1.0, 1.0, 0.01]])
def test_names_of_curves_neither_leave_the_panel_nor_cover_each_other(ends: list[float]) -> None:
    panel = plot(
        "gates", [Curve(f"layer {n}", [1, 2], [0.3, end]) for n, end in enumerate(ends)], across="step", least=0
    )
    names = [one for one in words(panel) if one.text.startswith("layer")]
    assert len(names) == len(ends) and {one.colour for one in names} <= set(COLOURS)
    heights = sorted(one.at[1] for one in names)
    assert all(later - before > 12.9 for before, later in pairwise(heights))
    assert all(10 < one.at[1] < panel.height and one.at[0] < panel.width - 60 for one in words(panel))


@pytest.mark.parametrize("curve", [Curve("flat", [1, 2], [3, 3]), Curve("one", [5], [2]), Curve("zero", [0], [0])])
def test_what_has_no_extent_is_drawn_in_the_middle(curve: Curve) -> None:
    panel = plot("flat", [curve])
    upwards = [one.text for one in words(panel) if one.at[0] == 6]
    assert len(upwards) > 1 and len(set(upwards)) == len(upwards)


def test_nothing_to_draw_is_no_panel() -> None:
    assert not plot("empty", []).marks and not plot("empty", [Curve("nan", [1], [float("nan")])]).marks


def test_colours_of_words_stand_where_no_other_style_of_a_page_reaches() -> None:
    panel = Panel("t", marks=[Words((1, 2), "a < b", "#4c78a8")])
    assert "fill: #4c78a8" in svg(panel) and "a &lt; b" in svg(panel)


def test_long_lists_are_broken_at_spaces() -> None:
    lines = wrapped("aim, diffrate, evit, holitom, mustdrop, pact, prumerge", 100, 9)
    assert len(lines) > 2 and all(len(line) * 9 * 0.52 <= 100 for line in lines)
    assert " ".join(lines) == "aim, diffrate, evit, holitom, mustdrop, pact, prumerge"
