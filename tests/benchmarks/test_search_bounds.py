"""What the benchmark of searches asks of its rows: one site's time and memory, growth with sites and with tokens."""

from __future__ import annotations

from typing import Any

import pytest
import search


def row(part: str, sites: int, tokens: int, time: float, memory: float = 1.0) -> dict[str, Any]:
    return {"part": part, "kind": "all", "sites": sites, "tokens": tokens, "times": {"median": time}, "memory": memory}


def bounds(*rows: dict[str, Any]) -> dict[str, bool]:
    return {bound.what.partition(",")[0]: bound.met for bound in search.bounds(rows)}


@pytest.mark.parametrize(("time", "memory", "met"), [(1.2, 1.25, (True, True)), (1.3, 1.35, (False, False))])
def test_one_site_costs_at_most_a_quarter_more_time_and_three_tenths_more_memory(
    time: float, memory: float, met: tuple[bool, bool]
) -> None:
    found = bounds(row("step", 1, 576, time, memory), row("step", 4, 576, 9.0, 9.0))
    assert tuple(found.values()) == met


@pytest.mark.parametrize(("power", "met"), [(1.0, True), (1.5, False)])
def test_what_sites_add_grows_with_their_number(power: float, met: bool) -> None:
    rows = [row("sites", sites, 144, 1 + 0.05 * sites**power) for sites in (1, 8, 32)]
    assert bounds(*rows) == {"growth of what sites add to a step with their number": met}


@pytest.mark.parametrize(("power", "met"), [(0.1, True), (0.5, False)])
def test_a_step_grows_with_tokens_as_a_plain_one_does(power: float, met: bool) -> None:
    rows = [row("tokens", 1, tokens, tokens**power) for tokens in (144, 2916)]
    assert bounds(*rows) == {"growth of a step with tokens beyond a plain one's": met}


@pytest.mark.parametrize("short", [False, True])
def test_parts_go_through_sites_and_tokens(short: bool) -> None:
    sites, tokens = (search.cases(part, short=short) for part in ("sites", "tokens"))
    assert [case.sites for case in sites][:: len(sites) - 1] == [1, 32] and len({case.tokens for case in sites}) == 1
    assert [case.tokens for case in tokens][:: len(tokens) - 1] == [144, 2916] and {c.sites for c in tokens} == {1}
    assert all(case.program for case in (*sites, *tokens))
