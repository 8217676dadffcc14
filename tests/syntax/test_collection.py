"""The collector is paused while a spec is read, and is as it was afterwards, also after a failure."""

from __future__ import annotations

import gc

import pytest

from eosdsl.collection import collects_later
from eosdsl.diagnostics import SpecError
from eosdsl.source import SourceFile
from eosdsl.syntax.format import format_text
from eosdsl.syntax.parse import parse_syntax


@collects_later
def enabled_inside() -> bool:
    return gc.isenabled()


def test_it_waits_and_goes_on() -> None:
    assert gc.isenabled()
    assert enabled_inside() is False
    assert gc.isenabled()


def test_who_has_turned_it_off_keeps_it_off() -> None:
    gc.disable()
    try:
        assert enabled_inside() is False
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_it_goes_on_after_a_failure() -> None:
    with pytest.raises(SpecError):
        format_text("at")
    assert gc.isenabled()


def test_trees_hold_no_cycles() -> None:
    """Else they would stay until the collector comes: what it has to free does not grow with the text."""
    text = "at layer 2: retain 50% by 0.7 * norm(keys) + x via mix(merge, prune)\nat leyer 3: retain\n"
    assert unfreed(text * 50) == unfreed(text)


def unfreed(text: str) -> int:
    """Objects that only the collector frees after a text was read."""
    gc.collect()
    gc.disable()
    try:
        parse_syntax(SourceFile("<text>", text))
        return gc.collect()
    finally:
        gc.enable()
