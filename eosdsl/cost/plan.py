"""`plan(program, model)`: what a program costs on a model, counted without weights, torch or transformers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, computed_field

from eosdsl.cost.account import Macs, full_cost, schedule_cost
from eosdsl.cost.expect import check_expectations, predicted
from eosdsl.cost.latency import LatencyProfile
from eosdsl.cost.learned import asked_by, learned_parameters
from eosdsl.cost.speedup import bound
from eosdsl.diagnostics import SpecError, error
from eosdsl.ir.nodes import DiscreteProgram, RelaxedProgram
from eosdsl.ir.schedule import Schedule
from eosdsl.models.registry import facts
from eosdsl.operators.needs import reads_text
from eosdsl.parsing import parse_source, source_of
from eosdsl.passes.bind import bind
from eosdsl.source import SourceFile

_LIST = re.compile(r"\[[\d\s,]*\]")  # layers side by side, not one a line
CONVENTION = (
    "1 MAC = 2 FLOPs. A decoder layer over n rows: 2nd(Hh + Kh) + 2n²Hh + {matrices}ndm MACs (width d, H heads and "
    "K key-value heads of width h, MLP of {matrices} matrices of width m), attention counted whole; prefill of one "
    "prompt with {text} text tokens and {images}. `flops` adds vision tower (all its layers), projector, reducers and "
    "the head on the last row; `prefill_flops` is the decoder alone. KV cache at {bytes} bytes a number."
)
ENCODER_CONVENTION = (
    "1 MAC = 2 FLOPs. An encoder layer over n rows, CLS and registers among them: 4nd² + 2n²d + {matrices}ndm MACs "
    "(width d, MLP of {matrices} matrices of width m); `flops` are embedding, all layers and reducers, for {images}."
)


class Plan(BaseModel):
    """Counts and costs of a program on a model, for the model's usual image.

    Counts are per image. Costs are of one prefill of a prompt with `text_tokens` and `images`. Where a budget depends
    on the image, every count and cost is the highest that can be, and `least_tokens_per_layer` holds the lowest counts.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    eos_plan: Literal[1] = 1
    program: str
    model: str
    family: str
    text_tokens: int
    images: int
    visual_tokens: int
    """Visual tokens of an image before any reduction."""
    tokens_per_layer: tuple[int, ...]
    """Visual tokens of an image entering each decoder layer; of an encoder alone, patches entering its layers."""
    least_tokens_per_layer: tuple[int, ...]
    encoder_tokens_per_layer: tuple[int, ...]
    """Rows of an image entering each layer of the vision tower, CLS and registers included."""
    macs: Macs
    full_macs: Macs
    kv_cache_bytes: int
    full_kv_cache_bytes: int
    least_flops: int
    """`flops` where every budget that depends on the image keeps as little as it can."""
    servable: bool
    """Whether every count is known before the encoder runs, so that a server can reserve room for the prompt."""
    before_decoder: bool
    """Whether every reduction is made before the first decoder layer."""
    reads_text: bool
    """Whether the result depends on the question, so that it cannot be cached across questions."""
    convention: str
    learned_parameters: int = 0
    """Numbers that learned scores carry, beside the model's."""
    milliseconds: float | None = None
    """Prefill as a machine's profile predicts it, None without one; `full_milliseconds` likewise, without reduction."""
    full_milliseconds: float | None = None

    @computed_field
    @property
    def mean_tokens(self) -> float:
        """Mean of `tokens_per_layer`."""
        return sum(self.tokens_per_layer) / len(self.tokens_per_layer)

    @computed_field
    @property
    def flops(self) -> int:
        """Everything: decoder, tower, projector, reducers, head."""
        return 2 * self.macs.total

    @computed_field
    @property
    def full_flops(self) -> int:
        return 2 * self.full_macs.total

    @computed_field
    @property
    def prefill_flops(self) -> int:
        """The decoder over the whole prompt."""
        return 2 * self.macs.decoder

    @computed_field
    @property
    def full_prefill_flops(self) -> int:
        return 2 * self.full_macs.decoder

    @computed_field
    @property
    def ratio(self) -> float:
        """`flops` to those of the full model."""
        return self.flops / self.full_flops

    @computed_field
    @property
    def prefill_ratio(self) -> float:
        return self.prefill_flops / self.full_prefill_flops if self.full_prefill_flops else 1.0

    @computed_field
    @property
    def kv_cache_ratio(self) -> float:
        return self.kv_cache_bytes / self.full_kv_cache_bytes if self.full_kv_cache_bytes else 1.0

    @computed_field
    @property
    def tokens_ratio(self) -> float:
        """`mean_tokens` to the visual tokens of an image."""
        return self.mean_tokens / self.visual_tokens

    @computed_field
    @property
    def decoder_speedup_bound(self) -> float:
        """The decoder's prefill cannot get faster than by this factor."""
        return bound(self.full_macs.decoder, self.macs.decoder)

    @computed_field
    @property
    def speedup_bound(self) -> float:
        """Nor can prefill with vision tower, projector, reducers and head."""
        return bound(self.full_macs.total, self.macs.total)

    @property
    def adaptive(self) -> bool:
        """Whether counts depend on the image."""
        return self.tokens_per_layer != self.least_tokens_per_layer or not self.servable

    def to_json(self) -> str:
        """As text; `Plan.model_validate_json` reads it back."""
        return _LIST.sub(_one_line, self.model_dump_json(indent=2)) + "\n"


def plan(
    program: DiscreteProgram | RelaxedProgram | Path | str, model: Any, *, text_tokens: int = 64, images: int = 1
) -> Plan:
    """What a program costs on a model.

    Args:
        program: a program, a path, or a spec as text.
        model: a shipped name, a folder, a hub id, a config or a model object (`eosdsl.models.registry.facts`).
        text_tokens: text tokens of the prompt.
        images: images in the prompt.

    Raises:
        SpecError: where the text or the model has errors, the program does not fit the model (E03xx, E04xx), or an
            `expect` clause does not hold (E0330).
    """
    schedule, source = bound_schedule(program, model)
    made = plan_schedule(schedule, text_tokens=text_tokens, images=images)
    unmet = check_expectations(schedule, text_tokens=text_tokens, images=images)
    if unmet:
        raise SpecError(unmet, source)
    return made


def bound_schedule(
    program: DiscreteProgram | RelaxedProgram | Path | str, model: Any
) -> tuple[Schedule, SourceFile | None]:
    """The program bound to the model, and its source where it was read here. Raises SpecError as `plan` does."""
    source = None
    if isinstance(program, (Path, str)):
        source = source_of(program)
        program = parse_source(source)
    if isinstance(program, RelaxedProgram):
        helps = ("search it, or decide every `?`",)
        problem = error("E0332", "a space has no one plan: its values are open", program.span, helps=helps)
        raise SpecError([problem], source)
    schedule, found = bind(program, facts(model))
    if schedule is None:
        raise SpecError([d for d in found if d.is_error], source)
    return schedule, source


def plan_schedule(
    schedule: Schedule, *, text_tokens: int = 64, images: int = 1, profile: LatencyProfile | None = None
) -> Plan:
    """The plan of a bound program; `expect` clauses are not looked at.

    Raises:
        SpecError: E0668 where the profile is of another model.
    """
    milliseconds, full_milliseconds = predicted(schedule, text_tokens, images, profile)
    known = schedule.model
    reduced, full = schedule_cost(schedule, text_tokens, images), full_cost(known, text_tokens, images)
    least = schedule_cost(schedule, text_tokens, images, least=True)
    extra = known.encoder.extra_rows if known.encoder else 0
    seen = "visual tokens" if known.decoder.layers else "patches"
    return Plan(
        program=schedule.name,
        model=known.name,
        family=known.family,
        text_tokens=text_tokens,
        images=images,
        visual_tokens=known.visual_tokens,
        tokens_per_layer=tuple(layer.entering for layer in reduced.main),
        least_tokens_per_layer=tuple(layer.entering for layer in least.main),
        encoder_tokens_per_layer=tuple(layer.entering + extra for layer in reduced.encoder),
        macs=reduced.macs,
        full_macs=full.macs,
        kv_cache_bytes=reduced.kv_cache_bytes,
        full_kv_cache_bytes=full.kv_cache_bytes,
        least_flops=2 * least.macs.total,
        servable=all(group.count is not None for r in schedule.reductions for group in r.groups),
        before_decoder=all(_before_decoder(r.site.stream, r.site.layer) for r in schedule.reductions),
        reads_text=any(reads_text(r.groups) for r in schedule.reductions),
        convention=(CONVENTION if known.decoder.layers else ENCODER_CONVENTION).format(
            matrices=known.decoder.mlp_matrices,
            text=text_tokens,
            images=f"{images} image{'s' * (images != 1)} of {known.visual_tokens} {seen}",
            bytes=known.dtype_bytes,
        ),
        learned_parameters=learned_parameters(asked_by(schedule)),
        milliseconds=milliseconds,
        full_milliseconds=full_milliseconds,
    )


def _one_line(found: re.Match[str]) -> str:
    return f"[{' '.join(found[0][1:-1].split())}]"


def _before_decoder(stream: str, layer: int) -> bool:
    return stream != "decoder" or layer == 0
