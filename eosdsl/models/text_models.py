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
_QWEN: dict[str, Any] = {
    **_LLAMA,
    "vocab_size": 151936,
    "intermediate_size": 22016,
    "num_key_value_heads": 32,
    "max_window_layers": 28,
}
_GEMMA: dict[str, Any] = {
    "vocab_size": 262208,
    "hidden_size": 2304,
    "intermediate_size": 9216,
    "num_hidden_layers": 26,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "sliding_window": 4096,
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
    "qwen2": _QWEN,
    "qwen3": {**_QWEN, "head_dim": 128},
    "gemma": {
        "vocab_size": 256000,
        "hidden_size": 3072,
        "intermediate_size": 24576,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
        "head_dim": 256,
    },
    "gemma2": {**_GEMMA, "vocab_size": 256000},
    "gemma3_text": _GEMMA,
    "cohere2": {
        "vocab_size": 256000,
        "hidden_size": 8192,
        "intermediate_size": 22528,
        "num_hidden_layers": 40,
        "num_attention_heads": 64,
        "sliding_window": 4096,
    },
    "qwen3_vl_text": {
        "vocab_size": 151936,
        "hidden_size": 4096,
        "intermediate_size": 22016,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
        "head_dim": 128,
    },
    "qwen2_vl_text": _QWEN_VL,
    "qwen2_5_vl_text": _QWEN_VL,
}


_EVERY = {"gemma2": 2, "gemma3_text": 6, "cohere2": 4}
"""Of so many layers the last sees everything and the others slide, where the config does not name them one by one."""
_GATED = ("qwen2", "qwen3", "qwen2_vl_text", "qwen2_5_vl_text")
"""Types whose layers slide only where `use_sliding_window` says so."""


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
    sliding = _sliding(text, layers)
    return DecoderFacts(
        layers=layers,
        width=width,
        heads=heads,
        kv_heads=kv_heads,
        head_width=text.count("head_dim", width // heads),
        mlp_width=text.count("intermediate_size"),
        vocabulary=text.count("vocab_size"),
        rope=rope,
        sliding_layers=sliding,
        window=_window(text) if sliding else None,
    )


def _window(text: Config) -> int | None:
    """How many positions sliding layers see. Here null says: all."""
    window = text.values.get("sliding_window", text.defaults.get("sliding_window"))
    if window is None or (text.get("model_type") in _GATED and not text.get("use_sliding_window", False)):
        return None
    return text.count("sliding_window")


def _sliding(text: Config, layers: int) -> tuple[int, ...]:
    """Layers whose attention slides over a window: named one by one, in turns, or all after `max_window_layers`."""
    kinds = text.get("layer_types")
    if isinstance(kinds, list):
        return tuple(i for i, kind in enumerate(kinds[:layers]) if kind == "sliding_attention")
    if _window(text) is None:
        return ()
    every = _EVERY.get(text.get("model_type"))
    if every is not None:
        turns = text.count("sliding_window_pattern", every)
        return tuple(i for i in range(layers) if (i + 1) % turns)
    return tuple(range(text.count("max_window_layers") if text.get("model_type") in _GATED else 0, layers))
