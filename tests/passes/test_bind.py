"""Binding: sites in forward order, tokens entering every layer, defaults, and what cannot be."""

from __future__ import annotations

import pytest
from bind_helpers import bound, codes, findings, program_of

import eosdsl
from eosdsl.ir.nodes import LayerRef
from eosdsl.models.registry import facts
from eosdsl.passes.bind import bind
from eosdsl.passes.sites import site_name
from eosdsl.render.text import render_text
from eosdsl.source import SourceFile


def entering(text: str, model: str = "llava") -> list[tuple[int, int]]:
    """Layers and tokens, run by run: (first layer, tokens)."""
    tokens = bound(text, model).decoder_tokens
    return [(i, n) for i, n in enumerate(tokens) if i == 0 or n != tokens[i - 1]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at layer 2: retain 50% by attention(query: last) via prune", [(0, 576), (2, 288)]),
        ("at layers 8, 16, 24: retain 50%, 25%, 12.5%", [(0, 576), (8, 288), (16, 144), (24, 72)]),
        ("at input: retain 64 tokens", [(0, 64)]),
        ("at layer 5 after attention: retain 1/3", [(0, 576), (6, 192)]),
        ("at layer 31 after attention: retain 1/3", [(0, 576)]),
        ("at layer 16: retain 10%\nat layer 2: retain 50%", [(0, 576), (2, 288), (16, 58)]),
        ("at depth 25%: retain 50%", [(0, 576), (8, 288)]),
        ("at layer 10: remove all", [(0, 576), (10, 0)]),
        ("at layer 10: retain 600 tokens", [(0, 576)]),
        ("at encoder output: retain 64 tokens\nat layer 3: retain 50%", [(0, 64)]),
    ],
)
def test_tokens_entering_the_decoder(text: str, expected: list[tuple[int, int]]) -> None:
    assert entering(text) == expected


def test_sites_are_in_forward_order_whatever_the_order_of_lines() -> None:
    program = program_of(
        "at layer 5 after attention: retain 10%\nat layer 5: retain 20%\nat encoder output: retain 60%\n"
        "at encoder layer 22: retain 80%\nat input: retain 50%\nat encoder layer 3 after attention: retain 90%"
    )
    schedule, _ = bind(program.model_copy(update={"steps": program.steps[::-1]}), facts("llava"))
    assert schedule is not None
    assert [site_name(r.site) for r in schedule.reductions] == [
        "encoder layer 3 after attention",
        "encoder layer 22",
        "encoder output",
        "input",
        "layer 5",
        "layer 5 after attention",
    ]
    assert [r.statement for r in schedule.reductions] == [5, 4, 3, 2, 1, 0]


def test_tome_in_the_tower() -> None:
    """16 of 576 patches go in each of 23 layers: 576 - 16 * 23 = 208 reach the decoder."""
    schedule = bound("at encoder layers 0..22 after attention: remove 16 tokens by norm(hidden) via merge")
    assert schedule.encoder_tokens == tuple(576 - 16 * layer for layer in range(24))
    assert set(schedule.decoder_tokens) == {208}


def test_a_place_relative_to_the_depth_moves_with_the_model() -> None:
    for model, layer in (("llava-1.5-7b", 8), ("llava-1.5-13b", 10), ("qwen2-vl-7b", 7)):
        assert bound("at depth 25%: retain 50%", model).reductions[0].site.layer == layer


def test_mean_tokens_are_exact() -> None:
    assert bound("at layer 2: retain 50%").mean_tokens == (2 * 576 + 30 * 288) / 32


@pytest.mark.parametrize(
    ("site", "model", "score"),
    [
        ("layer 1", "llava", "attention(query: last)"),
        ("layer 0 after attention", "llava", "attention(query: last)"),
        ("input", "llava", "norm(hidden)"),
        ("layer 0", "llava", "norm(hidden)"),
        ("encoder layer 0", "llava", "norm(hidden)"),
        ("encoder layer 1", "llava", "attention(query: cls)"),
        ("encoder layer 0 after attention", "llava", "attention(query: cls)"),
        ("encoder output", "llava", "attention(query: cls)"),
        ("encoder output", "siglip", "norm(hidden)"),
        ("encoder layer 5", "qwen2-vl", "norm(hidden)"),
    ],
)
def test_default_scores(site: str, model: str, score: str) -> None:
    """The same as written out, and information says which one was taken."""
    written = bound(f"at {site}: retain 50% by {score}", model)
    taken = bound(f"at {site}: retain 50%", model)
    assert taken == written
    _, found = bind(program_of(f"at {site}: retain 50%"), taken.model)
    assert [d.code for d in found] == ["I0341"]
    assert score in found[0].message


def test_nothing_is_ranked_where_nothing_stays() -> None:
    assert bind(program_of("at layer 8: remove all"), facts("llava"))[1] == []


def test_defaults_that_differ_over_sites_are_told_apart() -> None:
    _, found = bind(program_of("at layers 0..3: retain 50%, 40%, 30%, 20%"), facts("llava"))
    assert [d.message.partition("ranked by ")[2] for d in found] == [
        "norm(hidden) at input",
        "attention(query: last) at layers 1..3",
    ]


def test_what_many_sites_lack_is_one_finding() -> None:
    """A statement at many sites is wrong in one way; a model of another family explains all that does not fit it."""
    text = "at encoder layers 0..5, 9 after attention: remove 16 tokens by attention(query: cls)"
    _, found = bind(program_of(text), facts("siglip"))
    messages = [d.message for d in found if d.is_error]
    assert messages == ["`attention` cannot be had at encoder layers 0..5, 9 after attention"]
    _, found = bind(program_of(f"operator x for llava\n{text}\nat layer 400: retain 50%"), facts("gemma3"))
    assert [d.code for d in found] == ["E0401"]


@pytest.mark.parametrize(
    ("text", "model", "code", "says"),
    [
        ("at layer 32: retain 50%", "llava", "E0302", "layer 32 is past the last decoder layer"),
        ("at layers 8, 40: retain 50%, 25%", "llava", "E0302", "layer 40"),
        ("at layer 2..40: retain 50%", "llava", "E0302", "layer 40"),
        ("at layers 2..40: retain 50% of incoming", "llava", "E0302", "layer 40"),
        ("at encoder layer 24: retain 50%", "llava", "E0302", "encoder layer 24 is past the last encoder layer"),
        ("at encoder layer 23: retain 50%", "llava", "E0321", "encoder layer 23"),
        ("at layer 2: retain 50%\nat depth 6.25%: retain 25%", "llava", "E0342", "layer 2"),
        ("at layer 2..8: remove all", "llava", "E0326", "zero"),
        ("operator x for qwen2_vl\nat layer 2: retain 50%", "llava", "E0401", "qwen2_vl"),
        ("operator x for lava\nat layer 2: retain 50%", "llava", "E0402", "lava"),
        ("at layer 2: retain 50% by attention(query: cls)", "llava", "E0403", "attention"),
        ("at encoder output: retain 50% by attention(query: cls)", "siglip", "E0403", "attention"),
        ("at encoder output: retain 50% by attention(query: text)", "llava", "E0403", "attention"),
        ("at encoder layer 3: retain 50% by norm(hidden) + attention(query: last)", "llava", "E0403", "attention"),
        ("at layer 9: retain 50% by attention(query: last, layer: 10)", "llava", "E0403", "attention"),
        ("at layer 9 after attention: retain 50% by attention(layer: next)", "llava", "E0403", "attention"),
    ],
)
def test_what_cannot_be(text: str, model: str, code: str, says: str) -> None:
    schedule, found = bind(program_of(text), bound("at layer 2: retain 50%", model).model)
    assert schedule is None
    (problem,) = [d for d in found if d.is_error]
    assert problem.code == code
    assert says in problem.message
    assert problem.span is not None


@pytest.mark.parametrize(
    "text",
    [
        "at layer 9: retain 50% by attention(query: last, layer: 9)",
        "at layer 9: retain 50% by attention(query: last, layer: 3)",
        "at input: retain 50% by attention(query: last, layer: next)",
        "at input: retain 50% by attention(query: last, layer: 0)",
        "at layer 9 after attention: retain 50% by attention(query: last, layer: 9)",
        "at encoder output: retain 50% by attention(query: cls, layer: 22)",
        "at encoder layer 4: retain 50% by attention(query: all)",
        "operator x for llava\nat layer 2: retain 50%",
    ],
)
def test_what_can_be(text: str) -> None:
    assert codes(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at layer 2: retain 100%", ["W0341"]),
        ("at layer 2: retain all", ["W0341"]),
        ("at layer 2: remove 0 tokens", ["W0341"]),
        ("at layer 2: retain 1000 tokens", ["W0342"]),
        ("at layers 2, 8: retain 50%", ["W0341"]),
        ("at layers 2..8: retain 50%", ["W0341"]),
        ("at layers 8, 16: retain 25%, 50%", ["W0342"]),
        ("at layer 2: retain 25%\nat layer 4..8: retain 50%", ["W0342"]),
        ("at layer 2: retain 12 tokens\nat layer 4..30: retain 10 tokens", []),
        ("at layers 2, 8: retain 50% of incoming", []),
        ("at layer 2..8: remove 10% -> 50%", []),
        ("at layer 2: remove all\nat layer 3: retain 50%", ["W0342"]),
    ],
)
def test_steps_that_do_nothing_warn_once_and_bind(text: str, expected: list[str]) -> None:
    assert codes(text) == expected
    assert bound(text).decoder_tokens


def test_warnings_point_at_the_budget_and_name_the_layers() -> None:
    (found,) = findings("at layers 2..8: retain 50%")
    assert found.message.startswith("nothing is reduced at layers 3..8")
    assert "of incoming" in found.helps[0]
    (grows,) = findings("at layers 8, 16: retain 25%, 50%")
    assert grows.span is not None and grows.span.column == 30
    assert "288 tokens are asked for where 144 arrive" in grows.message


def test_the_error_of_the_language_page_word_by_word() -> None:
    text = "operator fastv for llava\nat layer 40: retain 50% by attention(query: last)\n"
    source = SourceFile("specs/methods/fastv.eos", text)
    _, found = bind(program_of(text), facts("llava"))
    assert render_text(found, source, color=False).rstrip() == (
        """error[E0302]: layer 40 is past the last decoder layer
 --> specs/methods/fastv.eos:2:10
  |
2 | at layer 40: retain 50% by attention(query: last)
  |          ^^ llava-1.5-7b has decoder layers 0..31
  |
  = help: the published FastV drops at layer 2"""
    )


def test_a_depth_range_that_collapses_backwards_is_found_when_bound() -> None:
    program = program_of("at layer 20..24: retain 50%")
    backwards = program.steps[0].where.model_copy(update={"layers": (LayerRef(index=24), LayerRef(index=20))})
    steps = (program.steps[0].model_copy(update={"where": backwards}),)
    _, found = bind(program.model_copy(update={"steps": steps}), facts("llava"))
    assert [d.code for d in found if d.is_error] == ["E0324"]


def test_every_mistake_is_reported_at_once() -> None:
    text = "operator x for lava\nat layer 40: retain 50%\nat encoder layer 3: retain 50% by attention(query: last)\n"
    assert sorted(codes(text)) == ["E0302", "E0402", "E0403"]


class TestAdaptive:
    """Budgets that depend on the image: no count, but bounds; what follows is static again where it is cut for sure."""

    def test_counts_are_left_open_and_bounds_are_kept(self) -> None:
        schedule = bound("at layer 2: retain mass 90%\nat layer 8: retain 25% of incoming")
        assert [g.count for r in schedule.reductions for g in r.groups] == [None, None]
        assert [(r.incoming, r.retained) for r in schedule.reductions] == [(576, 576), (576, 144)]
        assert schedule.decoder_tokens == (576,) * 8 + (144,) * 24

    def test_a_group_after_an_adaptive_one_adapts_too(self) -> None:
        schedule = bound("at layer 2: retain outliers(iqr: 1.5) and retain 10 tokens via merge")
        assert [g.count for g in schedule.reductions[0].groups] == [None, None]
        schedule = bound("at layer 2: retain 10 tokens and retain outliers(iqr: 1.5) via merge")
        assert [g.count for g in schedule.reductions[0].groups] == [10, None]

    def test_one_token_is_left_at_the_least_so_that_a_budget_of_one_is_static(self) -> None:
        schedule = bound("at layer 2: retain mass 90%\nat layer 8: retain 1 tokens")
        assert [g.count for r in schedule.reductions for g in r.groups] == [None, 1]

    def test_they_do_nothing_for_sure_nowhere(self) -> None:
        assert codes("at layer 2: retain mass 90%") == []

    @pytest.mark.parametrize("text", ["at layer 2..8: retain mass 90%", "at layer 2..8: retain 50% -> 10%"])
    def test_over_a_range(self, text: str) -> None:
        assert codes(text) == (["E0325"] if "mass" in text else [])

    def test_what_a_budget_reads_has_to_be_there(self) -> None:
        assert codes("at encoder output: retain rank(13.5)") == ["E0403"]


class TestGrid:
    """`grid(2x2)` brings its own count: a token a cell, as long as the grid is whole."""

    def test_it_overrules_the_budget(self) -> None:
        schedule = bound("at input: retain 25% pick grid(2x2) via pool(within: window(2x2))")
        assert schedule.decoder_tokens == (144,) * 32
        schedule = bound("at encoder output: pick grid(5x3) via pool(within: window(5x3))")
        assert schedule.decoder_tokens == (5 * 8,) * 32

    @pytest.mark.parametrize(
        ("text", "model"),
        [
            ("at layer 2: retain 50%\nat layer 8: pick grid(2x2)", "llava"),
            ("at layer 2: pick grid(2x2)", "llava-next"),
        ],
    )
    def test_without_a_whole_grid(self, text: str, model: str) -> None:
        assert "E0328" in codes(text, model)

    def test_patches_that_are_joined_have_the_grid_of_their_tokens(self) -> None:
        schedule = bound("at encoder output: pick grid(2x2) via pool", "qwen2-vl")
        assert schedule.reductions[0].retained == 12 * 12
        assert set(schedule.decoder_tokens) == {144}


def test_picks_and_behaviours_need_what_they_read() -> None:
    """A depth is found to be the first layer only on the model."""
    assert codes("at encoder depth 1%: remove 16 tokens pick bipartite(on: keys) via merge") == ["E0403"]
    assert codes("at encoder layer 0 after attention: remove 16 tokens pick bipartite(on: keys) via merge") == []


def test_a_pick_without_scores_takes_no_default() -> None:
    _, found = bind(program_of("at layer 2: retain 50% pick uniform"), facts("llava"))
    assert found == []


def test_a_budget_beside_a_grid_is_said_to_count_for_nothing() -> None:
    found = eosdsl.check("at input: retain 25 tokens pick grid(2x2) via pool", model="llava")
    (said,) = [one for one in found if one.code == "I0343"]
    assert "144 tokens" in said.message
    for quiet in ("pick grid(2x2)", "retain 25% pick grid(2x2)", "pick grid(5x5)"):
        assert "I0343" not in {one.code for one in eosdsl.check(f"at input: {quiet} via pool", model="llava")}
