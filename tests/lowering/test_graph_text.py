"""`graph.py` is what runs: in every family, and in the vision tower."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from every_family import FAMILIES, every_family
from families import Family, batch

import eosdsl
from eosdsl.lowering.python_text import graph_text

SPEC = "at input: retain 9 tokens by norm(hidden) via merge\nat layer 3: retain 3 tokens by attention(query: text)"


def functions(compiled: Any) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(graph_text(compiled.lowered, compiled.schedule), names)
    return names


@every_family
def test_the_decoder_as_text_is_the_graph_that_runs(family: Family) -> None:
    inputs = batch([family.prompt([3, family.usual, 5], 1), family.prompt([2, family.usual, 2], 2)])
    with torch.no_grad(), eosdsl.compile(SPEC, family.build(family.attentions[0])) as compiled:
        expected = compiled(**inputs).logits
        compiled.graph.forward = functions(compiled)["forward"].__get__(compiled.graph)
        assert torch.equal(compiled(**inputs).logits, expected)


@pytest.mark.parametrize("name", ["llava", "vipllava"])
def test_the_tower_as_text_is_the_graph_that_runs(name: str) -> None:
    """Features of several layers side by side, too."""
    spec = "at encoder layer 0: retain 50% by norm via merge\nat layer 2: retain 3 tokens by norm"
    family = FAMILIES[name]
    inputs = family.prompt([3, family.usual, 5], 1)
    with torch.no_grad(), eosdsl.compile(spec, family.build("sdpa")) as compiled:
        expected = compiled(**inputs).logits
        assert compiled.tower_graph is not None
        names, ran = functions(compiled), list[str]()

        def tower(self: Any, *args: Any, **kwargs: Any) -> Any:
            ran.append("tower")
            return names["tower"](self, *args, **kwargs)

        compiled.tower_graph.forward = tower.__get__(compiled.tower_graph)
        compiled.graph.forward = names["forward"].__get__(compiled.graph)
        assert torch.equal(compiled(**inputs).logits, expected)
    assert ran == ["tower"]
