"""A tiny untrained model with its processor, saved once: who answers nonsense, but the same nonsense every time."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    from eosdsl.zoo.tiny_llava import fresh_model, processor

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models") / "untrained"
    model = fresh_model(3)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 2 and "embed" not in name:
                weight.mul_(6.0)  # sharper: the answer depends on what is seen
    model.save_pretrained(folder)
    processor().save_pretrained(folder)
    return folder
