"""Where behaviours lie in the shared space, and the page that is generated from the methods."""

from __future__ import annotations

from math import inf, sqrt
from pathlib import Path

import pytest
from building import call, mix

from eosdsl.ir.nodes import Behaviour
from eosdsl.ir.quantities import Open
from eosdsl.operators.regimes import regime
from eosdsl.views.method_table import CLOSES, OPENS, main, table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "methods.md"


@pytest.mark.parametrize(
    ("behaviour", "alpha", "temperature", "shares"),
    [
        (call("prune"), 0.0, None, {"prune": 1}),
        (call("merge"), 1.0, 0.0, {"merge": 1}),
        (call("pool"), 1.0, inf, {"pool": 1}),
        (call("reweight", temperature=0.25), 1.0, 0.25, {"reweight": 1}),
        (mix((0.75, call("merge")), (0.25, call("prune"))), 0.75, 0.0, {"merge": 0.75, "prune": 0.25}),
        (mix((0.5, call("merge"))), 0.5, 0.0, {"merge": 0.5, "prune": 0.5}),
        (mix((0.5, call("merge")), (0.5, call("pool"))), 1.0, None, {"merge": 0.5, "pool": 0.5}),
        (
            mix((0.25, call("reweight", temperature=4)), (0.25, call("reweight", temperature=1))),
            0.5,
            sqrt(4),
            {"reweight": 0.5, "prune": 0.5},
        ),
    ],
)
def test_alpha_temperature_and_shares(
    behaviour: Behaviour, alpha: float, temperature: float | None, shares: dict[str, float]
) -> None:
    found = regime(behaviour)
    assert found is not None
    assert found.alpha == pytest.approx(alpha)
    assert found.temperature == (None if temperature is None else pytest.approx(temperature))
    assert found.shares == pytest.approx({"prune": 0, "merge": 0, "pool": 0, "reweight": 0, **shares})


def test_what_is_open_lies_nowhere() -> None:
    assert regime(Open()) is None


def test_the_page_of_methods_is_up_to_date(tmp_path: Path) -> None:
    assert main(["--check", str(PAGE)]) == 0, "run: python -m eosdsl.views.method_table docs/methods.md"
    page = tmp_path / "page.md"
    page.write_text(f"before\n{OPENS}\nold\n{CLOSES}\nafter\n", encoding="utf-8")
    assert main(["--check", str(page)]) == 1
    assert main([str(page)]) == 0
    assert main(["--check", str(page)]) == 0
    assert table() in page.read_text(encoding="utf-8")
    page.write_text("no marks", encoding="utf-8")
    assert main([str(page)]) == 2
    assert main([]) == 2
