"""FastV here, by forward hooks, and in a patched modelling file: how long each takes, and whether it is right.

All three prune half of the visual tokens at decoder layer 2 by the last row's attention, on the same weights. Alone,
they must give the same logits, and are timed in turns. Then prompts of eight lengths are run as one batch, padded on
the left; what each way gives is held against what the same way gives for every prompt by itself.

    python benchmarks/peers.py
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch
from peer_hooks import HookedFastV
from peer_patched import patch
from random_llava import IMAGE, build_shape, encoded, prompt, shape_of, twin
from recording import Bound, Results, options, settings, start, write
from timing import in_turns, quotients, spread
from torch import Tensor

import eosdsl

NAME = "peers"
SPEC = "at layer 2: retain 50% by attention(query: last) via prune"
LAYER, FRONT = 2, 8
BATCH = 8
RIGHT = 1e-3
"""The largest difference of logits, in their standard deviations, that counts as the same."""

Forward = Callable[..., Any]


def ways(model: Any, tokens: int) -> dict[str, Forward]:
    """Each way of doing it, on a twin of the model. The patched file is told where the image stands: behind FRONT."""
    kept = tokens // 2
    return {
        "eosdsl": eosdsl.compile(SPEC, twin(model)),
        "hooks": _hooked(model, kept, twice=False),
        "hooks, scoring layer twice": _hooked(model, kept, twice=True),
        "patched modelling file": patch(twin(model), LAYER, kept, start=FRONT, length=tokens),
    }


def _hooked(model: Any, kept: int, *, twice: bool) -> Forward:
    own = twin(model)
    HookedFastV(own, LAYER, kept, twice=twice)
    return own


def batch_of(model: Any, tokens: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Prompts of BATCH lengths as one batch, padded on the left, and each alone. Images stand behind FRONT rows."""
    singles = [prompt(model, tokens, text=24 + 5 * number, front=FRONT) for number in range(BATCH)]
    longest = max(one["input_ids"].shape[1] for one in singles)
    padded = [torch.nn.functional.pad(one["input_ids"], (longest - one["input_ids"].shape[1], 0)) for one in singles]
    masks = [(torch.arange(longest) >= longest - one["input_ids"].shape[1]).long()[None] for one in singles]
    mask = torch.cat(masks).to(model.device)
    batch: dict[str, Any] = {
        "input_ids": torch.cat(padded),
        "pixel_values": torch.cat([one["pixel_values"] for one in singles]),
        "attention_mask": mask,
        "position_ids": (mask.cumsum(dim=1) - 1).clamp(min=0),
    }
    return batch, [dict(one) for one in singles]


def last_logits(forward: Forward, inputs: dict[str, Any]) -> Tensor:
    return forward(**inputs, logits_to_keep=1).logits[:, -1].float()


def errors_in_a_batch(forward: Forward, batch: dict[str, Any], singles: Sequence[dict[str, Any]]) -> list[float]:
    """By sequence: the largest difference to its logits alone, in standard deviations of those."""
    together = last_logits(forward, batch)
    alone = torch.cat([last_logits(forward, one) for one in singles])
    return ((together - alone).abs().amax(dim=1) / alone.std(dim=1)).tolist()


def main(words: Sequence[str] | None = None) -> int:
    given = start(options(__doc__, NAME), words)
    shape = shape_of(given, small="half")
    model = build_shape(shape, given.dtype, given.device)
    with torch.no_grad():
        every = ways(model, shape.tokens)
        inputs = encoded(model, prompt(model, shape.tokens, front=FRONT))
        wanted = last_logits(every["eosdsl"], inputs)
        apart = {name: last_logits(way, inputs).sub(wanted).abs().max() / wanted.std() for name, way in every.items()}
        runs = {name: (lambda way=way: way(**inputs, logits_to_keep=1)) for name, way in every.items()}
        times = in_turns({"full": lambda: model(**inputs, logits_to_keep=1), **runs}, 1 if given.tiny else given.rounds)
        batch, singles = batch_of(model, shape.tokens)
        assert int((batch["input_ids"] == IMAGE).sum()) == BATCH * shape.tokens
        errors = {name: errors_in_a_batch(way, batch, singles) for name, way in every.items()}
    rows: list[dict[str, Any]] = [
        {
            "case": name,
            "prefill_s": spread(times[name]).median,
            "speedup": quotients(times["full"], times[name]),
            "to_ours": quotients(times[name], times["eosdsl"]),
            "difference": float(apart[name]),
            "batch_error": max(errors[name]),
            "right": sum(error < RIGHT for error in errors[name]),
            "sequences": BATCH,
        }
        for name in every
    ]
    print(f"{'':30}{'prefill':>10}{'speed-up':>10}{'to ours':>9}{'difference':>12}{'in a batch':>12}{'right':>7}")
    for row in rows:
        print(
            f"{row['case']:30}{1000 * row['prefill_s']:8.1f}ms{row['speedup'].median:9.2f}x"
            f"{row['to_ours'].median:8.2f}x{row['difference']:12.1e}{row['batch_error']:12.1e}{row['right']:5}/{BATCH}"
        )
    slower = [Bound(f"time to ours: {row['case']}", row["to_ours"].median, "at least", 1.0) for row in rows[1:]]
    slower[1] = Bound(slower[1].what, slower[1].found, "at least", 1.1)
    others = max(row["right"] for row in rows[1:])
    right = [
        Bound("sequences of a padded batch that are right: eosdsl", rows[0]["right"], "at least", BATCH),
        Bound("sequences of a padded batch that are right: any other", others, "at most", BATCH - 1),
    ]
    write(Results(NAME, {**settings(given), "shape": vars(shape), "spec": SPEC}, rows, [*slower, *right]), given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
