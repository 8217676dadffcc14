"""One model, all sides: each is asked the same batch, attached only while it is asked."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from eosdsl.evaluating.counted import mean_entering
from eosdsl.evaluating.prompts import batch_inputs
from eosdsl.evaluating.shared_tower import SharedTower
from eosdsl.evaluating.sides import Side
from eosdsl.lowering.compile import Compiled, compile_program
from eosdsl.lowering.record import StepRecord, record
from eosdsl.models.facts import ModelFacts
from eosdsl.tasks.base import Example


@dataclass(frozen=True, slots=True)
class Given:
    """An answer, and the mean of visual tokens entering decoder layers, per image of its question."""

    text: str
    tokens: float


@dataclass(frozen=True, slots=True)
class Asking:
    """How questions are put."""

    max_new_tokens: int = 16
    suffix: str = ""


class Panel:
    """The sides of an evaluation on one model. Operators are compiled once and attached while they are asked.

    Raises:
        SpecError: what the lowering refuses of a side's program.
    """

    def __init__(self, model: Any, processor: Any, facts: ModelFacts, sides: Sequence[Side], asking: Asking) -> None:
        self.model, self.processor, self.facts, self.sides, self.asking = model, processor, facts, tuple(sides), asking
        self._tower = SharedTower(model, facts)
        self._compiled: dict[str, Compiled] = {}
        self._inputs: dict[Any, Any] = {}
        for side in sides:
            if side.program is not None:
                self._compiled[side.name] = compiled = compile_program(side.program, model, learned=side.learned)
                compiled.detach()

    def new_batch(self) -> None:
        """What was remembered of the last batch is forgotten."""
        self._tower.forget()
        self._inputs.clear()

    def new_features(self) -> None:
        """Image features are computed anew: what a timing needs."""
        self._tower.forget()

    def ask(self, side: Side, examples: Sequence[Example]) -> list[Given]:
        """The side's greedy answers, in the order of the examples; `new_batch` comes before other examples."""
        inputs = self.inputs(side, examples)
        compiled = self._compiled.get(side.name)
        noting = record(compiled) if compiled is not None else nullcontext(list[StepRecord]())
        with self.attached(side), noting as noted:
            sequences = self.model.generate(
                **inputs, max_new_tokens=self.asking.max_new_tokens, do_sample=False, num_beams=1
            )
        new = sequences[:, inputs["input_ids"].shape[1] :]
        texts = self.processor.tokenizer.batch_decode(new, skip_special_tokens=True)
        tokens = self._tokens(inputs, examples, noted)
        return [Given(text.strip(), mean) for text, mean in zip(texts, tokens, strict=True)]

    def inputs(self, side: Side, examples: Sequence[Example]) -> Any:
        """The batch as the side sees it, on the model's device; made once for all sides that see the same."""
        key = (side.kind == "downsample", side.grid, side.kind == "blind")
        if key not in self._inputs:
            pixels = None if side.grid is None else self._pixels(side.grid)
            made = batch_inputs(
                self.processor,
                examples,
                suffix=self.asking.suffix,
                see=side.kind != "blind",
                pixels=pixels,
                shrink=side.kind == "downsample",
            )
            self._inputs[key] = made.to(self.model.device, self.model.dtype)
        return self._inputs[key]

    @contextmanager
    def attached(self, side: Side) -> Generator[None]:
        """The model as the side has it, while the block runs."""
        compiled = self._compiled.get(side.name)
        with ExitStack() as stack:
            if side.kind == "downsample":
                stack.enter_context(self._tower.small_images())
            elif side.kind in ("full", "operator") and (compiled is None or compiled.lowered.tower is None):
                stack.enter_context(self._tower.remembered())
            if compiled is not None:
                stack.enter_context(compiled)
            yield

    def compiled(self, side: Side) -> Compiled | None:
        """The operator of a side."""
        return self._compiled.get(side.name)

    def _pixels(self, grid: tuple[int, int]) -> tuple[int, int]:
        assert self.facts.encoder is not None
        patch = self.facts.encoder.patch_size * (self.facts.projector.merge if self.facts.projector else 1)
        return grid[0] * patch, grid[1] * patch

    def _tokens(self, inputs: Any, examples: Sequence[Example], noted: Sequence[StepRecord]) -> list[float]:
        """Per example, the mean over its images of the mean over layers of tokens entering."""
        rows = (inputs["input_ids"] == self.model.config.image_token_id).sum(1).tolist()
        images = [len(one.images) for one in examples]
        if not noted:
            return [row / count if count else 0.0 for row, count in zip(rows, images, strict=True)]
        originals = [image.original for image in noted[0].images]
        means = mean_entering(noted, originals, self.facts)
        result: list[float] = []
        for count in images:
            own, means = means[:count], means[count:]
            result.append(sum(own) / count if count else 0.0)
        return result
