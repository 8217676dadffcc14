"""Counts for images of any size: against a reference written down plainly, and against what binding stored."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from bind_helpers import bound, known
from hypothesis import given
from hypothesis import strategies as st

from eosdsl.passes.infer_tokens import ImageTokens, count_tokens, layer_tokens, token_flow

percents = st.integers(1, 100)
images = st.integers(1, 3000)


@given(st.lists(percents, min_size=1, max_size=6), images)
def test_percentages_are_of_the_image_and_never_more_than_what_is_there(shares: list[int], original: int) -> None:
    layers = range(1, len(shares) + 1)
    text = f"at layers {', '.join(map(str, layers))}: retain {', '.join(f'{s}%' for s in shares)}"
    expected: list[int] = []
    present = original
    for share in shares:
        present = min(math.ceil(Fraction(share, 100) * original), present)
        expected.append(present)
    assert [sum(one) for one in count_tokens(bound(text).reductions, original)] == expected


@given(st.lists(percents, min_size=1, max_size=6), images)
def test_of_incoming_counts_what_arrives(shares: list[int], original: int) -> None:
    amounts = ", ".join(f"{s}% of incoming" for s in shares)
    text = f"at layers {', '.join(str(i + 1) for i in range(len(shares)))}: retain {amounts}"
    present = original
    expected: list[int] = []
    for share in shares:
        present = math.ceil(Fraction(share * present, 100))
        expected.append(present)
    assert [sum(one) for one in count_tokens(bound(text).reductions, original)] == expected


@given(st.integers(1, 600), st.integers(1, 20), images)
def test_remove_takes_away_until_nothing_is_left(removed: int, sites: int, original: int) -> None:
    text = f"at layers 1..{sites}: remove {removed} tokens"
    expected = [max(original - (i + 1) * removed, 0) for i in range(sites)]
    assert [sum(one) for one in count_tokens(bound(text).reductions, original)] == expected


@given(percents, images)
def test_removing_a_share_keeps_the_rest_of_it(share: int, original: int) -> None:
    if share == 100:
        return
    (removed,) = count_tokens(bound(f"at layer 2: remove {share}%").reductions, original)
    (retained,) = count_tokens(bound(f"at layer 2: retain {100 - share}%").reductions, original)
    assert removed == retained


@given(st.integers(2, 20), percents, images)
def test_a_gradual_range_follows_its_law_from_what_arrives(steps: int, share: int, original: int) -> None:
    """K^n 100^i >= N^n p^i with p/100 the share, from all tokens; and one less is too few."""
    text = f"at layer 3..{2 + steps}: retain {share}%"
    kept = [sum(one) for one in count_tokens(bound(text).reductions, original)]
    for i, count in enumerate(kept, start=1):
        law = original**steps * share**i
        assert count**steps * 100**i >= law
        assert (count - 1) ** steps * 100**i < law or count == 0


@given(st.integers(2, 12), percents, percents, images)
def test_a_range_after_a_cut_starts_from_what_is_left(steps: int, first: int, last: int, original: int) -> None:
    """From E = what arrives to T = share of the image: K^n >= E^(n-i) T^i, all kept where T is more than E."""
    text = f"at layer 1: retain {first}%\nat layer 3..{2 + steps}: retain {last}%"
    _, *kept = (sum(one) for one in count_tokens(bound(text).reductions, original))
    entry = math.ceil(Fraction(first * original, 100))
    end = min(Fraction(last * original, 100), Fraction(entry))
    for i, count in enumerate(kept, start=1):
        law = Fraction(entry) ** (steps - i) * end**i
        assert count**steps >= law > (count - 1) ** steps


@given(images)
def test_totals_over_a_range_are_against_its_entry(original: int) -> None:
    half = bound("at layer 1: retain 50%\nat layer 2..5: retain 50% of incoming")
    entry = math.ceil(Fraction(original, 2))
    assert sum(count_tokens(half.reductions, original)[-1]) == math.ceil(Fraction(entry, 2))
    less = bound("at layer 1: retain 50%\nat layer 2..5: remove 16 tokens along linear")
    counts = [sum(one) for one in count_tokens(less.reductions, original)][1:]
    end = max(entry - 16, 0)
    assert counts == [math.ceil(Fraction(entry) + Fraction(i, 4) * (end - entry)) for i in range(1, 5)]


@given(st.integers(1, 700), st.integers(1, 700), images)
def test_groups_choose_among_what_earlier_ones_left(one: int, other: int, original: int) -> None:
    text = f"at layer 2: retain {one} tokens via prune and retain {other} tokens via merge"
    ((first, second),) = count_tokens(bound(text).reductions, original)
    assert first == min(one, original)
    assert second == min(other, original - first)


@given(percents, percents, st.integers(2, 9), images)
def test_groups_of_a_range_shrink_alike(one: int, other: int, steps: int, original: int) -> None:
    """Together they follow one range to the sum of their ends, up to the rounding of each."""
    text = f"at layer 2..{1 + steps}: retain {one}% via prune and retain {other}% via merge"
    counts = count_tokens(bound(text).reductions, original)
    ends = [Fraction(one * original, 100), min(Fraction(other * original, 100), Fraction((100 - one) * original, 100))]
    total = sum(ends)
    for i, (first, second) in enumerate(counts, start=1):
        exact = float(original) * float(total / original) ** (i / steps)
        assert exact - 1e-6 <= first + second <= exact + 2 + 1e-6 or first + second == original
        assert abs(first - exact * float(ends[0] / total)) <= 1 + 1e-6


SPECS = [
    "at layer 2: retain 50%",
    "at layer 2..8: retain 25%",
    "at layers 8, 16, 24: retain 50%, 25%, 12.5%",
    "at layer 2..20: retain 90% -> 10% along cosine",
    "at layer 2..20: remove 500 tokens along logistic(6)",
    "at encoder layers 0..22 after attention: remove 16 tokens",
    "at encoder output: retain 54 tokens via prune and retain 10 tokens via merge\nat layer 9: retain 5%",
    "at layer 5 after attention: retain 1/3",
    "at input: retain 64 tokens\nat depth 50%: remove all",
]


@pytest.mark.parametrize("model", ["llava", "llava-1.5-13b", "llava-next", "qwen2-vl"])
@pytest.mark.parametrize("text", SPECS)
def test_what_binding_stored_is_what_count_tokens_gives_for_the_usual_image(text: str, model: str) -> None:
    facts = known(model)
    schedule = bound(text, model)
    counted = count_tokens(
        schedule.reductions,
        facts.visual_tokens,
        patches=facts.patches,
        merge_area=facts.merge_area,
        grid=facts.grid,
    )
    assert counted == tuple(tuple(g.count for g in r.groups) for r in schedule.reductions)
    assert [r.retained for r in schedule.reductions] == [sum(one) for one in counted]


@pytest.mark.parametrize("text", SPECS)
@given(original=images)
def test_counts_never_grow_and_layers_agree_with_sites(text: str, original: int) -> None:
    schedule = bound(text)
    image = ImageTokens(original, original)
    flow = token_flow(schedule.reductions, image)
    present = original
    for site in flow:
        assert site.incoming == present
        assert 0 <= site.retained <= site.incoming
        present = site.retained
    layers = layer_tokens(schedule.reductions, flow, image, "decoder", 32)
    entering = [t.entering for t in layers] + [present]
    assert all(entering[i] >= t.in_mlp >= entering[i + 1] for i, t in enumerate(layers))
    assert layers[-1].in_mlp == present


def test_the_projector_joins_patches() -> None:
    """Four patches make one token of Qwen2-VL, in its tower too: they go or stay together."""
    facts = known("qwen2-vl")
    assert facts.patches == 2304
    for kept, left in (("250 tokens", 250), ("1 tokens", 1), ("10%", 58), ("50% of incoming", 288)):
        schedule = bound(f"at encoder layer 3: retain {kept}", "qwen2-vl")
        assert set(schedule.decoder_tokens) == {left}
        assert schedule.reductions[0].incoming == 576
        assert set(schedule.encoder_tokens) == {2304, 4 * left}


def test_newlines_are_no_patches() -> None:
    """LLaVA-NeXT: 48 newline tokens join those that come from the tower."""
    schedule = bound("at encoder output: retain 10%", "llava-next")
    assert schedule.reductions[0].retained == 288
    assert set(schedule.decoder_tokens) == {288 + 48}


def test_an_image_without_tokens_stays_without() -> None:
    for text in SPECS:
        assert all(sum(one) == 0 for one in count_tokens(bound(text).reductions, 0))
