"""A search trains the networks of learned scores along with what is open, and hands their numbers on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from spaces import model, processor

import eosdsl
from eosdsl.cost.learned import asked_by
from eosdsl.lowering.learned import TENSORS, networks

SPACE = """
space gated for llava
at any 1..2 of layers 2, 4:
  retain ? 5%..80%
  by learned(worth)
minimise task
subject to tokens(mean) <= 48
search with steps: 4, batch: 2, optimiser: adamw(lr: 0.05), temperature: 2 -> 0.05 along cosine, seed: 0, checkpoint: 2
"""
pytestmark = pytest.mark.filterwarnings("error:W0459")


def search(out: Path | None, **more: Any) -> Any:
    return eosdsl.search(SPACE, model(), "count,exist", out=out, processor=processor(), questions=4, **more)


def test_a_search_trains_learned_scores_and_saves_them(tmp_path: Path) -> None:
    result = search(tmp_path / "found")
    saved = load_file(tmp_path / "found" / TENSORS)
    with eosdsl.compile(result.program, model(), learned=tmp_path / "found") as compiled:
        asked = asked_by(compiled.schedule)
        assert {name.split(".")[0] for name in saved} == {one.key for one in asked} != set()
        assert compiled.warnings == []
        for name, tensor in compiled.learned.state_dict().items():
            assert torch.equal(tensor, saved[name]) and torch.equal(tensor, result.learned[name].cpu())
    drawn = networks(asked).state_dict()
    assert all(not torch.equal(drawn[name], saved[name]) for name in saved if "bias" not in name)


def test_what_was_learned_is_in_the_checkpoint(tmp_path: Path) -> None:
    whole = search(tmp_path / "whole")
    first = load_file(tmp_path / "whole" / "checkpoint.safetensors")
    learned = [name for name in first if name.startswith("parameter/learned.")]
    assert len(learned) == 2 * 10  # both candidates, chosen or not
    again = search(tmp_path / "whole", resume=True)
    assert again.text == whole.text
    assert all(torch.equal(again.learned[name], tensor) for name, tensor in whole.learned.items())
