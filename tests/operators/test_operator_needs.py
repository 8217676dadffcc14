"""What a site must be given and what it costs, without torch."""

from __future__ import annotations

from building import call, group, mix, number

from eosdsl.ir.nodes import Sum, Weighted
from eosdsl.operators.base import AttentionProbe, CostContext, KeysProbe
from eosdsl.operators.needs import macs, probes, reads_text

CONTEXT = CostContext(tokens=576, kept=64, rows=640, text_rows=64, width=4096, heads=32, kv_heads=8, head_width=128)
LAST = call("attention", query="last")
MERGED = mix((0.5, call("merge", similarity=call("cosine", "keys"))), (0.5, call("prune")))


def test_probes_are_those_of_scores_and_behaviours_together() -> None:
    both = Sum(terms=(Weighted(weight=number(0.5), score=LAST), call("norm", "keys")))
    assert probes([group("prune", score=both)]) == {AttentionProbe("last"), KeysProbe()}
    assert probes([group(MERGED, score=LAST), group("prune", score=call("random"))]) == {
        AttentionProbe("last"),
        KeysProbe(),
    }
    assert probes([group("merge")]) == frozenset()


def test_reading_the_question_is_known_before_running() -> None:
    assert reads_text([group("prune", score=LAST)])
    assert not reads_text([group("prune", score=call("attention", query="cls")), group("merge")])


def test_one_row_of_attention_costs_its_query_projection_and_its_logits() -> None:
    assert macs([group("prune", score=LAST)], CONTEXT) == 4096 * 4096 + 640 * 4096


def test_looking_ahead_also_projects_the_keys() -> None:
    ahead = call("attention", query="last", layer="next")
    assert macs([group("prune", score=ahead)], CONTEXT) == 4096 * 4096 + 640 * 4096 + 640 * 4096 * 8 * 128


def test_merging_costs_the_similarity_of_the_others_to_the_anchors_and_their_sum() -> None:
    others = 576 - 64
    assert macs([group("merge", score=call("random"))], CONTEXT) == others * 64 * 4096 + others * 4096
    keys = call("merge", similarity=call("cosine", "keys"))
    assert macs([group(keys, score=call("random"))], CONTEXT) == others * 64 * 8 * 128 + others * 4096


def test_a_score_that_two_groups_share_is_counted_once() -> None:
    once = macs([group("prune", score=LAST)], CONTEXT)
    assert macs([group("prune", score=LAST), group("prune", score=LAST)], CONTEXT) == once
