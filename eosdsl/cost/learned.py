"""Which networks an operator asks for scores, and how many numbers they learn. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eosdsl.ir.schedule import Schedule, Site
from eosdsl.models.facts import ModelFacts
from eosdsl.operators.base import LearnedProbe, Probe
from eosdsl.operators.needs import probes
from eosdsl.operators.network import Network
from eosdsl.source import Span


@dataclass(frozen=True)
class Asked:
    """A network that a site asks: `name` as the spec calls it, over rows of `width` features; span of the step."""

    site: Site
    name: str
    network: Network
    width: int
    span: Span | None = None

    @property
    def key(self) -> str:
        """What its numbers are called: `encoder_layer_3:predictor`."""
        return f"{site_key(self.site)}:{self.name}"


def asked_by(schedule: Schedule) -> tuple[Asked, ...]:
    """The networks of all sites of a schedule, in the order of the forward pass."""
    return tuple(one for r in schedule.reductions for one in asked_at(r.site, probes(r.groups), schedule.model, r.span))


def asked_at(site: Site, asking: Iterable[Probe], facts: ModelFacts, span: Span | None = None) -> tuple[Asked, ...]:
    """The networks that are asked at one site."""
    learned = sorted((one for one in asking if isinstance(one, LearnedProbe)), key=lambda one: one.module)
    return tuple(Asked(site, one.module, one.network, width_at(site, facts), span) for one in learned)


def learned_parameters(asked: Sequence[Asked]) -> int:
    """How many numbers they learn."""
    return sum(one.network.parameters(one.width) for one in asked)


def width_at(site: Site, facts: ModelFacts) -> int:
    """Features of a token at a site: in a tower that joins patches those of all its patches, at a tower's output those
    of all the layers that are read side by side.
    """
    if site.stream == "decoder" or facts.encoder is None:
        return facts.decoder.width
    if facts.merge_area > 1:
        return facts.encoder.width * facts.merge_area
    if site.stream == "encoder_output" and facts.projector is not None:
        return facts.projector.linears[0][0]
    return facts.encoder.width


def site_key(site: Site) -> str:
    """A site as a name: `encoder_layer_3_after_attention`."""
    if site.stream == "encoder_output":
        return site.stream
    tower = "encoder_" if site.stream == "encoder" else ""
    return f"{tower}layer_{site.layer}" + "_after_attention" * site.after_attention
