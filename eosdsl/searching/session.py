"""What all searches of a run share: one frozen model, one stream of data, the questions that results are judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from eosdsl.cost.latency import LatencyProfile, refuse_other_model
from eosdsl.diagnostics import SpecError, error
from eosdsl.ir.nodes import DiscreteProgram, RelaxedProgram
from eosdsl.ir.space import Space
from eosdsl.lowering.anatomy import whole_model
from eosdsl.lowering.loading import load_model
from eosdsl.lowering.weights_digest import weights_digest
from eosdsl.models.facts import ModelFacts
from eosdsl.models.find import find_model
from eosdsl.models.registry import facts as facts_of
from eosdsl.run.processor import load_processor
from eosdsl.searching.batch import Batch, encode
from eosdsl.searching.encoded import encoded, leaves_the_tower_alone
from eosdsl.searching.processes import Processes
from eosdsl.searching.provenance import text_hash
from eosdsl.searching.questions import Data, Questions, read_data
from eosdsl.searching.sharding import sharded
from eosdsl.source import SourceFile
from eosdsl.tasks.base import Example

_CHUNK = 16


@dataclass(frozen=True)
class Session:
    """A space on a model with data. `derive_on` and `check_on`: batches of held-back questions, the second ones
    chosen by nothing."""

    space: Space
    source: SourceFile
    model: Any
    processor: Any
    facts: ModelFacts
    model_name: str
    model_hash: str
    data: Data
    derive_on: tuple[Batch, ...]
    check_on: tuple[Batch, ...]
    processes: Processes
    profile: LatencyProfile | None = None
    teacher: DiscreteProgram | None = None

    @property
    def spec_name(self) -> str:
        return str(self.source.path or self.source.name)

    @property
    def spec_hash(self) -> str:
        return text_hash(self.source.text)

    def encode(self, examples: Sequence[Example]) -> Batch:
        """The batch of some questions; what the tower makes of them, where nothing is reduced in it."""
        batch = self.raw(examples)
        alone = leaves_the_tower_alone(self.space, self.teacher)
        return encoded(batch, self.model, self.facts) if alone else batch

    def raw(self, examples: Sequence[Example]) -> Batch:
        """The batch of some questions as the whole model takes it."""
        return encode(self.processor, examples, image_token(self.model)).to(self.model.device)


def open_session(
    space: RelaxedProgram | DiscreteProgram,
    source: SourceFile,
    model: Any,
    data: Any,
    *,
    processor: Any = None,
    questions: int = 128,
    seed: int = 0,
    pool: int = 0,
    dtype: str | None = None,
    device: str | None = None,
    profile: LatencyProfile | None = None,
    teacher: DiscreteProgram | None = None,
    processes: Processes | None = None,
) -> Session:
    """Load what a search needs, and look at all of it before anything slow begins.

    Raises:
        SpecError: E0677 for an operator, E064x and E065x for the model, E0625 for its processor, E066x and E0678 for
            the data, E0668 for a profile of another model.
    """
    if isinstance(space, DiscreteProgram):
        helps = ("leave values open with `?`: eosdsl new --space writes an example",)
        raise SpecError([error("E0677", f"{space.name} is an operator", space.span, helps=helps)], source)
    own = processes or Processes()
    given = isinstance(model, torch.nn.Module)
    known = facts_of(whole_model(model) if given else model)
    if profile is not None:
        refuse_other_model(profile, known.name, known.decoder.layers, known.decoder.width)
    weights = None if given else find_model(model).weights()
    found = processor if processor is not None else load_processor(weights or str(model.name_or_path))
    stream = read_data(data, seed, found.tokenizer).pooled(pool)
    whole = whole_model(model) if given else load_model(str(weights), dtype=dtype, device=_place(device, own))
    digest = weights_digest(whole)
    whole = sharded(whole.eval(), own)
    whole_space = Space.of(space, known)

    def batches(start: int) -> tuple[Batch, ...]:
        raw = _batches(stream.validation, start, questions, whole, found)
        alone = leaves_the_tower_alone(whole_space, teacher)
        return tuple(encoded(one, whole, known) for one in raw) if alone else raw

    return Session(
        space=whole_space,
        source=source,
        model=whole,
        processor=found,
        facts=known,
        model_name=known.name or type(whole).__name__,
        model_hash=digest,
        data=stream,
        derive_on=batches(0),
        check_on=batches(questions),
        processes=own,
        profile=profile,
        teacher=teacher,
    )


def image_token(model: Any) -> int:
    """The id of the placeholder of visual tokens."""
    return int(model.config.image_token_id)


def _place(device: str | None, processes: Processes) -> Any:
    if processes.shards:
        return "cpu"  # a part of each weight goes to the devices
    return device if processes.device is None else processes.device


def _batches(held: Questions, start: int, count: int, model: Any, processor: Any) -> tuple[Batch, ...]:
    numbers = range(start, start + count)
    examples = [held.question(number) for number in numbers]
    chunks = [examples[first : first + _CHUNK] for first in range(0, count, _CHUNK)]
    return tuple(encode(processor, chunk, image_token(model)).to(model.device) for chunk in chunks)
