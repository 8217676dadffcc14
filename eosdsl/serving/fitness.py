"""Whether a bound program can run inside a serving engine: counts known ahead, and rows left out before the decoder."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from eosdsl.ir.nodes import AttentionBias
from eosdsl.ir.schedule import Schedule, SiteReduction
from eosdsl.operators.bound import bind_groups
from eosdsl.operators.needs import probes, reads_text


@dataclass(frozen=True)
class Fitness:
    """What an engine asks. `known_ahead`: every count is known before the encoder runs; `before_decoder`: no decoder
    layer sees more rows than the ones behind it; `reads_text`: results cannot be cached across questions; `reason`: why
    no mask over an image's embeddings does what the program does, None where one does.
    """

    known_ahead: bool
    before_decoder: bool
    reads_text: bool
    reason: str | None

    @property
    def servable(self) -> bool:
        """Whether `--emit vllm` writes a module for it."""
        return self.reason is None

    def to_json(self) -> dict[str, object]:
        return {**asdict(self), "servable": self.servable}


def fitness(schedule: Schedule) -> Fitness:
    """The answers for a program on a model."""
    reductions = schedule.reductions
    return Fitness(
        known_ahead=all(group.count is not None for one in reductions for group in one.groups),
        before_decoder=all(one.site.stream != "decoder" or one.site.layer == 0 for one in reductions),
        reads_text=any(reads_text(one.groups) for one in reductions),
        reason=_reason(schedule),
    )


def _reason(schedule: Schedule) -> str | None:
    if not schedule.reductions:
        return "it reduces nothing"
    # only one site can be a mask, the decoder's input: of several some other is not
    return next((why for one in schedule.reductions if (why := _of_site(one)) is not None), None)


def _of_site(reduction: SiteReduction) -> str | None:
    """Why one reduction is no mask over embeddings, None where it is one."""
    site, bookkeeping, groups = reduction.site, reduction.bookkeeping, bind_groups(reduction.groups)
    if any(group.count is None for group in reduction.groups):
        return "how many tokens stay is decided by each image, after it is encoded"
    if site.stream == "decoder" and (site.layer > 0 or site.after_attention):
        return f"it reduces inside the decoder (layer {site.layer}), whose cache an engine lays out for equal layers"
    if site.stream != "decoder":
        return "it reduces in the vision tower; an engine hands over embeddings, which `at input` reduces"
    if any(group.absorbs for group in groups) or not all(group.pick.anchored for group in groups):
        return "it changes the rows that stay, and a mask can only leave rows out"
    if bookkeeping.attention_bias != AttentionBias() or bookkeeping.order != "position":
        return "it biases attention or reorders rows, which a mask does not"
    if asked := probes(reduction.groups):
        names = ", ".join(sorted(type(probe).__name__.removesuffix("Probe").lower() for probe in asked))
        return f"its scores read more than the embeddings ({names})"
    return None
