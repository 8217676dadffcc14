"""Sites by name and in the order of the forward pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eosdsl.ir.schedule import Site

_STREAMS = ("encoder", "encoder_output", "decoder")


def forward_order(site: Site) -> tuple[int, int, bool]:
    """A key that sorts sites as the forward pass meets them."""
    return _STREAMS.index(site.stream), site.layer, site.after_attention


def site_name(site: Site) -> str:
    """As it is written after `at`."""
    if site.stream == "encoder_output":
        return "encoder output"
    where = "encoder layer" if site.stream == "encoder" else "layer"
    if site == Site(stream="decoder", layer=0):
        return "input"
    return f"{where} {site.layer}" + " after attention" * site.after_attention


def sites_name(sites: Sequence[Site]) -> str:
    """The sites of one statement as they are written after `at`."""
    if len(sites) == 1:
        return site_name(sites[0])
    where = "encoder layers" if sites[0].stream == "encoder" else "layers"
    return f"{where} {layer_list(s.layer for s in sites)}" + " after attention" * sites[0].after_attention


def layer_list(layers: Iterable[int]) -> str:
    """`2..8, 16`: layer numbers with runs of three and more as ranges."""
    runs: list[list[int]] = []
    for layer in sorted(set(layers)):
        if runs and layer == runs[-1][-1] + 1:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    return ", ".join(f"{r[0]}..{r[-1]}" if len(r) > 2 else ", ".join(map(str, r)) for r in runs)
