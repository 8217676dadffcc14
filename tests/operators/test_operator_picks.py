"""Every pick: exactly K, none twice, none that is not free; alone or in a batch; and each against its description."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from building import call, dims, group, reduce, tokens
from hypothesis import given, settings
from hypothesis import strategies as st

from eosdsl.ir.nodes import Bookkeeping
from eosdsl.ir.quantities import Call
from eosdsl.operators.base import Tokens
from eosdsl.operators.binding import bind_call
from eosdsl.operators.registry import operators
from eosdsl.operators.tensors import present

PICKS: dict[str, Call] = {
    "alternate": call("alternate"),
    "bipartite": call("bipartite"),
    "density_peaks": call("density_peaks", k=3),
    "distinct": call("distinct", per_round=3),
    "diverse": call("diverse"),
    "dpp": call("dpp"),
    "extra": call("extra"),
    "grid": call("grid", dims(2, 2)),
    "random": call("random", 4),
    "repel": call("repel", pivots=3),
    "top": call("top"),
    "uniform": call("uniform"),
}
ANCHORED = sorted(set(PICKS) - {"extra"})
MORE = [
    call("bipartite", sources="odd"),
    call("density_peaks", by="cosine", kernel="gaussian"),
    call("density_peaks", k=2, among=0.5),
    call("diverse", first="score"),
    call("repel", pivots=50),
    call("distinct", per_round=100),
]


def select(pick: Call, seen: Tokens, scores: torch.Tensor, free: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    bound, found = bind_call("picks", pick)
    assert bound is not None, found
    return bound.select(dataclasses.replace(seen, scores=scores, free=free), scores, free, counts, int(counts.max()))


def image(seed: int, images: int, rows: int, columns: int) -> tuple[Tokens, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    length = rows * columns
    hidden = torch.randn(images, length, 5, generator=generator)
    if seed % 3 == 0:  # duplicates: more wanted than the rank of anything
        hidden = hidden[:, :2].repeat(1, (length + 1) // 2, 1)[:, :length]
    keys = torch.randn(images, length, 4, generator=generator)
    return tokens(hidden, keys=keys, grid=(rows, columns)), torch.randn(images, length, generator=generator)


def test_every_pick_is_tested_here() -> None:
    assert set(PICKS) == set(operators("picks"))


@pytest.mark.parametrize("pick", [*(PICKS[name] for name in ANCHORED), *MORE], ids=str)
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 3), st.integers(1, 6), st.integers(1, 5), st.integers(0, 10), st.data())
def test_picks_take_exactly_k_of_the_free_and_none_twice(
    pick: Call, seed: int, images: int, rows: int, columns: int, taken: int, data: st.DataObject
) -> None:
    seen, scores = image(seed, images, rows, columns)
    length = rows * columns
    free = torch.ones(images, length, dtype=torch.bool)
    for one in range(images):
        free[
            one, torch.randperm(length, generator=torch.Generator().manual_seed(seed + one))[: min(taken, length - 1)]
        ] = False
    counts = torch.tensor([data.draw(st.integers(1, int(free[one].sum()))) for one in range(images)])
    anchors = select(pick, seen, scores, free, counts)
    assert anchors.shape == (images, int(counts.max()))
    for one in range(images):
        own = anchors[one].tolist()
        count = int(counts[one])
        assert own[count:] == [-1] * (len(own) - count)
        assert own[:count] == sorted(set(own[:count]))
        assert all(free[one, row] for row in own[:count])


@pytest.mark.parametrize("pick", [*(PICKS[name] for name in ANCHORED), *MORE], ids=str)
def test_an_image_is_picked_from_alike_alone_in_a_batch_and_beside_padding(pick: Call) -> None:
    for seed in (1, 2, 3):
        seen, scores = image(seed, 3, 4, 4)
        wanted = torch.tensor([7, 5, 6])
        valid = torch.ones(3, 20, dtype=torch.bool)
        valid[:, 16:] = False
        padded = Tokens(
            hidden=torch.cat([seen.hidden, torch.full((3, 4, 5), 9.0)], dim=1),
            sizes=torch.ones(3, 20),
            index=torch.arange(20).expand(3, 20),
            valid=valid,
            keys=torch.cat([seen.keys, torch.full((3, 4, 4), 9.0)], dim=1) if seen.keys is not None else None,
            grid=(5, 4),
        )
        more = torch.cat([scores, torch.full((3, 4), 99.0)], dim=1)
        together = select(pick, padded, more, valid, wanted)
        for one in range(3):
            alone = Tokens(
                hidden=seen.hidden[one : one + 1],
                sizes=torch.ones(1, 16),
                index=torch.arange(16)[None],
                keys=seen.keys[one : one + 1] if seen.keys is not None else None,
                grid=(4, 4),
            )
            own = select(pick, alone, scores[one : one + 1], present(alone), wanted[one : one + 1])
            assert together[one, : int(wanted[one])].tolist() == own[0].tolist()


@pytest.mark.parametrize("name", ANCHORED)
def test_more_than_there_are_keeps_all(name: str) -> None:
    seen, scores = image(1, 2, 3, 4)
    free = torch.ones(2, 12, dtype=torch.bool)
    anchors = select(PICKS[name], seen, scores, free, torch.tensor([12, 12]))
    assert anchors.tolist() == [list(range(12))] * 2
    made = reduce(group("prune", pick=PICKS[name]), 50, seen)
    assert torch.equal(made.hidden, seen.hidden)


def test_uniform_takes_every_so_manieth_of_those_left() -> None:
    seen, scores = image(1, 1, 5, 5)
    free = torch.ones(1, 25, dtype=torch.bool)
    free[0, [0, 7]] = False
    left = [row for row in range(25) if row not in (0, 7)]
    for count in (1, 4, 5, 11, 12, 23):
        step = len(left) // count
        assert select(call("uniform"), seen, scores, free, torch.tensor([count]))[0].tolist() == left[::step][:count]


def test_alternate_at_half_is_every_other_token() -> None:
    seen, scores = image(1, 1, 4, 4)
    anchors = select(call("alternate"), seen, scores, present(seen), torch.tensor([8]))
    assert anchors[0].tolist() == list(range(1, 16, 2))


def test_grid_takes_the_first_token_of_each_cell() -> None:
    seen, scores = image(1, 1, 5, 4)
    made = reduce(group("pool", pick=call("grid", dims(2, 2))), 6, seen)
    assert made.anchors[0].tolist() == [0, 2, 8, 10, 16, 18]
    cells = seen.hidden.reshape(1, 5, 4, 5)
    for row, (top, left) in enumerate([(0, 0), (0, 2), (2, 0), (2, 2), (4, 0), (4, 2)]):
        torch.testing.assert_close(made.hidden[0, row], cells[0, top : top + 2, left : left + 2].mean((0, 1)))
    bound, _ = bind_call("picks", call("grid", dims(2, 2)))
    assert bound is not None
    assert bound.own_count(20, (5, 4)) == 6
    assert bound.own_count(19, (5, 4)) is None
    assert bound.own_count(20, None) is None
    assert scores.shape == (1, 20)


def test_repel_gives_each_pivot_its_share_of_what_is_least_like_it() -> None:
    seen, scores = image(1, 1, 6, 6)
    units = torch.nn.functional.normalize(seen.hidden[0], dim=1)
    pivots = scores[0].argsort(descending=True)[:3].tolist()
    kept = list(pivots)
    for pivot, quota in zip(pivots, (4, 3, 3), strict=True):
        left = [row for row in range(36) if row not in kept]
        kept += sorted(left, key=lambda row, pivot=pivot: float(units[row] @ units[pivot]))[:quota]
    anchors = select(call("repel", pivots=3), seen, scores, present(seen), torch.tensor([13]))
    assert anchors[0].tolist() == sorted(kept)


def test_repel_with_text_takes_the_question_as_pivots_too() -> None:
    seen, scores = image(1, 1, 6, 6)
    text = torch.randn(1, 2, 5, generator=torch.Generator().manual_seed(8))
    seen = dataclasses.replace(seen, text=text)
    units = torch.nn.functional.normalize(seen.hidden[0], dim=1)
    ends = [*(units[i] for i in scores[0].argsort(descending=True)[:2]), *torch.nn.functional.normalize(text[0], dim=1)]
    kept: list[int] = scores[0].argsort(descending=True)[:2].tolist()
    for end, quota in zip(ends, (3, 2, 2, 2), strict=True):
        left = [row for row in range(36) if row not in kept]
        kept += sorted(left, key=lambda row, end=end: float(units[row] @ end))[:quota]
    pick = Call(name="repel", arguments=(*call("repel", pivots=2).arguments, *call("repel", text="yes").arguments))
    anchors = select(pick, seen, scores, present(seen), torch.tensor([11]))
    assert anchors[0].tolist() == sorted(kept)


def test_bipartite_beyond_all_sources_gives_up_the_loneliest_destinations() -> None:
    seen, scores = image(1, 1, 4, 4)
    made = reduce(group("merge", pick=call("bipartite", on="hidden")), 3, seen)
    assert made.anchors.shape == (1, 3)
    assert all(row % 2 == 1 for row in made.anchors[0].tolist())
    torch.testing.assert_close(made.sizes.sum(), torch.tensor(16.0))
    assert scores.shape == (1, 16)


def test_density_peaks_among_the_best_take_in_only_those() -> None:
    seen, _ = image(1, 2, 5, 4)
    made = reduce(group("merge", pick=call("density_peaks", k=2, among=0.3)), 3, seen)
    best = seen.hidden.norm(dim=2).argsort(dim=1, descending=True)[:, :6]
    for one in range(2):
        used = (made.weights[one] > 0).any(dim=0).nonzero().flatten().tolist()
        assert used == sorted(best[one].tolist())
    assert made.sizes.sum(dim=1).tolist() == [6.0, 6.0]


def test_top_among_the_best_drops_the_tail() -> None:
    seen, _ = image(1, 1, 5, 4)
    made = reduce(group("merge", pick=call("top", among=0.6)), 3, seen)
    best = seen.hidden[0].norm(dim=1).argsort(descending=True)
    assert made.anchors[0].tolist() == sorted(best[:3].tolist())
    assert (made.weights[0] > 0).any(dim=0).nonzero().flatten().tolist() == sorted(best[:12].tolist())
    assert float(made.sizes.sum()) == 12


def test_extra_is_a_row_of_what_the_others_gave_up() -> None:
    seen, _ = image(1, 2, 5, 4)
    sizes = torch.randint(1, 4, (2, 20)).float()
    seen = dataclasses.replace(seen, sizes=sizes)
    made = reduce([group("prune"), group(call("pool", weight="mean"), pick=call("extra"))], [6, 1], seen)
    assert made.anchors[:, -1].tolist() == [-1, -1]
    assert made.valid is None
    for one in range(2):
        rest = [row for row in range(20) if row not in made.anchors[one].tolist()]
        torch.testing.assert_close(made.hidden[one, -1], seen.hidden[one, rest].mean(0))
        assert float(made.sizes[one, -1]) == float(sizes[one, rest].sum())
        torch.testing.assert_close(made.weights[one] @ seen.hidden[one], made.hidden[one])


def test_order_by_score_and_by_group_as_written() -> None:
    seen, _ = image(1, 1, 5, 4)
    norms = seen.hidden[0].norm(dim=1)
    groups = [group("prune"), group("merge", pick=call("uniform"))]
    made = reduce(groups, [5, 3], seen, Bookkeeping(order="score"))
    first, second = made.anchors[0, :5].tolist(), made.anchors[0, 5:].tolist()
    assert first == sorted(first, key=lambda row: -float(norms[row]))
    assert second == sorted(second)  # `uniform` reads no score
    assert set(first) == set(norms.argsort(descending=True)[:5].tolist())
    then = reduce(groups, [5, 3], seen, Bookkeeping(order="anchors_then_rest"))
    assert then.anchors[0].tolist() == sorted(first) + sorted(second)
    plain = reduce(groups, [5, 3], seen)
    assert plain.anchors[0].tolist() == sorted(first + second)
    for other, order in ((made, made.anchors[0]), (then, then.anchors[0])):
        by_anchor = {int(a): i for i, a in enumerate(plain.anchors[0])}
        rows = [by_anchor[int(a)] for a in order]
        assert torch.equal(other.hidden[0], plain.hidden[0, rows])
        assert torch.equal(other.weights[0], plain.weights[0, rows])
        assert torch.equal(other.sizes[0], plain.sizes[0, rows])
