"""A model of one number for the tests of the loop: its loss falls with `x`, and so do its tokens rise."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from eosdsl.cost.measures import Amounts
from eosdsl.ir.nodes import Constraint, RelaxedProgram
from eosdsl.ir.quantities import Argument, Call, Quantity, Word
from eosdsl.parsing import parse
from eosdsl.searching.batch import Batch
from eosdsl.searching.objective import Seen, Weights
from eosdsl.searching.settings import Settings
from eosdsl.searching.trainer import Goal, Source, Trainer
from eosdsl.tasks.base import MEDIUM, Example

LAYERS, TOKENS, WORDS = 4, 100.0, 7


@dataclass(frozen=True)
class Heat:
    t: float = 1.0

    @classmethod
    def at(cls, t: float, faintness: float = 1.0) -> Heat:
        del faintness
        return cls(t)


class Toy:
    """A share of tokens σ(x): the more, the likelier the right answer. `poison`: steps that give NaN."""

    def __init__(self, poison: Sequence[int] = ()) -> None:
        self.module = nn.ParameterDict({"x": nn.Parameter(torch.tensor(0.0)), "y": nn.Parameter(torch.zeros(3))})
        self.learned = nn.ModuleDict()
        self.temperature: Any = Heat()
        self.flow: Any = None
        self.poison, self.forwards = tuple(poison), 0

    def __call__(self, *, logits_to_keep: int, output_hidden_states: bool, **inputs: Any) -> Any:
        share = self.module["x"].sigmoid()
        ids = inputs["input_ids"]
        self.flow = SimpleNamespace(tokens=TOKENS * share * (1 + 0.01 * self.module["y"].softmax(0)[0]))
        right = torch.nn.functional.one_hot(ids[:, 1:], WORDS).float()
        right = torch.cat([right, right[:, -1:]], dim=1)
        noise = 1 + 0.1 * ids.float().mean(dim=1)[:, None, None]
        logits = (right * share * 4 * noise)[:, -logits_to_keep:]
        if self.forwards in self.poison:
            logits = logits * float("nan")
        self.forwards += 1
        hidden = (ids[:, :, None].float() * share).expand(-1, -1, 2) if output_hidden_states else None
        return SimpleNamespace(logits=logits, hidden_states=(hidden, hidden))

    def values(self) -> Mapping[str, Tensor]:
        return {"steps[0].layers[2].gate": self.module["x"].sigmoid()}

    @contextmanager
    def off(self) -> Generator[None]:
        yield


def example(number: int) -> Example:
    return Example((), f"{number}", f"{number % 3}", "toy", "train", MEDIUM, {})


def encode(examples: Sequence[Example]) -> Batch:
    """Questions of three words, the answer the last of them."""
    rows = [[int(e.question) % 5, 1 + int(e.question) % 2, 2 + int(e.answer)] for e in examples]
    ids = torch.tensor(rows)
    tail = torch.ones(ids.shape, dtype=torch.bool)
    return Batch({"input_ids": ids}, ids[:, -1:], tail, (1,) * len(rows))


def below(text: str) -> tuple[Constraint, ...]:
    """Constraints as they are written."""
    program = parse(f"space s\nat layer 2: retain ?\nsubject to {text}\n")
    assert isinstance(program, RelaxedProgram)
    return program.constraints


def tokens_below(bound: int) -> tuple[Constraint, ...]:
    mean = Call(name="tokens", arguments=(Argument(value=Word(name="mean")),))
    return (Constraint(measure=mean, bound=Quantity(value=Fraction(bound), unit="tokens")),)


def amounts(each: Tensor) -> Amounts[Tensor]:
    """Costs that grow with the tokens, each in its own way."""
    flops = each * 12 + each**2
    return Amounts([each] * LAYERS, each * 10, flops, each * 2, 5 + 0.1 * each)


def trainer(
    toy: Toy, settings: Settings, constraints: tuple[Constraint, ...] = (), weights: Weights | None = None, **more: Any
) -> Trainer:
    target = Seen(torch.zeros(1), ())
    goal = Goal(
        weights or Weights(task=1.0),
        constraints,
        lambda batch: amounts(toy.flow.tokens),
        amounts(torch.tensor(TOKENS)),
        lambda batch: target,
    )
    source = Source(lambda step, size: [example(step * size + one) for one in range(size)], encode)
    return Trainer(toy, goal, source, settings, {"search": "toy"}, **more)
