"""One digest of a model's weights: evaluations and searches of one model can be told to belong together."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from eosdsl.evaluating.evaluate import Settings, evaluate
from eosdsl.lowering.weights_digest import weights_digest

SPACE = "space one for llava\nat layer 2: retain ? 10%..90% by norm(hidden)\nminimise task\nsubject to flops <= 70%\n"


def test_it_is_the_hash_of_names_and_bytes_in_order() -> None:
    model = nn.Linear(2, 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, 2.0]]))
        model.bias.fill_(3.0)
    by_hand = b"bias" + b"\x00\x00\x40\x40" + b"weight" + b"\x00\x00\x80\x3f" + b"\x00\x00\x00\x40"
    assert weights_digest(model) == hashlib.sha256(by_hand).hexdigest()[:12]


def test_any_weight_and_the_dtype_count() -> None:
    model = nn.Linear(2, 1)
    before = weights_digest(model)
    assert weights_digest(model.to(torch.bfloat16)) != before
    other = nn.Linear(2, 1)
    other.load_state_dict(model.float().state_dict())
    assert weights_digest(other) == weights_digest(model)
    with torch.no_grad():
        other.bias.add_(1)
    assert weights_digest(other) != weights_digest(model)


def test_weights_that_are_not_in_memory_stand_with_their_shapes() -> None:
    assert weights_digest(nn.Linear(2, 3, device="meta")) != weights_digest(nn.Linear(3, 2, device="meta"))


def test_searches_and_evaluations_of_one_model_say_the_same(model_folder: Path, tmp_path: Path) -> None:
    from eosdsl.parsing import parse_source
    from eosdsl.searching.session import open_session
    from eosdsl.source import SourceFile

    settings = Settings(tasks=("exist",), questions=1, rounds=0, max_new_tokens=1, controls=False)
    evaluate([], str(model_folder), tmp_path / "out", (), settings)
    said = json.loads((tmp_path / "out" / "eval.json").read_text())["weights"]
    source = SourceFile("space", SPACE)
    program: Any = parse_source(source)
    session = open_session(program, source, str(model_folder), "exist", questions=1)
    assert said == f"sha256 {session.model_hash}"
