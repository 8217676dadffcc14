"""PruMerge (arXiv 2403.15388): outliers of the class attention, their neighbourhoods added, and one token more."""

from __future__ import annotations

from eosdsl.golden.case import Case
from eosdsl.golden.comparing import Check, same_batches
from eosdsl.operators.step import apply_step

_SCORE = "attention(query: cls, heads: concat)"


def run(case: Case) -> list[Check]:
    """As published: weighted sums that nothing divides, of neighbours that may be retained themselves."""
    hidden, queries, keys = case.given("hidden"), case.given("queries"), case.given("keys")
    logits = queries[:, :1] @ keys.transpose(1, 2) / keys.shape[2] ** 0.5
    attention = logits.softmax(dim=2)[:, None, :, 1:]
    length = hidden.shape[1] - 1
    found = apply_step(f"retain outliers(iqr: 1.5) by {_SCORE}", hidden[:, 1:], attention=attention)
    # the original turns the count into a ratio and back, rounding down
    count = int(length * (found.anchors.shape[1] / length))
    step = (
        f"retain {count} tokens by {_SCORE} "
        "via borrow(similarity: cosine(keys), within: nearest(32), weight: score, combine: add_sum) "
        f"and retain 1 token by {_SCORE} pick extra via pool(weight: score, combine: add_sum) with order: score"
    )
    made = apply_step(step, hidden[:, 1:], keys=keys[:, 1:], attention=attention)
    return [same_batches("rows", made.hidden, case.wanted("hidden"), case.tolerance)]
