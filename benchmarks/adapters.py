"""Results of the benchmarks that write a format of their own, in the one format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from recording import Bound, Results
from timing import slope

Adapter = Callable[[Mapping[str, Any], Mapping[str, Any]], Results]


def operators(data: Mapping[str, Any], settings: Mapping[str, Any]) -> Results:
    """`operators.py --json`: ours against loops."""
    rows = [
        {
            **row,
            "case": row["operator"],
            "speedup": row["loop_ms"] / row["ours_ms"] if row["loop_ms"] else None,
            "to_moves": row["ours_ms"] / row["moves_ms"] if row.get("moves_ms") else None,
        }
        for row in data["rows"]
    ]
    wanted = ("max-min", "dpp", "density peaks")
    slowest = {
        name: min(r["speedup"] for r in rows if r["case"] == name and r["batch"] == 8 and r["speedup"])
        for name in wanted
    }
    moved: dict[str, list[float]] = {}
    for row in rows:
        if row["to_moves"]:
            moved.setdefault(str(row["case"]), []).append(row["to_moves"])
    bounds = [
        Bound(f"as fast as a loop, 576 tokens, batch 8: {name}", times, "at least", 5.0)
        for name, times in slowest.items()
    ]
    bounds += [
        Bound(f"time to gather and scatter_reduce alone, the slowest: {name}", max(times), "at most", 1.5)
        for name, times in moved.items()
    ]
    bounds += [
        Bound(f"growth of memory with {what} (1 is linear): {name}", grown[place], "at most", 1.1)
        for place, what in enumerate(("tokens", "kept tokens"))
        for name, grown in data["memory_growth"].items()
    ]
    told = {**settings, "threads": data["threads"], "dtype": "float32", "seed": 0}
    return Results("operators", told, rows, bounds)


def language(data: Mapping[str, Any], settings: Mapping[str, Any]) -> Results:
    """`language.py --json`: checks against lark's parse, by statements."""
    rows = [
        {
            "case": row["text"],
            "statements": row["statements"],
            "check_s": row["check"],
            "each_us": 1e6 * row["check"] / row["statements"],
            "to_lark": row["ratio"],
        }
        for row in data["rows"]
    ]
    many = [row for row in rows if row["statements"] >= 10]
    kinds = {
        kind: slope(*zip(*((row["statements"], row["check_s"]) for row in many if row["case"] == kind), strict=True))
        for kind in dict.fromkeys(row["case"] for row in many)
    }
    longest = max(row["statements"] for row in rows)
    bounds = [
        Bound(f"growth of checking from 10 to {longest:,} statements (1 is linear): {kind}", grown, "at most", 1.1)
        for kind, grown in kinds.items()
    ]
    bounds.append(Bound("the slowest check to lark's parse", max(row["ratio"] for row in data["rows"]), "at most", 2.0))
    return Results("language", {**settings, "threads": 1, "dtype": "-", "seed": 0}, rows, bounds)


ADAPTERS: Mapping[str, Adapter] = {"operators": operators, "language": language}
