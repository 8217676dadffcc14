"""SparseVLM's raters, rank rule and clusters, FitPrune between attention and MLP, and PACT's clustering, inside tiny
Llama and Qwen2 models, against references written from the papers and `shared/operators.md`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil

import torch
from eager_reference import Reference, Rows
from test_fastv_reference import FORCED, steps
from test_methods_reference import MODELS, keep, visual
from tiny_models import LAYERS, TOKENS, prompt, tiny_llava
from torch import Tensor

import eosdsl
from eosdsl.lowering.compile import compile

Site = Callable[[Rows], Rows]


class SparseVLM:
    """arXiv 2410.04417. Its raters are chosen once, on the rows as they enter the decoder."""

    def __init__(self) -> None:
        self.raters: list[int] = []
        self.kept: list[int] = []

    def choose_raters(self, rows: Rows) -> Rows:
        own = visual(rows)
        asked = torch.arange(int(own[-1]) + 1, len(rows.hidden))
        looks = (rows.hidden[own] @ rows.hidden[asked].T).softmax(dim=1).mean(dim=0)
        # counted from the end: reductions move the rows
        self.raters = [int(i) - len(rows.hidden) for i in asked[looks > looks.mean()]]
        assert 0 < len(self.raters) < len(asked)
        return rows

    def worth(self, rows: Rows, heads: int | None = None) -> Tensor:
        """Mean attention of the raters, over all heads or over the `heads` that look at the image most."""
        assert rows.attention is not None
        block = rows.attention[:, self.raters][:, :, visual(rows)]
        order = block.sum(dim=(1, 2)).argsort(descending=True)
        return block[order[: heads or len(order)]].mean(dim=(0, 1))

    def top(self, count: int, heads: int | None = None) -> Site:
        return lambda rows: keep(rows, visual(rows)[self.worth(rows, heads).topk(count).indices])

    def by_rank(self, scale: float, recycled: float = 0.0, pool: float = 0.0, k: int = 3) -> Site:
        """As many as the rank of the raters' attention calls for; a share of the others comes back as clusters."""

        def site(rows: Rows) -> Rows:
            assert rows.attention is not None
            own = visual(rows)
            block = rows.attention[:, self.raters][:, :, own].mean(dim=0)
            count = min(int(torch.linalg.matrix_rank(block)) * scale // 1, len(own) - 1)
            self.kept.append(int(count))
            order = own[self.worth(rows).argsort(descending=True)].tolist()
            best, others = order[: int(count)], order[int(count) :]
            if not recycled:
                return keep(rows, torch.tensor(best))
            looked_at = others[: ceil(pool * len(others))]
            hidden, centres = clusters(rows.hidden, looked_at, ceil(recycled * len(others)), k)
            return keep(replace(rows, hidden=hidden), torch.tensor([*best, *centres]))

        return site


def clusters(x: Tensor, pool: list[int], count: int, k: int) -> tuple[Tensor, list[int]]:
    """DPC-kNN: centres are dense and far from denser ones; each becomes the mean of those nearest to it."""
    apart = {(i, j): float((x[i] - x[j]).square().mean().sqrt()) for i in pool for j in pool}
    density = {i: -sum(sorted(apart[i, j] ** 2 for j in pool)[:k]) / k for i in pool}
    top = max(apart.values())
    reach = {i: min((apart[i, j] for j in pool if density[j] > density[i]), default=top) for i in pool}
    centres = sorted(pool, key=lambda i: -float(torch.tensor(density[i]).exp()) * reach[i])[:count]
    members: dict[int, list[int]] = {centre: [centre] for centre in centres}
    for i in pool:
        if i not in centres:
            members[min(centres, key=lambda centre, i=i: apart[i, centre])].append(i)
    hidden = x.clone()
    for centre, those in members.items():
        hidden[centre] = x[those].mean(0)
    return hidden, centres


def check(
    spec: str,
    sites: dict[int, Site],
    text: str,
    kv_heads: int,
    *,
    middles: dict[int, Site] | None = None,
    bias: dict[int, float] | None = None,
) -> None:
    model = tiny_llava(kv_heads=kv_heads, text=text)
    for seed, parts in enumerate(([4, 0, 7], [2, 0, 5])):
        p = prompt(parts, seed)
        expected = Reference(model, sites, bias=bias, middles=middles).logits(p, FORCED)
        with compile(eosdsl.parse(spec), model) as compiled:  # pyright: ignore[reportArgumentType]: operators all
            found = steps(compiled, p.inputs(), FORCED)
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@MODELS
def test_sparsevlm_s_raters_are_chosen_once_and_asked_at_every_site(text: str, kv_heads: int) -> None:
    method = SparseVLM()
    spec = "operator sparse\nat layers 1, 3: retain 10 tokens, 5 tokens by attention(query: raters) via prune"
    check(spec, {0: method.choose_raters, 1: method.top(10), 3: method.top(5)}, text, kv_heads)


@MODELS
def test_sparsevlm_plus_asks_the_heads_that_look_most(text: str, kv_heads: int) -> None:
    method = SparseVLM()
    spec = "operator plus\nat layer 2: retain 6 tokens by attention(query: raters, heads: top(2)) via prune"
    check(spec, {0: method.choose_raters, 2: method.top(6, heads=2)}, text, kv_heads)


@MODELS
def test_sparsevlm_s_rank_sets_the_budget(text: str, kv_heads: int) -> None:
    method = SparseVLM()
    spec = "operator rank\nat layers 2, 3: retain rank(1.5) by attention(query: raters) via prune"
    site = method.by_rank(1.5)
    check(spec, {0: method.choose_raters, 2: site, 3: site}, text, kv_heads)
    assert len(set(method.kept)) > 1  # it did depend on the prompt or on the layer


@MODELS
def test_sparsevlm_recycles_a_share_of_what_its_rank_rule_gave_up(text: str, kv_heads: int) -> None:
    method = SparseVLM()
    spec = """operator recycling
    at layer 2:
      retain rank(1.5) by attention(query: raters) via prune
      and retain left(20%) by attention(query: raters) pick density_peaks(k: 3, among: 60%) via merge(weight: mean)"""
    check(spec, {0: method.choose_raters, 2: method.by_rank(1.5, 0.2, 0.6)}, text, kv_heads)


@MODELS
def test_fitprune_keeps_what_question_and_image_both_look_at(text: str, kv_heads: int) -> None:
    """arXiv 2409.10197: (sum over the question of the strongest head) times (mean over the image of the strongest
    head), on the attention of the layer itself; rows go between attention and MLP, so its own cache stays whole."""

    def site(count: int) -> Site:
        def middle(rows: Rows) -> Rows:
            assert rows.attention is not None
            own = visual(rows)
            strongest = rows.attention.amax(dim=0)
            asked = torch.arange(int(own[-1]) + 1, len(rows.hidden))
            cross = strongest[asked][:, own].sum(dim=0)
            among_itself = strongest[own][:, own].mean(dim=0)
            return keep(rows, own[(cross * among_itself).topk(count).indices])

        return middle

    spec = """operator fitprune
    at layers 1, 2 after attention:
      retain 10 tokens, 6 tokens by attention(query: text, heads: max) * attention(query: visual, heads: max)"""
    check(spec, {}, text, kv_heads, middles={1: site(10), 2: site(6)})


@MODELS
def test_pact_drops_the_unimportant_and_clusters_by_density(text: str, kv_heads: int) -> None:
    """arXiv 2504.08966: importance is what the image's tokens pay attention to, times the norm; of the best 55%, a
    token is a centre if no denser centre is within the cutoff; every other token, dropped ones too, joins the nearest
    centre if it is within 1.5 cutoffs; a centre is the plain mean of its members, and later attention knows how many.
    """
    cutoff = 0.6

    def site(rows: Rows) -> Rows:
        assert rows.ahead is not None and rows.keys is not None
        own = visual(rows).tolist()
        seen = rows.ahead[:, own][:, :, own].mean(dim=(0, 1)) * rows.hidden[own].norm(dim=1)
        looked_at = [own[i] for i in seen.topk(ceil(0.55 * TOKENS)).indices.tolist()]
        units = torch.nn.functional.normalize(rows.keys.transpose(0, 1).flatten(1), dim=1)
        apart = (1 - units @ units.T).fill_diagonal_(0)
        density = {i: float((-(apart[i, looked_at] / 2).square()).exp().sum()) for i in looked_at}
        centres: list[int] = []
        for i in sorted(looked_at, key=lambda i: -density[i]):
            if all(apart[i, centre] > cutoff for centre in centres):
                centres.append(i)
        members: dict[int, list[int]] = {centre: [centre] for centre in centres}
        for i in own:
            nearest = min(centres, key=lambda centre, i=i: float(apart[i, centre]))
            if i not in centres and apart[i, nearest] <= 1.5 * cutoff:
                members[nearest].append(i)
        assert any(len(those) > 1 for those in members.values())
        hidden, sizes = rows.hidden.clone(), rows.sizes.clone()
        for centre, those in members.items():
            hidden[centre], sizes[centre] = rows.hidden[those].mean(0), len(those)
        return keep(replace(rows, hidden=hidden, sizes=sizes), torch.tensor(centres))

    spec = f"""operator pact
    at layer 2:
      retain distance {cutoff}
      by attention(query: visual, layer: next) * norm(hidden)
      pick density_peaks(on: keys, by: cosine, kernel: gaussian, among: 55%)
      via merge(within: distance {1.5 * cutoff:.1f}, weight: mean)
      with attention_bias: log_size"""
    check(spec, {2: site}, text, kv_heads, bias=dict.fromkeys(range(2, LAYERS), 1.0))
