"""torch.compile takes the finished graph whole: counts come from the host, so nothing in it breaks it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from every_family import FAMILIES
from test_batches import MIXED, SPECS, UNIFORM
from tiny_models import batch, program, prompt, tiny_llava

from eosdsl.lowering.compile import compile

PROMPTS = {"one": prompt([3, 0, 5]), "uniform": batch(UNIFORM), "mixed": batch(MIXED)}
QUICK = [(0, "mixed", True), (2, "uniform", False)]
REST = [(spec, p, cache) for spec in (0, 2, 3, 5) for p in PROMPTS for cache in (True, False)]


@pytest.mark.parametrize(
    ("spec", "prompts", "use_cache"),
    [*QUICK, *(pytest.param(*one, marks=pytest.mark.slow) for one in REST if one not in QUICK)],
)
def test_prefill_is_one_graph(spec: int, prompts: str, use_cache: bool) -> None:
    p = PROMPTS[prompts]
    torch.compiler.reset()
    graphs: list[Any] = []

    def count(graph: Any, _: Any) -> Any:
        graphs.append(graph)
        return graph

    with compile(program(SPECS[spec]), tiny_llava()) as compiled:
        expected = compiled(**p.inputs(), use_cache=use_cache).logits
        compiled.graph.compile(backend=count, fullgraph=True)
        found = compiled(**p.inputs(), use_cache=use_cache).logits
        again = compiled(**p.inputs(), use_cache=use_cache).logits
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(again, expected, atol=1e-5, rtol=1e-5)
    assert len(graphs) == 1


@pytest.mark.slow
def test_generation_with_a_compiled_graph() -> None:
    """Prefill and decoding are each traced whole; the answer stays."""
    torch.compiler.reset()
    p = batch(MIXED)
    with compile(program(SPECS[2]), tiny_llava()) as compiled:
        expected = compiled.generate(**p.inputs(), max_new_tokens=4)
        compiled.graph.compile(backend="eager", fullgraph=True)
        assert torch.equal(compiled.generate(**p.inputs(), max_new_tokens=4), expected)


QUICK_FAMILIES = ("gemma3", "paligemma")
"""A mask for each kind of layer, and blocks that see in both directions."""


@pytest.mark.parametrize(
    "name",
    [*QUICK_FAMILIES, *(pytest.param(n, marks=pytest.mark.slow) for n in FAMILIES if n not in QUICK_FAMILIES)],
)
@pytest.mark.parametrize(
    "spec",
    [
        "at layer 2: retain 25%",
        "at input: retain 5 tokens by norm(hidden) via merge\n"
        "at layer 3: retain 3 tokens by attention(query: text) with positions: compact",
    ],
)
def test_prefill_of_every_family_is_one_graph(name: str, spec: str) -> None:
    """With masks and rotary embeddings by kind of layer, too; and the same graph for another image of that size."""
    family = FAMILIES[name]
    torch.compiler.reset()
    graphs: list[Any] = []

    def count(graph: Any, _: Any) -> Any:
        graphs.append(graph)
        return graph

    with compile(spec, family.build(family.attentions[0])) as compiled:
        prompts = [family.prompt([3, family.usual, 5], seed) for seed in (1, 2)]
        expected = [compiled(**one).logits for one in prompts]
        compiled.graph.compile(backend=count, fullgraph=True)
        for one, wanted in zip(prompts, expected, strict=True):
            torch.testing.assert_close(compiled(**one).logits, wanted, atol=1e-5, rtol=1e-5)
    assert len(graphs) == 1
