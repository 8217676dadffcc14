"""The format of benchmark results, and how their numbers are made of times."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from recording import Bound, Results, options, read, settings, start, write
from timing import Spread, in_turns, quotients, slope, spread


def results(**more: Any) -> Results:
    row = {"case": "one", "seconds": 0.123456789, "ratio": Spread(2.0, 1.5, 2.5, 3), "missing": None}
    return Results("prefill", {"threads": 1, "seed": 0}, [row], [Bound("fast enough", 0.9, "at least", 0.95)], **more)


def test_results_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "prefill.json"
    write(results(), path)
    found = read(path)
    assert (found.name, found.settings, found.bounds) == ("prefill", {"threads": 1, "seed": 0}, results().bounds)
    ratio = {"median": 2.0, "low": 1.5, "high": 2.5, "rounds": 3}
    assert found.rows == [{"case": "one", "seconds": 0.123457, "ratio": ratio, "missing": None}]
    assert {"machine", "processor", "torch", "transformers", "eosdsl", "device"} <= set(found.origin)


def test_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(json.dumps({"rows": []}))
    with pytest.raises(ValueError, match="no results"):
        read(path)


@pytest.mark.parametrize(("way", "met"), [("at least", False), ("at most", True)])
def test_a_bound_is_met_or_not(way: Any, met: bool) -> None:
    assert Bound("what", 0.9, way, 0.95).met is met


def test_settings_are_what_a_run_was_told_but_for_the_place(tmp_path: Path) -> None:
    given = start(options(None, "prefill"), ["--out", str(tmp_path), "--rounds", "2", "--threads", "1"])
    told = settings(given)
    assert "out" not in told
    assert (told["rounds"], told["threads"], told["seed"], told["dtype"]) == (2, 1, 0, "float32")


def test_work_is_done_in_turns_there_and_back_and_warm_rounds_do_not_count() -> None:
    done: list[str] = []
    times = in_turns({"a": lambda: done.append("a"), "b": lambda: done.append("b")}, 2)
    assert done == ["a", "b", "b", "a", "a", "b"]
    assert [len(own) for own in times.values()] == [2, 2]


def test_quotients_are_taken_round_by_round() -> None:
    # the machine was twice as slow in the second round: the quotient does not see it
    assert quotients([2.0, 4.0, 2.0], [1.0, 2.0, 1.0]) == Spread(2.0, 2.0, 2.0, 3)
    assert spread([1.0, 2.0, 3.0, 4.0, 5.0]) == Spread(3.0, 2.0, 4.0, 5)
    assert spread([1.0]) == Spread(1.0, 1.0, 1.0, 1)


def test_a_slope_of_one_is_linear_growth() -> None:
    sizes = [1.0, 4.0, 16.0]
    assert slope(sizes, [3 * size for size in sizes]) == pytest.approx(1.0)
    assert slope(sizes, [size**2 for size in sizes]) == pytest.approx(2.0)
