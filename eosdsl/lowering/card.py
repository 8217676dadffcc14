"""The model card of a compiled operator: what it does, to what, at which cost, and how to apply it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eosdsl.cost.plan import Plan
from eosdsl.models.hub import is_hub_id


def model_card(
    *,
    program: str,
    family: str,
    base_model: str,
    spec: str,
    plan: Plan,
    results: Mapping[str, Any] | None,
    versions: Mapping[str, str],
) -> str:
    """`README.md` of an artefact, with the front matter that model hubs read. Numbers are the plan's own."""
    known = f"base_model: {base_model}\nbase_model_relation: adapter\n" if is_hub_id(base_model) else ""
    lines = [
        "---",
        f"library_name: eosdsl\n{known}pipeline_tag: image-text-to-text\ntags:\n- eosdsl\n- visual-token-reduction",
        "---",
        "",
        f"# {program}",
        "",
        f"A visual-token reduction for `{base_model}` (family `{family}`), written in eosdsl. It holds no weights of",
        "the model: it is attached to one of the same shape, and detached again.",
        "",
        "```eos",
        spec.rstrip(),
        "```",
        "",
        *_costs(plan),
        "",
        "```python",
        "import eosdsl",
        "from transformers import AutoModelForImageTextToText",
        "",
        f'model = AutoModelForImageTextToText.from_pretrained("{base_model}")',
        'compiled = eosdsl.load(model, "THIS_FOLDER")  # or the hub id of this repository',
        "```",
        "",
        *_results(results),
        "Made with " + ", ".join(f"{name} {version}" for name, version in sorted(versions.items())) + ".",
    ]
    return "\n".join(lines) + "\n"


def _costs(plan: Plan) -> list[str]:
    images = f"{plan.images} image{'s' * (plan.images != 1)} of {plan.visual_tokens} visual tokens"
    adaptive = " Counts depend on the image: these are the highest." if plan.adaptive else ""
    return [
        f"Counted for {images} and {plan.text_tokens} text tokens.{adaptive}",
        "",
        "| | full | reduced | |",
        "|---|---|---|---|",
        f"| mean visual tokens of a layer | {plan.visual_tokens} | {plan.mean_tokens:.1f} | {plan.tokens_ratio:.1%} |",
        f"| FLOPs of prefill | {plan.full_flops:.4g} | {plan.flops:.4g} | {plan.ratio:.1%} |",
        f"| KV cache, bytes | {plan.full_kv_cache_bytes} | {plan.kv_cache_bytes} | {plan.kv_cache_ratio:.1%} |",
    ]


def _results(results: Mapping[str, Any] | None) -> Iterator[str]:
    """A table of what was measured, one row a number; what is deeper stays in `results.json`."""
    if results is None:
        return
    flat = {name: value for name, value in results.items() if isinstance(value, str | int | float)}
    if flat:
        yield from ("| measured | |", "|---|---|")
        yield from (f"| {name} | {value} |" for name, value in flat.items())
        yield ""
    yield from ("All results are in `results.json`.", "")
