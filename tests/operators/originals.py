"""Published methods written plainly in NumPy from their descriptions, token by token, as cases of any size and seed.

Nothing here uses the package: these are what its operators are held against.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Made = tuple[dict[str, Array], dict[str, Any]]
Maker = Callable[[np.random.Generator, int], Made]


def write(folder: Path, name: str, made: Made) -> Path:
    arrays, meta = made
    path = folder / f"{name}.npz"
    np.savez(path, allow_pickle=False, **arrays, meta=np.array(json.dumps(meta)))
    return path


def unit(x: Array) -> Array:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def descending(x: Array) -> Array:
    return np.argsort(-x, kind="stable")


def normal(rng: np.random.Generator, *shape: int) -> Array:
    return rng.standard_normal(shape).astype(np.float32)


def match(hidden: Array, metric: Array, sizes: Array, removed: int, front: bool) -> tuple[Array, Array]:
    """Bipartite soft matching: even rows into odd ones; with a class token in front, which stays."""
    metric = unit(metric.astype(np.float64))
    a, b = list(range(0, len(hidden), 2)), list(range(1, len(hidden), 2))
    best = np.array([max(metric[i] @ metric[j] for j in b) for i in a])
    goal = [int(np.argmax([metric[i] @ metric[j] for j in b])) for i in a]
    if front:
        best[0] = -np.inf
    order = descending(best)
    gone, stay = order[:removed], order[removed:]
    stay = np.sort(stay) if front else stay
    total = [hidden[j].astype(np.float64) * sizes[j] for j in b]
    grown = [float(sizes[j]) for j in b]
    for i in gone:
        total[goal[i]] = total[goal[i]] + hidden[a[i]] * sizes[a[i]]
        grown[goal[i]] += float(sizes[a[i]])
    rows = [hidden[a[i]].astype(np.float64) for i in stay] + [t / g for t, g in zip(total, grown, strict=True)]
    return np.stack(rows), np.array([float(sizes[a[i]]) for i in stay] + grown)


def tome(rng: np.random.Generator, n: int, *, front: bool = True) -> Made:
    removed, layers = n // 6, 2
    arrays: dict[str, Array] = {"in_hidden": normal(rng, 2, n + front, 12)}
    hidden = [arrays["in_hidden"][b] for b in range(2)]
    sizes = [np.ones(n + front) for _ in range(2)]
    for layer in range(1, layers + 1):
        keys = normal(rng, 2, len(hidden[0]), 6)
        made = [match(hidden[b], keys[b], sizes[b], removed, front) for b in range(2)]
        hidden, sizes = [m[0] for m in made], [m[1] for m in made]
        arrays[f"in_keys_layer{layer}"] = keys
        arrays[f"out_hidden_layer{layer}"] = np.stack(hidden).astype(np.float32)
        arrays[f"out_sizes_layer{layer}"] = np.stack(sizes).astype(np.float32)[:, :, None]
    return arrays, {"method": "ToMe", "remove": removed, "class_token": front, "layers": layers, "atol": 1e-5}


def tome_without_class_token(rng: np.random.Generator, n: int) -> Made:
    return tome(rng, n, front=False)


def aim_merge(rng: np.random.Generator, n: int) -> Made:
    hidden = normal(rng, 1, n, 10)
    arrays: dict[str, Array] = {"in_hidden": hidden}
    now, remove = hidden[0], [n // 3, n // 5]
    for number, removed in enumerate(remove, start=1):
        now, _ = match(now, now, np.ones(len(now)), removed, False)
        arrays[f"out_hidden_{number}"] = now[None].astype(np.float32)
    return arrays, {"method": "AIM iterative merge", "remove": remove, "atol": 1e-5}


def aim_pagerank(rng: np.random.Generator, n: int) -> Made:
    logits = normal(rng, 1, 3, n, n)
    logits[:, :, np.triu(np.ones((n, n), bool), 1)] = -np.inf
    passed = softmax(logits.astype(np.float64) / 0.1)[0]
    mass = np.full((3, n), 1 / n)
    for _ in range(5):
        mass = np.stack([mass[h] @ passed[h] for h in range(3)])
    scores = np.sqrt((mass**2).mean(0))[None].astype(np.float32)
    meta = {"method": "AIM PageRank importance over attention logits", "atol": 1e-5}
    return {"in_logits": logits, "out_scores": scores}, meta


def cdpruner(rng: np.random.Generator, n: int) -> Made:
    retain = n // 4
    features, embeds, text = normal(rng, 2, n, 2 * n), normal(rng, 2, n, 8), normal(rng, 3, 8)
    relevance = -(unit(embeds.astype(np.float64)) @ unit(text.astype(np.float64)).T).mean(-1)
    relevance = (relevance - relevance.min()) / (relevance.max() - relevance.min())  # of the whole batch
    mask = np.zeros((2, n), bool)
    for b in range(2):
        x = unit(features[b].astype(np.float64))
        kernel = relevance[b][:, None] * (x @ x.T) * relevance[b][None]
        for _ in range(retain):
            chosen = [int(j) for j in np.flatnonzero(mask[b])]
            volumes = [-np.inf if mask[b, j] else _volume(kernel, [*chosen, j]) for j in range(n)]
            mask[b, int(np.argmax(volumes))] = True
    arrays = {"in_features": features, "in_image_embeds": embeds, "in_text_embeds": text, "out_mask": mask}
    return arrays, {"method": "CDPruner", "retain": retain, "atol": 1e-5}


def _volume(kernel: Array, chosen: list[int]) -> float:
    """log det of the kernel on a set: what a determinantal point process makes large, step by step."""
    sign, value = np.linalg.slogdet(kernel[np.ix_(chosen, chosen)])
    return float(value) if sign > 0 else -np.inf


def dart(rng: np.random.Generator, n: int) -> Made:
    before, after, pivots, asked = 5, 17, 3, n // 3
    hidden, keys = normal(rng, 1, before + n + after, 12), normal(rng, 1, 2, before + n + after, 6)
    x = unit(hidden[0].astype(np.float64))
    norms = np.abs(keys[0].transpose(1, 0, 2).reshape(len(x), -1)).sum(1)
    image, text = list(range(before, before + n)), list(range(before + n, before + n + after))
    first = sorted(image, key=lambda i: -norms[i])[:pivots]
    second = sorted(text, key=lambda i: -norms[i])[:pivots]
    kept = list(first)
    for pivot in set(first + second):
        left = [i for i in image if i not in kept]
        kept += sorted(left, key=lambda i: float(x[i] @ x[pivot]))[: asked // (2 * pivots)]
    meta = {"method": "DART", "visual_start": before, "visual_count": n, "pivot_image": pivots, "pivot_text": pivots}
    arrays = {"in_hidden": hidden, "in_keys": keys, "out_kept": np.array(sorted(kept))}
    return arrays, {**meta, "requested": asked, "atol": 1e-5}


def diffrate(rng: np.random.Generator, n: int) -> Made:
    hidden, kept = normal(rng, 2, n + 1, 9), n // 4 + 1
    out: list[Array] = []
    for x in hidden.astype(np.float64):
        u = unit(x)
        members = {i: [x[i]] for i in range(kept)}
        for j in range(kept, n + 1):
            members[1 + int(np.argmax([u[i] @ u[j] for i in range(1, kept)]))].append(x[j])
        out.append(np.stack([np.mean(members[i], axis=0) for i in range(kept)]))
    return {"in_hidden": hidden, "out_hidden": np.stack(out).astype(np.float32)}, {
        "method": "DiffRate merge",
        "kept": kept,
        "atol": 1e-5,
    }


def divprune(rng: np.random.Generator, n: int) -> Made:
    features, retain = normal(rng, n, 11), n // 5
    x = unit(features.astype(np.float64))
    apart = 1 - x @ x.T
    nearest = [min(apart[i, j] for j in range(n) if j != i) for i in range(n)]
    kept = [int(np.argmax(nearest))]
    while len(kept) < retain:
        worth = [-1.0 if i in kept else min(apart[i, j] for j in kept) for i in range(n)]
        kept.append(int(np.argmax(worth)))
    return {"in_features": features, "out_kept": np.array(sorted(kept))}, {
        "method": "DivPrune",
        "retain": retain,
        "atol": 1e-5,
    }


def grid_pooling(rng: np.random.Generator, n: int) -> Made:
    window, rows, columns = 3, 3 * max(2, n // 20), 9
    hidden = normal(rng, 2, rows * columns, 7)
    table = hidden.reshape(2, rows, columns, 7)
    out = [
        table[:, r : r + window, c : c + window].mean((1, 2))
        for r in range(0, rows, window)
        for c in range(0, columns, window)
    ]
    meta = {"method": f"{window}x{window} average pooling over the patch grid", "grid": [rows, columns], "atol": 1e-5}
    return {"in_hidden": hidden, "out_hidden": np.stack(out, axis=1)}, meta


def pact(rng: np.random.Generator, n: int) -> Made:
    cutoff, coefficient, centres = 0.21, 1.5, max(3, n // 8)
    middle = rng.standard_normal((centres, 10))
    keys = (middle[rng.integers(0, centres, n)] + 0.35 * rng.standard_normal((n, 10))).astype(np.float32)
    others = (middle[rng.integers(0, centres, n // 2)] + 0.6 * rng.standard_normal((n // 2, 10))).astype(np.float32)
    hidden, pruned = normal(rng, n, 6), normal(rng, n // 2, 6)
    k, o = unit(keys.astype(np.float64)), unit(others.astype(np.float64))
    apart = 1 - k @ k.T
    density = np.exp(-((apart / 2) ** 2)).sum(1)
    chosen: list[int] = []
    for i in descending(density):
        if all(apart[i, j] > cutoff for j in chosen):
            chosen.append(int(i))
    members: dict[int, list[Array]] = {i: [hidden[i].astype(np.float64)] for i in chosen}
    for i in range(n):
        if i not in chosen:
            members[min(chosen, key=lambda c: float(apart[i, c]))].append(hidden[i])
    for j in range(len(pruned)):
        nearest = max(chosen, key=lambda c: float(o[j] @ k[c]))
        if 1 - o[j] @ k[nearest] <= cutoff * coefficient:
            members[nearest].append(pruned[j])
    rows, sizes, mask = np.zeros((n, 6), np.float32), np.zeros(n, np.float32), np.zeros((n, 1), bool)
    for i, many in members.items():
        rows[i], sizes[i], mask[i] = np.mean(many, axis=0), len(many), True
    arrays = {"in_hidden": hidden, "in_keys": keys, "in_pruned_hidden": pruned, "in_pruned_keys": others}
    meta = {"method": "PACT DBDPC", "cutoff": cutoff, "pruned_coefficient": coefficient, "atol": 1e-5}
    return {**arrays, "out_hidden": rows, "out_mask": mask, "out_sizes": sizes}, meta


def prumerge(rng: np.random.Generator, n: int) -> Made:
    n = max(n, 40)  # 32 neighbours have to be there
    hidden, queries, keys = normal(rng, 1, n + 1, 8), normal(rng, 1, n + 1, 8), normal(rng, 1, n + 1, 8)
    keys[0, [4, 9, 21]] = 4 * queries[0, 0] + normal(rng, 3, 8)  # so that some stand out
    x, k = hidden[0].astype(np.float64), keys[0].astype(np.float64)
    share = softmax(queries[0, 0].astype(np.float64) @ k.T / np.sqrt(8))[1:]
    low, high = np.percentile(share, 25), np.percentile(share, 75)
    ratio = int((share > high + 1.5 * (high - low)).sum()) / n
    kept = descending(share)[: int(n * ratio)]
    x, u = x[1:], unit(k[1:])
    rows: list[Array] = []
    for i in kept:
        near = sorted((j for j in range(n) if j != i), key=lambda j, i=i: -float(u[i] @ u[j]))[:32]
        rows.append(x[i] + sum(share[j] * x[j] for j in near))
    rows.append(sum((share[j] * x[j] for j in range(n) if j not in kept), start=np.zeros(8)))
    out = np.stack(rows)[None].astype(np.float32)
    return {"in_hidden": hidden, "in_queries": queries, "in_keys": keys, "out_hidden": out}, {
        "method": "PruMerge",
        "atol": 1e-5,
    }


def sparsevlm_recycle(rng: np.random.Generator, n: int) -> Made:
    hidden, clusters = normal(rng, 1, n, 14), n // 9 + 1
    x = hidden[0].astype(np.float64)
    apart = np.array([[np.sqrt(((a - b) ** 2).sum() / 14) for b in x] for a in x])
    density = [float(np.exp(-np.mean(np.sort(apart[i])[:clusters] ** 2))) for i in range(n)]
    reach = [min((apart[i, j] for j in range(n) if density[j] > density[i]), default=apart.max()) for i in range(n)]
    centres = descending(np.array(density) * np.array(reach))[:clusters]
    members: dict[int, list[Array]] = {int(c): [x[c]] for c in centres}
    for i in range(n):
        if i not in members:
            members[int(min(members, key=lambda c, i=i: float(apart[i, c])))].append(x[i])
    out = np.stack([np.mean(members[int(c)], axis=0) for c in centres])[None].astype(np.float32)
    meta = {"method": "SparseVLM density-peak cluster and merge", "clusters": clusters, "atol": 1e-4}
    return {"in_hidden": hidden, "out_hidden": out}, meta


def sparsevlm_select(rng: np.random.Generator, n: int) -> Made:
    before, after, retain = 4, 11, n // 3
    length = before + n + after
    attention = softmax(3 * rng.standard_normal((1, 4, length, length))).astype(np.float32)
    raters = np.sort(rng.choice(after, 5, replace=False))
    rows = attention[0].astype(np.float64)[:, raters + before + n, before : before + n]
    relation = rows.mean(0).mean(0)
    mask = np.zeros((1, n), bool)
    mask[0, descending(relation)[:retain]] = True
    meta = {"method": "SparseVLM 1.5 selection", "retain": retain, "visual_start": before, "visual_count": n}
    arrays = {"in_attention": attention, "in_raters": raters, "out_mask": mask}
    return {**arrays, "out_relation": relation[None].astype(np.float32)}, {**meta, "atol": 1e-5}


def trim(rng: np.random.Generator, n: int) -> Made:
    hidden, text, projection = normal(rng, 1, n, 12), normal(rng, 1, 7), normal(rng, 7, 12)
    x = hidden[0].astype(np.float64)
    normed = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
    score = softmax(-(normed @ projection.astype(np.float64).T) @ text[0].astype(np.float64))
    count = int(0.3 * n)
    kept = sorted(int(i) for i in descending(score)[:count])
    rest = [i for i in range(n) if i not in kept]
    out = np.zeros((1, n, 12), np.float16)
    out[0, :count], out[0, count] = x[kept], x[rest].mean(0)
    arrays = {"in_hidden": hidden, "in_text_embeds": text, "in_projection": projection, "out_hidden": out}
    return {**arrays, "out_count": np.array([count + 1])}, {"method": "TRIM", "ratio": 0.3, "atol": 1e-3}


def visionzip(rng: np.random.Generator, n: int) -> Made:
    hidden, keys = normal(rng, 1, n + 1, 10), normal(rng, 1, n + 1, 6)
    attention = softmax(2 * rng.standard_normal((1, 3, n + 1, n + 1))).astype(np.float32)
    dominant, contextual = n // 5, n // 8
    x, u = hidden[0].astype(np.float64), unit(keys[0].astype(np.float64))
    share = attention[0, :, 0, 1:].astype(np.float64).sum(0)
    chosen = [0, *(int(i) + 1 for i in descending(share)[: dominant - 1])]
    rest = [i for i in range(n + 1) if i not in chosen]
    targets = rest[:: max(1, len(rest) // contextual)][:contextual]
    members: dict[int, list[Array]] = {t: [] for t in targets}
    for i in rest:
        if i not in members:
            members[max(targets, key=lambda t, i=i: float(u[i] @ u[t]))].append(x[i])
    rows = [x[i] for i in sorted(chosen)]
    rows += [x[t] + (np.mean(many, axis=0) if many else 0) for t, many in members.items()]
    meta = {"method": "VisionZip", "dominant_including_cls": dominant, "contextual": contextual, "atol": 1e-5}
    arrays = {"in_hidden": hidden, "in_attention": attention, "in_keys": keys, "out_index": np.array([chosen])}
    return {**arrays, "out_hidden": np.stack(rows)[None].astype(np.float32)}, meta


def vispruner(rng: np.random.Generator, n: int) -> Made:
    features, attention = normal(rng, 2, n, 16), rng.random((2, 3, n)).astype(np.float32)
    retain = n // 4 // 2 * 2
    important = retain // 2
    mask = np.zeros((2, n), bool)
    for b in range(2):
        x = unit(features[b].astype(np.float64))
        order = [int(i) for i in descending(attention[b].astype(np.float64).mean(0))]
        mask[b, order[:important]] = True
        rest = order[important:]
        while len(rest) > retain - important:
            dropped = min(8, len(rest) - (retain - important))
            left, right = rest[0::2], rest[1::2]
            likeness = {i: max(float(x[i] @ x[j]) for j in right) for i in left}
            rest = sorted(left, key=lambda i, likeness=likeness: -likeness[i])[dropped:] + right
        mask[b, rest] = True
    arrays = {"in_features": features, "in_cls_attention": attention, "out_mask": mask}
    return arrays, {"method": "VisPruner", "retain": retain, "important_ratio": 0.5, "atol": 1e-5}


MAKERS: tuple[Maker, ...] = (
    tome,
    tome_without_class_token,
    aim_merge,
    aim_pagerank,
    cdpruner,
    dart,
    diffrate,
    divprune,
    grid_pooling,
    pact,
    prumerge,
    sparsevlm_recycle,
    sparsevlm_select,
    trim,
    visionzip,
    vispruner,
)
