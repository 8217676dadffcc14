"""Definition, references and rename of scores and params, within a file and across `use`."""

from __future__ import annotations

from pathlib import Path

import pytest
from cursor import at_cursor, edited

import eosdsl
from eosdsl.lsp.definition import definition, references
from eosdsl.lsp.document import Document
from eosdsl.lsp.names import Occurrence
from eosdsl.lsp.rename import NotPossible, renamable, rename

SPEC = """param budget = 64 tokens
param first = 2
score worth = 0.7 * attention(query: last) + 0.3 * norm(keys)
score both = worth + norm(values)
at layer first..8: retain budget by worth
at layer 20: retain 16 tokens by ? * both + 2 * worth with order: score
subject to tokens(mean) <= budget
"""


def places(found: list[Occurrence]) -> list[tuple[int, str]]:
    """Line (from 1) and text of every occurrence."""
    texts = [(one, one.document.text) for one in found]
    return sorted((text.count("\n", 0, one.start) + 1, text[one.start : one.end]) for one, text in texts)


@pytest.mark.parametrize(
    ("name", "lines"), [("budget", [1, 5, 7]), ("first", [2, 5]), ("worth", [3, 4, 5, 6]), ("both", [4, 6])]
)
def test_references_are_all_uses_and_the_declaration(name: str, lines: list[int]) -> None:
    document = Document(SPEC)
    for occurrence in [i for i in range(len(SPEC)) if SPEC.startswith(name, i)]:
        assert places(references(document, occurrence)) == [(line, name) for line in lines]
        without = references(document, occurrence, with_declaration=False)
        assert places(without) == [(line, name) for line in lines[1:]]


def test_definition_is_the_declaration() -> None:
    document, offset = at_cursor(SPEC.replace("retain budget", "retain ▮budget"))
    found = definition(document, offset)
    assert found is not None
    assert found.declares
    assert SPEC[found.start :].startswith("budget = 64")


WORDS = ["* ▮attention", "query: ▮last", "order: ▮score", "▮at layer first", "with ▮order"]


@pytest.mark.parametrize("marked", WORDS)
def test_other_words_are_nobodys_names(marked: str) -> None:
    document, offset = at_cursor(SPEC.replace(marked.replace("▮", ""), marked, 1))
    assert definition(document, offset) is None
    assert references(document, offset) == []
    assert renamable(document, offset) is None
    with pytest.raises(NotPossible):
        rename(document, offset, "other")


def test_names_that_look_alike_stay_apart() -> None:
    text = "param keys = 3\nscore last = norm(hidden)\nat layer keys: retain 5% by last + attention(query: last)"
    found = references(Document(text), text.index("last"))
    assert places(found) == [(2, "last"), (3, "last")], "the value of `query` is no score"
    assert places(references(Document(text), text.index("keys"))) == [(1, "keys"), (3, "keys")]
    named = "param layer = 3\nat layer layer: retain 5% by attention(layer: next)"
    assert places(references(Document(named), named.index("layer"))) == [(1, "layer"), (2, "layer")]


@pytest.mark.parametrize("name", ["budget", "first", "worth", "both"])
def test_renaming_changes_no_meaning(name: str) -> None:
    document = Document(SPEC)
    found = rename(document, SPEC.index(f" {name}") + 1, "fresh_name")
    changed = edited(SPEC, [(one.start, one.end, "fresh_name") for one in found])
    assert name not in changed.replace("fresh_name", "").replace("first..", "").split()
    assert eosdsl.parse(changed) == eosdsl.parse(SPEC)


@pytest.mark.parametrize("name", ["", "2x", "a b", "a-b", "é", "worth", "merge", "attention"])
def test_a_name_that_cannot_be_is_refused_with_the_reason(name: str) -> None:
    with pytest.raises(NotPossible, match=r"`|name"):
        rename(Document(SPEC), SPEC.index("budget"), name)


def test_the_same_name_is_no_change() -> None:
    assert rename(Document(SPEC), SPEC.index("budget"), "budget") == []


def test_broken_text_can_be_renamed_in() -> None:
    text = SPEC + "at layer : retain worth by\nat layer 9: retain 3% by worth"
    assert (9, "worth") in places(references(Document(text), text.index("worth")))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "shared.eos").write_text(
        "score worth = norm(keys)\nscore more = worth + norm(values)\n", encoding="utf-8"
    )
    (tmp_path / "other.eos").write_text('use "shared.eos"\nat layer 9: retain 5% by worth\n', encoding="utf-8")
    return tmp_path


HERE = 'use "shared.eos"\nat layer 2: retain 50% by ▮worth\n'


def test_definitions_are_found_in_used_files(files: Path) -> None:
    document, offset = at_cursor(HERE, files / "here.eos")
    found = definition(document, offset)
    assert found is not None
    assert (found.document.path, found.start) == (files / "shared.eos", 6)
    assert len(references(document, offset)) == 3


def test_rename_goes_through_used_files_and_open_ones(files: Path) -> None:
    document, offset = at_cursor(HERE, files / "here.eos")
    other = Document((files / "other.eos").read_text(encoding="utf-8"), files / "other.eos")
    stranger = Document("score worth = norm(hidden)\n", files / "stranger.eos")
    found = rename(document, offset, "value", [other, stranger])
    changed = {one.document.path.name for one in found if one.document.path is not None}
    assert changed == {"here.eos", "shared.eos", "other.eos"}
    assert len(found) == 4


def test_the_path_of_a_use_leads_to_its_file(files: Path) -> None:
    document, offset = at_cursor(HERE.replace("▮", "").replace("shared", "sha▮red"), files / "here.eos")
    found = definition(document, offset)
    assert found is not None
    assert (found.document.path, found.start, found.end) == (files / "shared.eos", 0, 0)


def test_files_that_use_each_other_end(files: Path) -> None:
    (files / "a.eos").write_text('use "b.eos"\nscore x = norm(keys)\n', encoding="utf-8")
    (files / "b.eos").write_text('use "a.eos"\nuse "missing.eos"\n', encoding="utf-8")
    document, offset = at_cursor('use "a.eos"\nat layer 1: retain 5% by ▮x', files / "here.eos")
    assert len(references(document, offset)) == 2
