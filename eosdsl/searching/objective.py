"""What a search makes small: the answers' cross entropy, and likeness to the unreduced model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, cross_entropy, kl_div

from eosdsl.diagnostics import SpecError, error
from eosdsl.ir.nodes import ScoreExpr, Sum, Weighted
from eosdsl.ir.quantities import Call, Open, Word
from eosdsl.searching.batch import IGNORE, Batch

_NO_DISTANCE = 1e-6  # what rounding makes of a cosine of one
LAST_LAYERS = 2
"""Hidden states that alignment compares: those behind the last so many layers, the last of them behind the norm."""


@dataclass(frozen=True)
class Weights:
    """Of the terms of an objective. `rooted`: hidden states are compared by the distance of their directions, not by
    half its square, which near a teacher is nothing but for rare questions."""

    task: float = 0.0
    hidden: float = 0.0
    logits: float = 0.0
    rooted: bool = False

    @property
    def aligns(self) -> bool:
        return self.hidden != 0 or self.logits != 0


@dataclass(frozen=True)
class Seen:
    """What a model made of a batch, as far as losses look at it.

    logits [B, A, V] of the rows that predict the answers; hidden: per compared layer [B, T, D], the T rows up to the
    end of the batch, those of the questions and answers among them.
    """

    logits: Tensor
    hidden: tuple[Tensor, ...]


def weights_of(objective: ScoreExpr | None) -> Weights:
    """The weights that `minimise …` states; without it the task alone counts."""
    if objective is None:
        return Weights(task=1.0)
    found: dict[str, float] = {}
    _add(objective, 1.0, found)
    return Weights(found.get("task", 0.0), found.get("hidden", 0.0), found.get("logits", 0.0))


def see(model: Any, batch: Batch, *, hidden: bool) -> Seen:
    """Run a model on a batch; hidden states are only kept where they are asked for."""
    output = model(
        **batch.call(), logits_to_keep=batch.labels.shape[1] + 1, use_cache=False, output_hidden_states=hidden
    )
    kept = output.hidden_states[-LAST_LAYERS:] if hidden else ()
    return Seen(output.logits[:, :-1], tuple(state[:, -batch.tail.shape[1] :] for state in kept))


def losses(seen: Seen, batch: Batch, target: Seen | None, weights: Weights) -> dict[str, Tensor]:
    """The terms that count, each the mean over the questions of the batch []."""
    found = {"task": task_loss(seen, batch).mean()}
    if weights.hidden and target is not None:
        found["hidden"] = hidden_distances(seen, target, batch, rooted=weights.rooted).mean()
    if weights.logits and target is not None:
        found["logits"] = logits_divergences(seen, target, batch).mean()
    return found


def alignment(seen: Seen, target: Seen, batch: Batch, weights: Weights) -> Tensor:
    """The weighted terms of likeness to the target, per question [B]."""
    found = torch.zeros(len(batch.labels), device=batch.labels.device)
    if weights.hidden:
        found = found + weights.hidden * hidden_distances(seen, target, batch, rooted=weights.rooted)
    if weights.logits:
        found = found + weights.logits * logits_divergences(seen, target, batch)
    return found


def combined(terms: dict[str, Tensor], weights: Weights) -> Tensor:
    """The weighted sum."""
    return torch.stack([getattr(weights, name) * value for name, value in terms.items()]).sum()


def task_loss(seen: Seen, batch: Batch) -> Tensor:
    """Cross entropy of the answer's tokens, its mean per question [B]."""
    each = cross_entropy(seen.logits.float().transpose(1, 2), batch.labels, ignore_index=IGNORE, reduction="none")
    return each.sum(dim=1) / (batch.labels != IGNORE).sum(dim=1).clamp(min=1)


def exactly_right(seen: Seen, batch: Batch) -> Tensor:
    """Whether greedy decoding would give the answer, its end included [B] bool."""
    same = (seen.logits.argmax(dim=-1) == batch.labels) | (batch.labels == IGNORE)
    return same.all(dim=1)


def hidden_distances(seen: Seen, target: Seen, batch: Batch, *, rooted: bool = False) -> Tensor:
    """1 - cosine of hidden states over the rows behind the images, mean over layers and rows, per question [B];
    `rooted`: √(2 - 2 cosine), the distance of their directions."""
    tail = batch.tail
    apart = [
        1 - cosine_similarity(mine.float(), theirs.float(), dim=-1)
        for mine, theirs in zip(seen.hidden, target.hidden, strict=True)
    ]
    each = torch.stack(apart)
    if rooted:
        each = (2 * each.clamp(min=0) + _NO_DISTANCE).sqrt()
    per_row = each.mean(dim=0) * tail
    return per_row.sum(dim=1) / tail.sum(dim=1).clamp(min=1)


def logits_divergences(seen: Seen, target: Seen, batch: Batch) -> Tensor:
    """KL from the target's distribution over the next token to the model's, mean over the answer's rows [B]."""
    answers = batch.labels != IGNORE
    each = kl_div(
        seen.logits.float().log_softmax(dim=-1),
        target.logits.float().log_softmax(dim=-1),
        reduction="none",
        log_target=True,
    ).sum(dim=-1)
    return (each * answers).sum(dim=1) / answers.sum(dim=1).clamp(min=1)


def _add(term: ScoreExpr, factor: float, found: dict[str, float]) -> None:
    """Add the weights of a term to those found."""
    if isinstance(term, Sum):
        for one in term.terms:
            _add(one, factor, found)
    elif isinstance(term, Weighted) and not isinstance(term.weight, Open):
        _add(term.score, factor * float(term.weight.value), found)
    elif isinstance(term, Call):
        name = _name(term)
        found[name] = found.get(name, 0.0) + factor
    else:
        raise SpecError([error("E0674", "an objective is a weighted sum of terms", term.span, "not this")])


def _name(term: Call) -> str:
    if term.name == "task":
        return "task"
    what = term.arguments[0].value if term.arguments else Word(name="hidden")
    return what.name if isinstance(what, Word) else "hidden"
