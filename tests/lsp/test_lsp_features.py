"""Hints, outline, colours, formatting, findings and what can be done about them."""

from __future__ import annotations

from pathlib import Path

import pytest
from cursor import edited

import eosdsl
from eosdsl.diagnostics import Severity
from eosdsl.lsp.code_actions import Action, code_actions
from eosdsl.lsp.document import LONGEST, Document
from eosdsl.lsp.formatting import formatting
from eosdsl.lsp.inlay_hints import inlay_hints
from eosdsl.lsp.messages import messages
from eosdsl.lsp.semantic_tokens import MODIFIERS, TYPES, semantic_tokens
from eosdsl.lsp.settings import DEFAULTS, Settings, updated
from eosdsl.lsp.symbols import Symbol, document_symbols
from eosdsl.models.registry import facts

SPEC = """# FastV, then less  😀
operator twice for llava
param budget = 64 tokens
score worth = 0.7 * attention(query: last) + 0.3 * norm(keys)

at layer 2: retain 50% by worth via prune   # half
at layers 8, 16: retain 25%, 12.5% by worth
  via mix(0.6 merge, 0.4 prune) with attention_bias: log_size
at layer 24: retain budget by worth
  and retain 4 tokens pick uniform via merge with attention_bias: log_size
expect tokens(mean) <= 400
"""


# --- hints ----------------------------------------------------------------------------------------------------------


def test_hints_are_the_plans_tokens() -> None:
    hints = inlay_hints(Document(SPEC))
    plan = eosdsl.plan(SPEC, "llava")
    after = [plan.tokens_per_layer[layer] for layer in (2, 8, 16, 24)]
    assert after == [288, 144, 72, 68]
    assert [hint.label for hint in hints] == ["576 → 288 tokens", "288 → 144 → 72 tokens", "72 → 68 tokens"]
    assert [SPEC[: hint.offset].rpartition("\n")[2].split()[-1] for hint in hints] == ["prune", "log_size", "log_size"]


def test_hints_are_for_the_chosen_model_and_the_asked_range() -> None:
    big = inlay_hints(Document(SPEC.replace("for llava", "for llava_next")))
    tokens = facts("llava-next").visual_tokens
    assert tokens > 2 * 576
    assert big[0].label == f"{tokens} → {(tokens + 1) // 2} tokens"
    assert inlay_hints(Document(SPEC, settings=Settings(model=None))) == []
    assert len(inlay_hints(Document(SPEC), SPEC.index("at layers"), len(SPEC))) == 2


def test_a_long_range_is_cut_in_the_middle() -> None:
    (hint,) = inlay_hints(Document("at layer 1..31: retain 10%"))
    assert hint.label.startswith("576 → ")
    assert hint.label.endswith("→ 58 tokens")
    assert "…" in hint.label
    assert hint.tooltip.count("\n- layer") == 31


def test_counts_that_depend_on_the_image_are_bounds() -> None:
    (hint,) = inlay_hints(Document("at layer 4: retain mass 90%"))
    assert hint.label.startswith("576 → ≤ ")


def test_broken_text_and_spaces_have_no_hints() -> None:
    assert inlay_hints(Document(SPEC + "at layr")) == []
    assert inlay_hints(Document("at layer 99: retain 50%")) == []
    assert inlay_hints(Document("at layer 2: retain ? 2%..60%")) == []


# --- outline --------------------------------------------------------------------------------------------------------


def test_the_outline_names_what_is_there() -> None:
    symbols = document_symbols(Document(SPEC))
    assert [(one.kind, one.name) for one in symbols] == [
        ("program", "twice"), ("param", "budget"), ("score", "worth"), ("step", "layer 2"), ("step", "layers 8, 16"),
        ("step", "layer 24"), ("goal", "expect tokens(mean) <= 400"),
    ]  # fmt: skip
    assert [child.kind for child in symbols[5].children] == ["group", "group"]


def test_a_name_lies_within_its_symbol() -> None:
    def walk(symbol: Symbol, outer: tuple[int, int]) -> None:
        inner = (symbol.whole.start, symbol.whole.end)
        assert outer[0] <= inner[0] <= symbol.name_span.start <= symbol.name_span.end <= inner[1] <= outer[1]
        for child in symbol.children:
            walk(child, inner)

    for symbol in document_symbols(Document(SPEC)):
        walk(symbol, (0, len(SPEC)))


# --- colours --------------------------------------------------------------------------------------------------------


def test_words_are_coloured_by_what_they_mean() -> None:
    spec = "at layer 5 after attention: retain b by attention(query: last) + worth pick top with order: score # end"
    document = Document("param b = 2%\nscore worth = norm(keys)\n" + spec)
    found = [(document.text[t.start : t.end], t.type) for t in semantic_tokens(document)]
    kinds: dict[str, set[str]] = {}
    for text, kind in found:
        kinds.setdefault(text, set()).add(kind)
    assert kinds["attention"] == {"keyword", "function"}
    assert kinds["score"] == {"keyword", "enumMember"}
    assert kinds["b"] == kinds["worth"] == {"variable"}
    assert kinds["query"] == {"parameter"}
    assert kinds["last"] == {"enumMember"}
    assert kinds["top"] == kinds["norm"] == {"function"}
    assert kinds["order"] == {"property"}
    assert kinds["2%"] == kinds["5"] == {"number"}
    assert kinds["# end"] == {"comment"}


@pytest.mark.parametrize("text", [SPEC, SPEC[:-30] + "at at at ( ]", "]]]\nat layer 2: retain 5%", ""])
def test_coloured_tokens_are_in_order_apart_and_on_one_line(text: str) -> None:
    end = 0
    for token in semantic_tokens(Document(text)):
        assert end <= token.start < token.end
        assert "\n" not in text[token.start : token.end]
        assert token.type in TYPES
        assert set(token.modifiers) <= set(MODIFIERS)
        end = token.end


# --- formatting -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", [SPEC, "at   layer 2 :retain 50%", "# a\r\nat layer 2: retain 50%\r\nexpect flops<=30%\r\n"]
)
def test_formatting_gives_what_the_formatter_gives(text: str) -> None:
    edits = formatting(Document(text))
    assert edited(text, [(e.start, e.end, e.text) for e in edits]) == eosdsl.format(text)
    assert len(edits) <= 1


def test_lines_that_stay_are_not_touched() -> None:
    formatted = eosdsl.format(SPEC)
    text = formatted.replace("at layer 2:", "at  layer 2 :")
    (edit,) = formatting(Document(text))
    assert text[edit.start : edit.end].count("\n") == 1
    assert formatting(Document(formatted)) == []


def test_what_cannot_be_read_is_left_alone() -> None:
    assert formatting(Document("at layr layr ((\n")) == []


# --- findings and actions -------------------------------------------------------------------------------------------


def applied(document: Document, action: Action) -> str:
    return edited(document.text, [(e.span.start, e.span.end, e.replacement) for e in action.edits])


def actions_at(document: Document, word: str) -> list[Action]:
    start = document.text.index(word)
    return code_actions(document, start, start + len(word))


def test_messages_carry_label_notes_and_helps() -> None:
    document = Document("at layer 40: retain 50% by attention(query: last)")
    (message,) = [one for one in messages(document) if one.finding.severity is Severity.ERROR]
    assert document.text[message.start : message.end] in ("40", "layer 40")
    assert "past the last decoder layer" in message.text
    assert "0..31" in message.text


def test_other_labels_are_related_places() -> None:
    document = Document("param b = 3\nparam b = 4\nat layer 2: retain 5% with order: score with order: score")
    related = [document.text[r.span.start : r.span.end] for one in messages(document) for r in one.related]
    assert related


def test_findings_in_used_files_are_shown_at_the_use(tmp_path: Path) -> None:
    (tmp_path / "shared.eos").write_text("# first\nscore worth = nrom(keys)\n", encoding="utf-8")
    text = 'use "shared.eos"\nat layer 2: retain 5%\n'
    found = [one for one in messages(Document(text, tmp_path / "here.eos")) if one.finding.severity is Severity.ERROR]
    assert [text[one.start : one.end] for one in found] == ['"shared.eos"']
    assert Path(found[0].related[0].span.file).name == "shared.eos"
    assert found[0].related[0].span.line == 2


def test_a_finding_without_a_place_is_at_the_top() -> None:
    document = Document("at layer 2: retain 50%", settings=Settings(params={"nobody": "3"}))
    (message,) = [one for one in messages(document) if one.finding.severity is Severity.ERROR]
    assert (message.start, message.end) == (0, 0)


def test_fixes_are_actions_and_mend_what_they_say() -> None:
    document = Document("at layr 2: retain 50% via merg")
    fixes = [one for one in actions_at(document, "layr") if one.finding is not None]
    assert [one.safe for one in fixes] == [True]
    assert applied(document, fixes[0]) == "at layer 2: retain 50% via merg"
    (near,) = actions_at(Document("at layer 2: retain 50% via merg"), "merg")
    assert not near.safe
    assert "check" in near.title
    assert applied(Document("at layer 2: retain 50% via merg"), near).endswith("via merge")


def test_all_safe_fixes_at_once() -> None:
    document = Document("at layr 2: retain 50%\nat layer 5 retain 25%\n")
    (action,) = [one for one in code_actions(document, 0, 0) if one.kind == "source.fixAll"]
    assert action.safe
    assert not [d for d in eosdsl.check(applied(document, action)) if d.severity is Severity.ERROR]


WARNS = "at layer 2: retain 100%"


def test_the_example_warns() -> None:
    assert [d.code for d in eosdsl.check(WARNS, "llava") if d.severity is Severity.WARNING]


@pytest.mark.parametrize("before", ["", "# above\n", "at layer 1: retain 90%   # eos: allow(W0999)\n"])
@pytest.mark.parametrize(
    "comment", ["", "   ", "  # a remark", "  # eos: allow(W0998)", "  # 😀 eos: allow(W0998) too"]
)
def test_a_warning_can_be_allowed_where_it_stands(before: str, comment: str) -> None:
    document = Document(before + WARNS + comment + "\nat layer 9: retain 50%\n")
    warned = [d for d in document.found if d.severity is Severity.WARNING and d.code not in ("W0190", "W0191")]
    offers = [one for one in actions_at(document, WARNS) if one.title.startswith("Allow")]
    assert [one.finding for one in offers] == [d for d in warned if d.span and d.span.line == before.count("\n") + 1]
    assert offers
    left = {d.code for d in eosdsl.check(applied(document, offers[0]), "llava")}
    assert offers[0].finding is not None
    assert offers[0].finding.code not in left


def test_errors_and_information_cannot_be_allowed() -> None:
    document = Document("at layer 40: retain 50%\nat layer 2: retain 50%")
    assert {d.severity for d in document.found} >= {Severity.ERROR}
    offers = [one for one in code_actions(document, 0, len(document.text)) if one.title.startswith("Allow")]
    assert all(one.finding is not None and one.finding.severity is Severity.WARNING for one in offers)


def test_texts_beyond_all_measure_are_checked_and_nothing_else() -> None:
    document = Document("at layr 2: retain 5%\n" * (LONGEST // 20))
    assert messages(document)
    assert document.reading.marks == ()
    assert (semantic_tokens(document), document_symbols(document), inlay_hints(document)) == ([], [], [])
    assert formatting(document) == []


# --- settings -------------------------------------------------------------------------------------------------------


def test_settings_take_what_is_right_and_pass_over_the_rest() -> None:
    assert updated(DEFAULTS, None) == DEFAULTS
    assert updated(DEFAULTS, {"model": "qwen2-vl-7b"}).model == "qwen2-vl-7b"
    assert updated(DEFAULTS, {"eosdsl": {"model": "", "textTokens": 16}}) == Settings(model=None, text_tokens=16)
    assert updated(DEFAULTS, {"params": {"b": 3}, "allowOutside": True}) == Settings(
        params={"b": "3"}, allow_outside=True
    )
    assert updated(DEFAULTS, {"model": 3, "params": [], "textTokens": -1, "allowOutside": "no"}) == DEFAULTS
    assert updated(DEFAULTS, [1, 2]) == DEFAULTS
