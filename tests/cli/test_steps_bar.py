"""The bar of a search says how far it is and all numbers of a step, on a narrow screen too."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from eosdsl.cli.steps_bar import StepsBar, numbers

ROW = {
    "step": 3,
    "task": 0.2214,
    "hidden": 0.0191,
    "tokens": [40.0, 30.0],
    "over": {"tokens(mean)": -0.18, "latency": 0.25},
    "multipliers": {"tokens(mean)": 0.0, "latency": 0.29},
    "temperature": 0.5,
}


def test_a_step_in_a_few_words() -> None:
    told = "task 0.221, hidden 0.019, T 0.50, tokens 35.0, tokens(mean) 82% of its bound (λ 0.00)"
    assert numbers(ROW) == f"{told}, latency 125% of its bound (λ 0.29)"
    assert numbers({"best": 0.5}) == "best 0.500"  # of a search without steps


@pytest.mark.parametrize("width", [60, 200])
def test_nothing_is_cut_off(width: int) -> None:
    shown = StringIO()
    with StepsBar(24, Console(file=shown, width=width, force_terminal=True, color_system=None)) as bar:
        bar.watch(ROW)
    last = " ".join(shown.getvalue().split())
    assert "1/24" in last and "latency 125% of its bound" in last and "…" not in last
