"""Published methods inside the decoder, as specs write them, against references written from their papers, on tiny
Llama and Qwen2 models: logits after the prompt and while decoding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import ceil

import pytest
import torch
from eager_reference import Reference, Rows, pick
from test_fastv_reference import FORCED, steps
from tiny_models import TOKENS, prompt, tiny_llava
from torch import Tensor

import eosdsl
from eosdsl.lowering.compile import compile

Site = Callable[[Rows], Rows]
MODELS = pytest.mark.parametrize(("text", "kv_heads"), [("llama", 4), ("qwen2", 2)])


def visual(rows: Rows) -> Tensor:
    return rows.visual.nonzero()[:, 0]


def keep(rows: Rows, chosen: Tensor) -> Rows:
    """The text and the chosen visual rows, in their order."""
    return pick(rows, torch.cat([(~rows.visual).nonzero()[:, 0], chosen]).sort().values)


def check(spec: str, sites: Mapping[int, Site], text: str, kv_heads: int, compact: int = 99) -> None:
    model = tiny_llava(kv_heads=kv_heads, text=text)
    program = eosdsl.parse(spec)
    for seed, parts in enumerate(([4, 0, 6], [2, 0, 3])):
        p = prompt(parts, seed)
        expected = Reference(model, sites, compact=compact).logits(p, FORCED)
        with compile(program, model) as compiled:  # pyright: ignore[reportArgumentType]: these are operators
            found = steps(compiled, p.inputs(), FORCED)
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@MODELS
def test_pyramiddrop_keeps_shares_of_the_original_and_counts_positions_anew(text: str, kv_heads: int) -> None:
    """arXiv 2410.17247: attention of the instruction's last token in the layer to come; ratios of the whole image."""

    def stage(share: float) -> Site:
        def site(rows: Rows) -> Rows:
            assert rows.ahead is not None
            own = visual(rows)
            left = keep(rows, own[rows.ahead[:, -1, own].mean(0).topk(ceil(TOKENS * share)).indices])
            return replace(left, positions=torch.arange(len(left.positions)))

        return site

    spec = """operator pyramiddrop
    at layers 1, 2, 4:
      retain 50%, 25%, 12.5% by attention(query: last, layer: next) via prune with positions: compact"""
    check(spec, {1: stage(0.5), 2: stage(0.25), 4: stage(0.125)}, text, kv_heads, compact=1)


@MODELS
def test_dart_keeps_what_is_least_like_the_pivots(text: str, kv_heads: int) -> None:
    """arXiv 2502.11494: pivots by the 1-norm of the keys of the layer before; an equal share for each."""

    def site(rows: Rows) -> Rows:
        assert rows.keys is not None
        own = visual(rows)
        norms = rows.keys.transpose(0, 1).flatten(1).abs().sum(1)
        units = torch.nn.functional.normalize(rows.hidden, dim=1)
        chosen: list[int] = own[norms[own].topk(2).indices].tolist()
        for pivot in list(chosen):
            left = [i for i in own.tolist() if i not in chosen]
            chosen += sorted(left, key=lambda i, p=pivot: float(units[i] @ units[p]))[:3]
        return keep(rows, torch.tensor(chosen))

    spec = "operator dart\nat layer 2: retain 8 tokens by norm(keys, p: 1) pick repel(pivots: 2) via prune"
    check(spec, {2: site}, text, kv_heads)


@MODELS
def test_divprune_keeps_the_farthest_apart_before_the_decoder(text: str, kv_heads: int) -> None:
    """arXiv 2503.02175: max-min diversity of what enters the decoder."""

    def site(rows: Rows) -> Rows:
        own = visual(rows).tolist()
        units = torch.nn.functional.normalize(rows.hidden, dim=1)
        apart = 1 - units @ units.T
        chosen = [max(own, key=lambda i: min(float(apart[i, j]) for j in own if j != i))]
        while len(chosen) < 5:
            left = [i for i in own if i not in chosen]
            chosen.append(max(left, key=lambda i: min(float(apart[i, j]) for j in chosen)))
        return keep(rows, torch.tensor(chosen))

    check("operator divprune\nat input: retain 5 tokens pick diverse via prune", {0: site}, text, kv_heads)


@MODELS
def test_vtw_withdraws_every_visual_token(text: str, kv_heads: int) -> None:
    """arXiv 2405.05803."""
    check("operator vtw\nat layer 3: remove all", {3: lambda rows: keep(rows, visual(rows)[:0])}, text, kv_heads)


@MODELS
def test_holitom_folds_dropped_tokens_in_by_halves(text: str, kv_heads: int) -> None:
    """arXiv 2505.21334, inside the decoder: (a + b) / 2 with the most similar kept token, one dropped token after
    the other."""

    def site(rows: Rows) -> Rows:
        assert rows.attention is not None
        own = visual(rows)
        kept = own[rows.attention[:, -1, own].mean(0).topk(TOKENS // 2).indices].sort().values.tolist()
        units = torch.nn.functional.normalize(rows.hidden, dim=1)
        hidden = rows.hidden.clone()
        for i in own.tolist():
            if i not in kept:
                goal = max(kept, key=lambda k, i=i: float(units[i] @ units[k]))
                hidden[goal] = (hidden[goal] + rows.hidden[i]) / 2
        return keep(replace(rows, hidden=hidden), torch.tensor(kept))

    spec = "operator holitom\nat layer 2: retain 50% by attention(query: last) via merge(combine: sequential)"
    check(spec, {2: site}, text, kv_heads)


@MODELS
def test_two_groups_prune_and_recycle_as_sparsevlm_does(text: str, kv_heads: int) -> None:
    """arXiv 2410.04417 without its raters: the best by the question's attention stay; of the others the best 30% become
    clusters around density peaks, each the mean of its members."""

    def site(rows: Rows) -> Rows:
        assert rows.attention is not None
        own = visual(rows)
        asked = [i for i in range(len(rows.hidden)) if not rows.visual[i] and i > int(own[-1])]
        worth = rows.attention[:, asked][:, :, own].mean((0, 1))
        order = own[worth.argsort(descending=True)].tolist()
        kept, pool = order[:6], order[6 : 6 + ceil(0.3 * (TOKENS - 6))]
        x = rows.hidden
        apart = {(i, j): float((x[i] - x[j]).square().mean().sqrt()) for i in pool for j in pool}
        density = {i: -sum(sorted(apart[i, j] ** 2 for j in pool)[:3]) / 3 for i in pool}
        top = max(apart.values())
        reach = {i: min((apart[i, j] for j in pool if density[j] > density[i]), default=top) for i in pool}
        centre = max(pool, key=lambda i: float(torch.tensor(density[i]).exp()) * reach[i])
        hidden = x.clone()
        hidden[centre] = x[pool].mean(0)
        return keep(replace(rows, hidden=hidden), torch.tensor([*kept, centre]))

    spec = """operator sparse
    at layer 2:
      retain 6 tokens by attention(query: text) via prune
      and retain 1 token by attention(query: text) pick density_peaks(k: 3, among: 30%) via merge"""
    check(spec, {2: site}, text, kv_heads)
