"""What a site offers to the operators that read more than the hidden state, and why it does not."""

from __future__ import annotations

from eosdsl.ir.schedule import Site
from eosdsl.models.facts import ModelFacts
from eosdsl.operators.base import AttentionProbe, KeysProbe, Probe, TextProbe, ValuesProbe
from eosdsl.passes.sites import site_name


def missing(probe: Probe, site: Site, facts: ModelFacts) -> str | None:
    """Why the site cannot give what the probe asks for, as half a sentence; None where it can."""
    if isinstance(probe, AttentionProbe):
        return _no_query(probe, site, facts) or _no_layer(probe, site, facts)
    if isinstance(probe, TextProbe) and site.stream != "decoder":
        return "the vision tower does not see the text"
    if isinstance(probe, KeysProbe | ValuesProbe) and _nothing_has_run(site):
        return f"no layer has run before {site_name(site)}, so there are no keys and values yet"
    return None


def _no_query(probe: AttentionProbe, site: Site, facts: ModelFacts) -> str | None:
    if site.stream == "decoder":
        return "the language model has no CLS token" if probe.query == "cls" else None
    if probe.query in ("last", "text", "raters"):
        return "the vision tower does not see the text"
    if probe.query == "cls" and not (facts.encoder and facts.encoder.has_cls):
        return f"the vision tower of {facts.name} has no CLS token"
    return None


def _no_layer(probe: AttentionProbe, site: Site, facts: ModelFacts) -> str | None:
    if probe.layer == "previous":
        return f"no layer has run before {site_name(site)}" if _nothing_has_run(site) else None
    if probe.layer == "next":
        return _no_next(site)
    last = _last_readable(site, facts)
    if probe.layer < 0 or probe.layer > last:
        return f"attention of layer {probe.layer} is not known at {site_name(site)}" + (
            f", only that of layers 0..{last}" if last >= 0 else ""
        )
    return None


def _no_next(site: Site) -> str | None:
    if site.after_attention:
        return "after attention, the layer's own attention is the `previous` one, and the next needs the MLP first"
    return "the tower's layers have all run" if site.stream == "encoder_output" else None


def _nothing_has_run(site: Site) -> bool:
    return site.layer == 0 and not site.after_attention


def _last_readable(site: Site, facts: ModelFacts) -> int:
    """The last layer whose attention is known at the site, or can be computed there (the layer about to run)."""
    if site.stream == "encoder_output":
        return facts.encoder.layers_run - 1 if facts.encoder else -1
    return site.layer
