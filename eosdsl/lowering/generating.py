"""What `generate` knows and a forward does not: where the prompt ends. And the ways of generating that are refused."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import Any, NoReturn

import torch

from eosdsl.lowering.refusals import refuse, refuse_without_weights
from eosdsl.lowering.tiles import prompt

_prompt_rows: ContextVar[int | None] = ContextVar("eosdsl_prompt_rows", default=None)

REFUSED = {
    "assistant_model": "assisted decoding",
    "prompt_lookup_num_tokens": "prompt lookup decoding",
    "assistant_early_exit": "early-exit decoding",
    "prefill_chunk_size": "chunked prefill",
    "custom_generate": "custom generation code",
    "output_attentions": "output_attentions",
}
REFUSED_CACHES = {
    "offloaded_static": "an offloaded static cache",
    "offloaded": "an offloaded cache",
    "quantized": "a quantised cache",
    "paged": "a paged cache",
}


def prompt_rows() -> int | None:
    """Rows of the prompt that generation started with, None outside `generate`.

    Without a cache every step feeds the prompt and all that was generated: a score that asks the last row must go on
    asking the prompt's.
    """
    return None if torch.compiler.is_compiling() else _prompt_rows.get()


def generating(generate: Callable[..., Any], model: Any) -> Callable[..., Any]:
    """`generate` of `model`, which remembers the prompt's length while it runs and refuses what cannot be right."""

    @wraps(generate)
    def remembering(inputs: Any = None, generation_config: Any = None, **kwargs: Any) -> Any:
        refuse_without_weights(model)
        _refuse(generation_config or model.generation_config, kwargs)
        ids = inputs if inputs is not None else kwargs.get("input_ids")
        token = _prompt_rows.set(None if ids is None else int(ids.shape[1]))
        try:
            with prompt(ids):
                return generate(inputs, generation_config, **kwargs)
        finally:
            _prompt_rows.reset(token)

    return remembering


def _refuse(config: Any, kwargs: dict[str, Any]) -> None:
    for name, what in REFUSED.items():
        if kwargs.get(name, getattr(config, name, None)):
            refuse("E0434", f"{what} is not supported while an operator is attached (`{name}`)")
    if getattr(config, "is_assistant", False):
        refuse("E0434", "a model with an operator cannot be the assistant of assisted decoding")
    cache = kwargs.get("cache_implementation", getattr(config, "cache_implementation", None))
    if cache not in (None, "dynamic", "static"):
        what = REFUSED_CACHES.get(cache, f"a cache of kind `{cache}`")
        refuse(
            "E0433",
            f"{what} is not supported while an operator is attached",
            "use a dynamic cache (the default) or a static one",
        )
    if kwargs.get("inputs_embeds") is not None:
        refuse("E0432", "generate was called with inputs_embeds: which rows are visual is read from input_ids")


def refuse_continuous(*_: Any, **__: Any) -> NoReturn:
    """What stands in for `init_continuous_batching`, through which all continuous batching begins."""
    refuse("E0434", "continuous batching is not supported while an operator is attached", "use generate")
