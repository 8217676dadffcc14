"""Scores against plain loops, and how sums and products of them are formed."""

from __future__ import annotations

import pytest
import torch
from building import call, number, tokens

from eosdsl.ir.nodes import Product, ScoreExpr, Sum, Weighted
from eosdsl.ir.quantities import Call
from eosdsl.operators.base import AttentionProbe, AttentionRows, Tokens
from eosdsl.operators.binding import bind_call
from eosdsl.operators.bound import bind_score
from eosdsl.operators.scoring import evaluate


def scores(expression: ScoreExpr, seen: Tokens) -> torch.Tensor:
    return evaluate(bind_score(expression), seen)


def with_attention(weights: torch.Tensor, row_valid: torch.Tensor | None = None) -> Tokens:
    images, _, _, length = weights.shape
    seen = tokens(torch.zeros(images, length, 2))
    return Tokens(
        seen.hidden, seen.sizes, seen.index, attention={AttentionProbe("last"): AttentionRows(weights, row_valid)}
    )


@pytest.mark.parametrize("heads", ["mean", "max", "sum", "top"])
def test_attention_joins_heads_row_by_row_then_averages_the_rows_that_count(heads: str) -> None:
    torch.manual_seed(0)
    weights = torch.rand(2, 5, 3, 7)
    row_valid = torch.tensor([[True, True, True], [True, False, True]])
    how = call("top", 2) if heads == "top" else heads
    made = scores(call("attention", heads=how), with_attention(weights, row_valid))
    for image in range(2):
        rows = [r for r in range(3) if row_valid[image, r]]
        joined: list[torch.Tensor] = []
        busiest = sorted(range(5), key=lambda h: -float(sum(weights[image, h, r].sum() for r in rows)))[:2]
        for row in rows:
            by_head = weights[image, :, row]
            joined.append(
                {
                    "mean": by_head.sum(0) / 5,
                    "max": by_head.max(0).values,
                    "sum": by_head.sum(0),
                    "top": by_head[busiest].sum(0) / 2,
                }[heads]
            )
        torch.testing.assert_close(made[image], sum(joined) / len(rows))


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_norm_is_the_p_norm_in_single_precision(p: float) -> None:
    hidden = torch.randn(2, 5, 6).bfloat16()
    made = scores(call("norm", "hidden", p=p), tokens(hidden))
    assert made.dtype == torch.float32
    torch.testing.assert_close(made, hidden.float().abs().pow(p).sum(-1).pow(1 / p))


def test_random_depends_on_seed_and_place_alone() -> None:
    lottery = call("random", 7)
    alone = scores(lottery, tokens(torch.randn(1, 50, 3)))
    beside = scores(lottery, tokens(torch.randn(4, 50, 8)))
    assert torch.equal(beside, alone.expand(4, 50))
    shuffled = torch.randperm(50)[None]
    assert torch.equal(scores(lottery, tokens(torch.zeros(1, 50, 1), index=shuffled)), alone[:, shuffled[0]])
    assert not torch.equal(scores(call("random", 8), tokens(torch.zeros(1, 50, 1))), alone)


def test_random_is_the_published_hash_whatever_the_device_is() -> None:
    def scramble(x: int) -> int:
        x = ((x ^ (x >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
        x = ((x ^ (x >> 15)) * 0x846CA68B) & 0xFFFFFFFF
        return x ^ (x >> 16)

    for seed in (0, 7, 2**40 + 5, -1):
        made = scores(call("random", seed), tokens(torch.zeros(1, 600, 1)))[0]
        wanted = [scramble(scramble(i ^ (seed & 0xFFFFFFFF)) ^ ((seed >> 32) & 0xFFFFFFFF)) >> 8 for i in range(600)]
        assert made.tolist() == [one / 2**24 for one in wanted]


def test_random_is_uniform() -> None:
    drawn = scores(call("random", 3), tokens(torch.zeros(1, 20_000, 1)))[0]
    assert abs(float(drawn.mean()) - 0.5) < 0.01
    assert abs(float(drawn.var()) - 1 / 12) < 0.005
    assert len(set(drawn.tolist())) > 19_900


def test_a_sum_standardises_its_terms_over_the_tokens_present() -> None:
    hidden = torch.randn(2, 9, 4)
    valid = torch.tensor([[True] * 9, [True] * 6 + [False] * 3])
    hidden[1, 6:] = 1e30
    seen = tokens(hidden, valid=valid)
    both = Sum(
        terms=(
            Weighted(weight=number(0.75), score=call("norm", "hidden")),
            Weighted(weight=number(-0.5), score=call("random", 1)),
        )
    )
    made = scores(both, seen)
    for image, length in enumerate((9, 6)):
        norm = scores(call("norm", "hidden"), seen)[image, :length].double()
        luck = scores(call("random", 1), seen)[image, :length].double()
        wanted = 0.75 * (norm - norm.mean()) / norm.std(unbiased=False)
        wanted = wanted - 0.5 * (luck - luck.mean()) / luck.std(unbiased=False)
        torch.testing.assert_close(made[image, :length], wanted.float(), atol=1e-5, rtol=1e-5)


def test_a_constant_term_adds_nothing_to_a_sum() -> None:
    seen = tokens(torch.full((1, 6, 3), 0.1))
    both = Sum(terms=(call("norm", "hidden"), call("random", 1)))
    luck = scores(call("random", 1), seen).double()
    wanted = (luck - luck.mean()) / luck.std(unbiased=False)
    torch.testing.assert_close(scores(both, seen), wanted.float())


def test_a_product_is_raw_and_a_lone_score_keeps_its_weight() -> None:
    seen = tokens(torch.randn(2, 7, 3))
    norm, luck = scores(call("norm"), seen), scores(call("random", 2), seen)
    torch.testing.assert_close(scores(Product(factors=(call("norm"), call("random", 2))), seen), norm * luck)
    torch.testing.assert_close(scores(Weighted(weight=number(-2), score=call("norm")), seen), -2 * norm)


def test_attention_says_whether_it_reads_the_question() -> None:
    for query, reads in (("last", True), ("text", True), ("raters", True), ("all", True), ("cls", False)):
        bound, _ = bind_call("scores", call("attention", query=query))
        assert bound is not None and bound.reads_text is reads
    bound, _ = bind_call("scores", Call(name="norm"))
    assert bound is not None and not bound.reads_text
