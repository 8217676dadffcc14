"""The loop on a real relaxed model: resumption, parts of a batch, precisions, steps without a number, TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from spaces import SPACE, model, processor

from eosdsl.ir.nodes import RelaxedProgram
from eosdsl.parsing import parse
from eosdsl.searching import checkpoint
from eosdsl.searching.gradient import by_gradient
from eosdsl.searching.metrics import read_rows
from eosdsl.searching.objective import weights_of
from eosdsl.searching.result import Run
from eosdsl.searching.search import opened
from eosdsl.searching.trainer import CHECKPOINT
from eosdsl.source import SourceFile


def run(folder: Path, **more: Any) -> Run:
    """A search without its deriving."""
    overrides = {"steps": 4, "batch": 2, "checkpoint": 1, **more.pop("overrides", {})}
    program = parse(SPACE)
    assert isinstance(program, RelaxedProgram)
    session, settings = opened(
        program, SourceFile("s", SPACE), model(), "count,multi", processor=processor(), overrides=overrides, questions=2
    )
    folder.mkdir(exist_ok=True)
    constraints = program.constraints
    return by_gradient(session, weights_of(program.objective), constraints, settings, folder, **more)


def parameters(folder: Path) -> dict[str, torch.Tensor]:
    """The decision points in a folder's checkpoint, with the optimiser's moments."""
    return dict(checkpoint.load(folder / CHECKPOINT).tensors)


def apart(one: Path, other: Path) -> float:
    """The most that a decision point differs."""
    mine, theirs = parameters(one), parameters(other)
    assert mine.keys() == theirs.keys()
    return max(float((mine[name] - theirs[name]).abs().max()) for name in mine if name.startswith("parameter/"))


def test_resumed_is_uninterrupted_bit_for_bit(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")
    run(tmp_path / "stopped", until=1)
    run(tmp_path / "stopped", until=3, resume=True)
    resumed = run(tmp_path / "stopped", resume=True)
    assert resumed.genome == whole.genome and resumed.relaxed_loss == whole.relaxed_loss
    mine, theirs = parameters(tmp_path / "stopped"), parameters(tmp_path / "whole")
    assert mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)
    rows = [
        [{**row, "seconds": 0} for row in read_rows(tmp_path / name / "metrics.jsonl")] for name in ("whole", "stopped")
    ]
    assert rows[0] == rows[1] and len(rows[0]) == 4


def test_parts_of_a_batch_add_up_to_the_whole(tmp_path: Path) -> None:
    run(tmp_path / "whole", overrides={"batch": 4, "steps": 1})
    run(tmp_path / "parts", overrides={"batch": 4, "steps": 1, "accumulate": 2})
    assert apart(tmp_path / "whole", tmp_path / "parts") < 1e-6


def test_bf16_searches_beside_fp32(tmp_path: Path) -> None:
    """Two steps of Adam move a decision point by at most twice the rate; bf16 may turn those without a clear sign."""
    full = run(tmp_path / "fp32", overrides={"steps": 2, "batch": 4})
    narrow = run(tmp_path / "bf16", overrides={"steps": 2, "batch": 4, "precision": "bf16"})
    assert [row["finite"] for row in narrow.rows] == [True, True]
    assert narrow.rows[0]["loss"] == pytest.approx(full.rows[0]["loss"], rel=0.05)
    mine, theirs = parameters(tmp_path / "fp32"), parameters(tmp_path / "bf16")
    moved = [name for name in mine if name.startswith("parameter/")]
    near = [float((mine[name] - theirs[name]).abs().max()) < 0.02 for name in moved]
    assert sum(near) > 0.7 * len(near) and apart(tmp_path / "fp32", tmp_path / "bf16") <= 4 * 0.05 + 1e-6


def test_a_step_without_a_number_changes_nothing_but_the_count(tmp_path: Path) -> None:
    poisoned: list[int] = []

    def poison(module: Any, args: Any, output: Any) -> Any:
        poisoned.append(1)
        return output * float("nan") if len(poisoned) == 2 else output

    run(tmp_path / "one", overrides={"steps": 1})
    handle = model().lm_head.register_forward_hook(poison)
    try:
        found = run(tmp_path / "two", overrides={"steps": 1}, until=1)
    finally:
        handle.remove()
    assert found.skipped == 1 and [row["finite"] for row in found.rows] == [False]
    before = run(tmp_path / "none", until=0)
    assert before.genome == found.genome


def test_tensorboard_reads_back_what_was_noted(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(tmp_path / "run", until=3, tensorboard=True)
    run(tmp_path / "run", resume=True, tensorboard=True)
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    rows = read_rows(tmp_path / "run" / "metrics.jsonl")
    for name in ("loss", "task", "hidden", "temperature", "gradient"):
        read = [(one.step, one.value) for one in events.Scalars(name)]
        assert read == [(row["step"], pytest.approx(row[name], rel=1e-5)) for row in rows]
    gate = "gates/steps[0].layers[2].gate"
    assert [one.value for one in events.Scalars(gate)] == pytest.approx([row["gates"][gate[6:]] for row in rows])
    mean = [sum(row["tokens"]) / len(row["tokens"]) for row in rows]
    assert [one.value for one in events.Scalars("tokens/mean")] == pytest.approx(mean, rel=1e-5)
    assert events.Scalars("over/tokens(mean)") and events.Scalars("multipliers/tokens(mean)")
