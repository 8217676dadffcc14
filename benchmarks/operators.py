"""Operators against straightforward loops written from their papers: time and peak memory, side by side in one run.

    python benchmarks/operators.py [--quick] [--device cpu|cuda] [--width 1024] [--json FILE]

--quick: 576 tokens, and 2,880 once; without the loops of max-min and of DPP where a batch of eight keeps 192 tokens,
which alone take a minute: they grow with the square of what is kept.

How memory grows with the number of tokens, and with that of kept ones, is counted besides, in bytes of tensors.
Matching and merging are also held against moving the rows alone: gather and scatter_reduce, where everything goes being
known already. Matching is by keys of 64 features, the mean over heads, as ToMe does it.

A loop goes over samples and over tokens, with tensor operations for one token's features or one sample's distances:
what one writes first, from the paper. Both sides compute in float32 and must agree on what they return before their
times are compared.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import statistics
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from meter import Meter
from timing import clock
from torch import Tensor
from torch.nn.functional import normalize

from eosdsl.operators.step import apply_step

Operator = Callable[[Tensor, int], Tensor]


@dataclass(frozen=True)
class Row:
    """One measured case; times in milliseconds, memory in MiB above what was there before."""

    operator: str
    batch: int
    tokens: int
    kept: int
    ours_ms: float
    loop_ms: float | None
    ours_mib: float
    loop_mib: float | None
    moves_ms: float | None


def keys_of(hidden: Tensor) -> Tensor:
    """What stands for keys with their heads averaged: [B, N, 64]."""
    return hidden[:, :, :64].contiguous()


def max_min_loop(hidden: Tensor, kept: int) -> Tensor:
    """DivPrune: the first is the most isolated; then always the token whose nearest chosen one is farthest."""
    out: list[list[int]] = []
    for x in normalize(hidden, dim=2):
        apart = (1 - x @ x.T).tolist()
        everyone = range(len(x))
        chosen = [max(everyone, key=lambda i, apart=apart: min(d for j, d in enumerate(apart[i]) if j != i))]
        while len(chosen) < kept:
            candidates = set(everyone) - set(chosen)
            chosen.append(max(candidates, key=lambda i, apart=apart: min(apart[i][j] for j in chosen)))
        out.append(sorted(chosen))
    return torch.tensor(out)


def dpp_loop(hidden: Tensor, kept: int) -> Tensor:
    """Fast greedy MAP (Chen et al.), a candidate at a time; the quality is the norm."""
    out: list[list[int]] = []
    for x in hidden:
        quality, unit = x.norm(dim=1), normalize(x, dim=1)
        gain = (quality * quality).tolist()
        basis: list[list[float]] = [[] for _ in range(len(x))]
        chosen: list[int] = []
        while len(chosen) < kept:
            taken = set(chosen)
            best = max((i for i in range(len(x)) if i not in taken), key=gain.__getitem__)
            chosen.append(best)
            kernel = ((unit @ unit[best]) * quality * quality[best]).tolist()
            root = gain[best] ** 0.5
            own = list(basis[best])
            for i in range(len(x)):
                value = (kernel[i] - sum(a * b for a, b in zip(basis[i], own, strict=True))) / root
                basis[i].append(value)
                gain[i] -= value * value
        out.append(sorted(chosen))
    return torch.tensor(out)


def density_peaks_loop(hidden: Tensor, kept: int) -> Tensor:
    """DPC-kNN with five neighbours, a token at a time."""
    out: list[list[int]] = []
    for x in hidden:
        rows = [(x - x[i]).square().sum(dim=1).sqrt() / x.shape[1] ** 0.5 for i in range(len(x))]
        density = [float((-row.sort().values[:5].square().mean()).exp()) for row in rows]
        ranks = torch.tensor(density)
        worth = []
        for i, row in enumerate(rows):
            denser = row[ranks > density[i]]
            worth.append(density[i] * float(denser.min() if len(denser) else max(float(r.max()) for r in rows)))
        out.append(sorted(sorted(range(len(x)), key=lambda i: -worth[i])[:kept]))
    return torch.tensor(out)


def matching_loop(hidden: Tensor, kept: int) -> Tensor:
    """ToMe: an edge for every even token, the strongest are contracted, token by token."""
    out: list[Tensor] = []
    for x, keys in zip(hidden, keys_of(hidden), strict=True):
        unit = normalize(keys, dim=1)
        right = unit[1::2]
        edges = []
        for i in range(0, len(x), 2):
            row = right @ unit[i]
            best = int(row.argmax())
            edges.append((float(row[best]), i, 2 * best + 1))
        gone = sorted(edges, key=lambda edge: -edge[0])[: len(x) - kept]
        total, count = x.clone(), [1] * len(x)
        for _, source, goal in gone:
            total[goal] += x[source]
            count[goal] += 1
        removed = {source for _, source, _ in gone}
        rows = [total[i] / count[i] for i in range(len(x)) if i not in removed]
        out.append(torch.stack(rows))
    return torch.stack(out)


def merging_loop(hidden: Tensor, kept: int) -> Tensor:
    """The longest stay, every other goes into the one most like it, token by token."""
    out: list[Tensor] = []
    for x in hidden:
        unit = normalize(x, dim=1)
        order = x.norm(dim=1).argsort(descending=True).tolist()
        anchors = sorted(order[:kept])
        heads = unit[anchors]
        total, count = x[anchors].clone(), [1] * kept
        for i in order[kept:]:
            goal = int((heads @ unit[i]).argmax())
            total[goal] += x[i]
            count[goal] += 1
        out.append(total / torch.tensor(count, device=x.device)[:, None])
    return torch.stack(out)


def anchors_of(step: str) -> Operator:
    return lambda hidden, kept: apply_step(step.format(kept=kept, gone=hidden.shape[1] - kept), hidden).anchors


def rows_of(step: str) -> Operator:
    return lambda hidden, kept: (
        apply_step(step.format(kept=kept, gone=hidden.shape[1] - kept), hidden, keys=keys_of(hidden)).hidden
    )


def moves(hidden: Tensor, kept: int) -> Callable[[], Tensor]:
    """The rows moved and nothing else: `kept` gathered, the others gathered and reduced onto them."""
    batch, tokens, width = hidden.shape
    order = torch.rand(batch, tokens, device=hidden.device).argsort(dim=1)
    stay, go = (
        one.sort(dim=1).values[:, :, None].expand(-1, -1, width) for one in order.split([kept, tokens - kept], 1)
    )
    goal = torch.randint(kept, go.shape[:2], device=hidden.device)[:, :, None].expand(-1, -1, width)
    return lambda: hidden.gather(1, stay).scatter_reduce(1, goal, hidden.gather(1, go), reduce="mean")


CASES: dict[str, tuple[Operator, Operator]] = {
    "max-min": (anchors_of("retain {kept} tokens pick diverse"), max_min_loop),
    "dpp": (anchors_of("retain {kept} tokens by norm(hidden) pick dpp"), dpp_loop),
    "density peaks": (anchors_of("retain {kept} tokens pick density_peaks(k: 5)"), density_peaks_loop),
    "matching": (rows_of("remove {gone} tokens pick bipartite(on: keys) via merge"), matching_loop),
    "merging": (rows_of("retain {kept} tokens by norm(hidden) via merge"), merging_loop),
}


MOVING = ("matching", "merging")
SLOW_LOOPS = ("max-min", "dpp")
LONG_MS = 3000.0
"""A loop that takes longer is not run again."""


def measured(operator: Operator, hidden: Tensor, kept: int, repeats: int) -> tuple[Tensor, float, float]:
    """What it returns, the median time in milliseconds, and the peak of memory in MiB over what was there."""
    began = clock()
    with Peak(hidden.device) as peak:
        made = operator(hidden, kept)
    first = 1000 * (clock() - began)
    if first > LONG_MS:
        return made, first, peak.mib
    times: list[float] = []
    for _ in range(repeats):
        start = clock()
        operator(hidden, kept)
        times.append(1000 * (clock() - start))
    return made, statistics.median(times), peak.mib


class Peak:
    """Peak memory of a block: the allocator's own count on a GPU, else resident memory looked at every millisecond."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.mib = 0.0
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Peak:
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            self._before = torch.cuda.memory_allocated(self.device)
        else:
            self._before = self._top = resident()
            self._watcher.start()
        return self

    def __exit__(self, *problem: object) -> None:
        if self.device.type == "cuda":
            self.mib = (torch.cuda.max_memory_allocated(self.device) - self._before) / 2**20
            return
        self._done.set()
        self._watcher.join()
        self.mib = (max(self._top, resident()) - self._before) / 2**20

    def _watch(self) -> None:
        while not self._done.wait(0.001):
            self._top = max(self._top, resident())


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def agree(found: Tensor, wanted: Tensor, tokens: int) -> bool:
    """Indices but for near ties (one in fifty may differ), rows but for what those few change."""
    if found.dtype == torch.int64:
        common = sum(len(set(a) & set(b)) for a, b in zip(found.tolist(), wanted.tolist(), strict=True))
        return common >= 0.98 * wanted.numel()
    close = (found - wanted).abs().amax(dim=2) < 1e-3
    return bool(close.float().mean() >= 0.98)


def run(name: str, hidden: Tensor, kept: int, *, repeats: int, with_loop: bool) -> Row:
    ours, loop = CASES[name]
    kept = max(kept, hidden.shape[1] // 2) if name == "matching" else kept
    made, ours_ms, ours_mib = measured(ours, hidden, kept, repeats)
    batch, tokens, _ = hidden.shape
    moves_ms = None
    if name in MOVING:
        move = moves(hidden, kept)
        _, moves_ms, _ = measured(lambda *_: move(), hidden, kept, repeats)
    if not with_loop:
        return Row(name, batch, tokens, kept, ours_ms, None, ours_mib, None, moves_ms)
    wanted, loop_ms, loop_mib = measured(loop, hidden, kept, repeats)
    if not agree(made.cpu(), wanted.cpu(), tokens):
        print(f"error: {name} at {tuple(hidden.shape)}, {kept} kept: the two do not agree", file=sys.stderr)
        raise SystemExit(1)
    return Row(name, batch, tokens, kept, ours_ms, loop_ms, ours_mib, loop_mib, moves_ms)


def growth_of_memory(name: str, tokens: int = 1152, kept: int = 64) -> tuple[float, float]:
    """How bytes held grow from so many tokens to twice as many, and from so many kept to twice as many: exponents, 1
    is linear. Of matching it is those given up that are few.
    """

    def held(tokens: int, kept: int) -> int:
        hidden = torch.randn(1, tokens, 128, generator=torch.Generator().manual_seed(0))
        with torch.no_grad(), Meter() as meter:
            CASES[name][0](hidden, tokens - kept if name == "matching" else kept)
        return meter.most

    once = held(tokens, kept)
    return math.log2(held(2 * tokens, kept) / once), math.log2(held(tokens, 2 * kept) / once)


def sizes_of(chosen: argparse.Namespace) -> list[tuple[int, int, int]]:
    """(tokens, batch, kept) of all that is measured."""
    if chosen.tiny:
        return [(144, batch, 16) for batch in (1, 8)]
    long = [(2880, 1, 64)] if chosen.quick else [(2880, batch, kept) for batch in (1, 8) for kept in (64, 192)]
    every = [(576, batch, kept) for batch in (1, 8) for kept in (64, 192)] + long
    if chosen.tokens:
        every = [(tokens, batch, kept) for tokens in chosen.tokens for batch in (1, 8) for kept in (64, 192)]
    return every


def looped(name: str, batch: int, tokens: int, kept: int, chosen: argparse.Namespace) -> bool:
    """Whether the loop is run as well."""
    if chosen.quick and name in SLOW_LOOPS and batch * kept > 8 * 64:
        return False
    return batch * tokens <= chosen.longest_loop


def show(row: Row) -> str:
    empty = " " * 30
    loop = (
        empty if row.loop_ms is None else f"{row.loop_ms:10.1f} {row.loop_ms / row.ours_ms:8.1f}x {row.loop_mib:9.1f}"
    )
    moved = "" if row.moves_ms is None else f"{row.moves_ms:10.1f} {row.ours_ms / row.moves_ms:6.2f}x"
    own = f"{row.ours_ms:10.1f} {row.ours_mib:9.1f}"
    return f"{row.operator:14} {row.batch:5} {row.tokens:6} {row.kept:5} {own} {loop} {moved}".rstrip()


def main() -> int:
    parser = argparse.ArgumentParser(description="Operators against loops: time and peak memory.")
    parser.add_argument("--quick", action="store_true", help="fewer sizes, and without the slowest loops: a minute")
    parser.add_argument("--tiny", action="store_true", help="everything once and small")
    parser.add_argument("--tokens", type=int, nargs="+", help="these numbers of tokens")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument(
        "--longest-loop", type=int, default=8 * 2880, help="no loop over more tokens (batch x N) than this"
    )
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    device, width = torch.device(chosen.device), 16 if chosen.tiny else chosen.width
    print(f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    if device.type == "cuda":
        print(torch.cuda.get_device_name(device))
    print(f"width {width}, float32, on {device}; times are medians\n")
    print("operator       batch tokens  kept    ours ms  peak MiB    loop ms  speed-up  peak MiB   moves ms   ours")
    rows: list[Row] = []
    for tokens, batch, kept in sizes_of(chosen):
        hidden = torch.randn(batch, tokens, width, generator=torch.Generator().manual_seed(0)).to(device)
        for name in CASES:
            rows.append(run(name, hidden, kept, repeats=3, with_loop=looped(name, batch, tokens, kept, chosen)))
            print(show(rows[-1]), flush=True)
    grows = {name: growth_of_memory(name) for name in CASES}
    for place, what in enumerate(("tokens", "kept tokens")):
        shown = ", ".join(f"{name} {grown[place]:.2f}" for name, grown in grows.items())
        print(f"memory with {what}, exponent: {shown}")
    if chosen.json:
        about = {"torch": torch.__version__, "threads": torch.get_num_threads(), "device": str(device), "width": width}
        data = {**about, "rows": [asdict(row) for row in rows], "memory_growth": grows}
        chosen.json.write_text(json.dumps(data, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
