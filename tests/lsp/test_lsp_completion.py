"""What is proposed at the cursor, and that everything proposed can be typed there."""

from __future__ import annotations

from pathlib import Path

import pytest
from cursor import at_cursor

from eosdsl.lsp.completion import Item, completion
from eosdsl.lsp.marks import read
from eosdsl.operators.registry import operators
from eosdsl.syntax.keywords import STATEMENTS


def proposed(marked: str, path: Path | None = None) -> list[str]:
    document, offset = at_cursor(marked, path)
    return [item.label for item in completion(document, offset)]


EXACT = {
    "▮": sorted(STATEMENTS),
    "at ▮": "any depth encoder input layer layers",
    "at encoder ▮": "depth layer layers output",
    "at layer 2 ▮": "after",
    "at layer 2: ▮": "by pick remove retain via with",
    "at layer 2: retain 50% of ▮": "incoming original",
    "at layer 2..8: retain 50% along ▮": "cosine geometric linear logistic",
    "at layer 2: retain 50% with ▮": "attention_bias keep order positions proportional_attention sizes",
    "at layer 2: retain 50% with positions: ▮": "compact keep mean median",
    "at layer 2: retain 50% with positions: keep, order: ▮": "anchors_then_rest position score",
    "operator x for ▮": "aya_vision clip dinov2 gemma3 idefics3 internvl llava llava_next llava_onevision mistral3 "
    "paligemma qwen2_5_vl qwen2_vl qwen3_vl siglip smolvlm vipllava vit",
    "expect ▮": "flops kv_cache latency prefill_flops tokens",
    "expect tokens(▮": "layer max mean min",
    "space s minimise task + alignment(▮": "hidden logits",
    "search with ▮": "accumulate batch checkpoint faintness optimiser pool precision refine seed steps temperature",
    "search with optimiser: ▮": "adam adamw muon sgd",
    "param b = 3 at layer ▮": "b depth",
    "# at ▮": "",
}  # fmt: skip


@pytest.mark.parametrize("marked", EXACT)
def test_exactly_these(marked: str) -> None:
    wanted = EXACT[marked]
    expected = wanted.split() if isinstance(wanted, str) else wanted
    assert sorted(proposed(marked)) == sorted(expected)


@pytest.mark.parametrize(
    ("marked", "kind"),
    [
        ("at layer 2: retain 50% by ▮", "scores"),
        ("at layer 2: retain 50% by 0.3 * ▮", "scores"),
        ("at layer 2: retain 50% by norm(hidden) + ▮", "scores"),
        ("score w = ▮", "scores"),
        ("at layer 2: retain 50% pick ▮", "picks"),
        ("at layer 2: retain 50% pick ? {top, ▮", "picks"),
        ("at layer 2: retain 50% via ▮", "behaviours"),
        ("at layer 2: retain 50% via mix(0.6 merge, ▮", "behaviours"),
        ("at layer 2: retain 50% via mix(? ▮", "behaviours"),
        ("at layer 2: retain 50% via merge(similarity: ▮", "similarities"),
        ("at layer 2: retain 50% via pool(within: ▮", "supports"),
        ("at layer 2: retain ▮", "budgets"),
    ],
)
def test_all_operators_of_the_kind_and_of_no_other(marked: str, kind: str) -> None:
    labels = set(proposed(marked))
    assert set(operators(kind)) <= labels  # pyright: ignore[reportArgumentType, reportCallIssue] # by name
    behaviours, scores = set(operators("behaviours")), set(operators("scores")) - set(operators("picks"))
    assert kind == "behaviours" or not labels & behaviours
    assert kind == "scores" or not labels & (scores - {"similarity"})


def test_parameters_that_are_given_are_not_proposed_again() -> None:
    assert {"query", "layer", "heads", "last"} <= set(proposed("at layer 2: retain 50% by attention(▮"))
    rest = set(proposed("at layer 2: retain 50% by attention(query: last, ▮"))
    assert {"layer", "heads"} <= rest
    assert not rest & {"query", "last"}


def test_values_of_a_parameter() -> None:
    labels = proposed("at layer 2: retain 50% by attention(query: ▮")
    assert {"last", "cls", "text", "raters", "all"} <= set(labels)
    assert "norm" not in labels
    assert proposed("at layer 2: retain 50% by attention(heads: top(▮") == ["count"]


def test_own_names_come_first_where_they_can_be_used() -> None:
    text = "param budget = 64 tokens\nscore worth = norm(keys)\nat layer 2: retain ▮"
    assert "budget" in proposed(text)
    assert "worth" not in proposed(text)
    document, offset = at_cursor(text.replace("retain ▮", "retain budget by ▮"))
    first = min(completion(document, offset), key=lambda item: item.rank)
    assert first.label == "worth"
    assert "norm(keys)" in first.detail


def test_the_word_at_the_cursor_is_replaced() -> None:
    document, offset = at_cursor("at layer 2: retain 50% via mer▮")
    merge = next(item for item in completion(document, offset) if item.label == "merge")
    assert document.text[merge.start : merge.end] == "mer"


def test_a_broken_line_above_is_no_hindrance() -> None:
    broken = "at layer : retain retain\nparam = \n"
    assert "merge" in proposed(broken + "at layer 2: retain 50% via ▮")
    assert "merge" in proposed("at layer 2: retain 5 5 5 via ▮")


def test_a_blank_asks_nothing_where_the_statement_may_end() -> None:
    document, offset = at_cursor("at layer 2: retain 50% ▮")
    assert completion(document, offset, after_space=True) == []
    assert completion(document, offset) != []
    document, offset = at_cursor("at layer 2: retain 50% by ▮")
    assert completion(document, offset, after_space=True) != []


def test_files_for_use(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "inner.eos").write_text("score w = norm(keys)\n", encoding="utf-8")
    (tmp_path / "shared.eos").write_text("", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("", encoding="utf-8")
    here = tmp_path / "here.eos"
    here.write_text("", encoding="utf-8")
    assert proposed('use "▮', here) == ["parts/", "shared.eos"]
    assert proposed('use "parts/▮', here) == ["parts/inner.eos"]
    assert proposed('use "nowhere/▮', here) == []
    assert proposed('use "▮') == []


def accepted(item: Item, text: str) -> bool:
    """Whether what is inserted can be read up to its end."""
    reading = read(text[: item.start] + item.insert)
    return not reading.broken


@pytest.mark.parametrize("marked", [marked for marked in EXACT if not marked.startswith("#")])
def test_what_is_proposed_can_stand_there(marked: str) -> None:
    document, offset = at_cursor(marked)
    wrong = [item.label for item in completion(document, offset) if not accepted(item, document.text)]
    assert wrong == []
