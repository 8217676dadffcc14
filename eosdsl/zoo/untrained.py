"""A model before its training."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from eosdsl.zoo.train_tokens import EOS, PAD

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

    Model = TypeVar("Model", bound=PreTrainedModel)


def untrained(kind: type[Model], config: PreTrainedConfig, seed: int) -> Model:
    """A model of this class with random weights, the same for the same seed; it ends and pads as our tokenizers do."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = kind(config)
    assert model.generation_config is not None
    model.generation_config.eos_token_id = EOS
    model.generation_config.pad_token_id = PAD
    return model
