"""AIM (arXiv 2412.03248): iterative bipartite merging of features, and PageRank importance."""

from __future__ import annotations

from eosdsl.golden.case import Case
from eosdsl.golden.comparing import Check, same_batches, same_values
from eosdsl.operators.base import AttentionRows, Tokens
from eosdsl.operators.scores.pagerank import PageRank
from eosdsl.operators.step import apply_step


def merge(case: Case) -> list[Check]:
    """Rounds of matching on the features themselves; members and anchor averaged alike; sizes are not kept."""
    hidden = case.given("hidden")
    checks: list[Check] = []
    for number, asked in enumerate(case.parameter("remove"), start=1):
        given = min(int(asked), hidden.shape[1] // 2)
        step = f"remove {given} tokens pick bipartite(on: hidden) via merge(weight: mean) with order: score"
        hidden = apply_step(step, hidden).hidden
        wanted = case.wanted(f"hidden_{number}")
        checks.append(same_batches(f"rows of round {number}", hidden, wanted, case.tolerance))
    return checks


def pagerank(case: Case) -> list[Check]:
    logits = case.given("logits").double()
    images, _, length, _ = logits.shape
    score = PageRank()
    empty = logits.new_zeros((images, length, 1))
    seen = Tokens(
        hidden=empty,
        sizes=empty.squeeze(2) + 1,
        index=empty.squeeze(2).long(),
        attention={score.probe: AttentionRows(logits.softmax(dim=3))},
    )
    return [same_values("scores", score.compute(seen), case.wanted("scores"), case.tolerance)]
