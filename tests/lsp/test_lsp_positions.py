"""Offsets and the protocol's positions: every encoding, every line end, and texts that are hardly text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eosdsl.lsp.positions import Encoding, Lines, Position

ENCODINGS: tuple[Encoding, ...] = ("utf-8", "utf-16", "utf-32")
CODECS = {"utf-8": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
WIDTHS = {"utf-8": 1, "utf-16": 2, "utf-32": 4}


def units(text: str, encoding: Encoding) -> int:
    """Code units, counted by Python's codecs: an independent reference."""
    return len(text.encode(CODECS[encoding], "surrogatepass")) // WIDTHS[encoding]


@pytest.mark.parametrize(
    ("encoding", "character"), [("utf-8", 4 + 3 + 2 + 1), ("utf-16", 2 + 1 + 1 + 1), ("utf-32", 4)]
)
def test_characters_have_the_units_of_their_encoding(encoding: Encoding, character: int) -> None:
    lines = Lines("# first\n😀層é.x")
    assert lines.position(len("# first\n😀層é."), encoding) == (1, character)
    assert lines.offset(Position(1, character), encoding) == len("# first\n😀層é.")


def test_only_the_protocols_line_ends_end_lines() -> None:
    text = "a\nb\r\nc\rd\x0be\x0cf\x85g\u2028h"
    assert [Lines(text).position(text.index(letter), "utf-16").line for letter in "abcdefgh"] == [
        0,
        1,
        2,
        3,
        3,
        3,
        3,
        3,
    ]


def test_places_outside_are_the_nearest_inside() -> None:
    lines = Lines("ab\r\ncd")
    assert lines.offset(Position(0, 99), "utf-16") == 2
    assert lines.offset(Position(9, 0), "utf-16") == 6
    assert lines.position(99, "utf-16") == (1, 2)
    assert lines.position(-1, "utf-16") == (0, 0)
    assert lines.position(3, "utf-16") == (0, 2), "between CR and LF is the end of the line"


def test_inside_a_surrogate_pair_is_before_its_character() -> None:
    assert Lines("a😀b").offset(Position(0, 2), "utf-16") == 1
    assert Lines("a😀b").offset(Position(0, 3), "utf-16") == 2


def test_lone_surrogates_are_counted_and_raise_nothing() -> None:
    assert Lines("\ud83dx").position(1, "utf-16") == (0, 1)
    assert Lines("\ud83dx").position(1, "utf-8") == (0, 3)


texts = st.text(st.sampled_from("ab #\n\r\t😀層é\u2028\ud800"), max_size=30)


@given(texts, st.sampled_from(ENCODINGS))
def test_offset_and_position_undo_each_other(text: str, encoding: Encoding) -> None:
    lines = Lines(text)
    for offset in range(len(text) + 1):
        position = lines.position(offset, encoding)
        inside_crlf = text[max(offset - 1, 0) : offset + 1] == "\r\n"
        assert lines.offset(position, encoding) == offset - inside_crlf
        line = text[:offset].replace("\r\n", "\n").replace("\r", "\n").rpartition("\n")[2]
        if not inside_crlf and not text[:offset].endswith("\r"):
            assert position.character == units(line, encoding)
