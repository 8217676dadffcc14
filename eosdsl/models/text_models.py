"""Decoder facts of the plain language models that vision-language families are built on.

Configs on hubs leave out what equals the default of their `model_type`; the defaults here are those of transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from eosdsl.models.config import Config
from eosdsl.models.facts import DecoderFacts

_LLAMA: dict[str, Any] = {
    "vocab_size": 32000,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
}
_QWEN_VL: dict[str, Any] = {
    "vocab_size": 152064,
    "hidden_size": 8192,
    "intermediate_size": 29568,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "max_window_layers": 80,
}
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "llama": _LLAMA,
    "mistral": {**_LLAMA, "intermediate_size": 14336, "num_key_value_heads": 8, "sliding_window": 4096},
    "qwen2": {
        **_LLAMA,
        "vocab_size": 151936,
        "intermediate_size": 22016,
        "num_key_value_heads": 32,
        "max_window_layers": 28,
    },
    "qwen2_vl_text": _QWEN_VL,
    "qwen2_5_vl_text": _QWEN_VL,
}


def decoder_facts(config: Config, rope: Literal["1d", "mrope"] = "1d") -> DecoderFacts:
    """Facts of a decoder from its own section of the config.

    Raises:
        SpecError: E0645 where a key is missing that the model type has no default for, or holds nonsense.
    """
    text = config.with_defaults(DEFAULTS.get(config.get("model_type"), {}))
    layers, width, heads = (text.count(k) for k in ("num_hidden_layers", "hidden_size", "num_attention_heads"))
    kv_heads = text.count("num_key_value_heads", heads)
    if text.get("head_dim") is None and width % heads:
        raise text.problem("hidden_size", f"is {width}, which {heads} heads do not divide")
    if heads % kv_heads:
        raise text.problem("num_key_value_heads", f"is {kv_heads}, which does not divide {heads} heads")
    return DecoderFacts(
        layers=layers,
        width=width,
        heads=heads,
        kv_heads=kv_heads,
        head_width=text.count("head_dim", width // heads),
        mlp_width=text.count("intermediate_size"),
        vocabulary=text.count("vocab_size"),
        rope=rope,
        sliding_layers=_sliding(text, layers),
    )


def _sliding(text: Config, layers: int) -> tuple[int, ...]:
    """Layers whose attention slides over a window: named one by one, or all after `max_window_layers`."""
    kinds = text.get("layer_types")
    if isinstance(kinds, list):
        return tuple(i for i, kind in enumerate(kinds[:layers]) if kind == "sliding_attention")
    gated = text.get("model_type") in {"qwen2", "qwen2_vl_text", "qwen2_5_vl_text"}
    window = text.values.get("sliding_window", text.defaults.get("sliding_window"))  # here null says: no window
    if window is None or (gated and not text.get("use_sliding_window", False)):
        return ()
    return tuple(range(text.count("max_window_layers") if gated else 0, layers))
