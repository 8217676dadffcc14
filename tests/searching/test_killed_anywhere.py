"""Killed in the middle of anything that it writes, a search goes on to the very end that it would have come to."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from toy import Toy, tokens_below, trainer

from eosdsl.searching import checkpoint
from eosdsl.searching.metrics import Metrics, read_rows
from eosdsl.searching.settings import Settings
from eosdsl.searching.trainer import CHECKPOINT

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a search is killed in a process of its own: fork")

SETTINGS = Settings(steps=7, batch=2, rate=0.05, checkpoint=2)
METRICS = "metrics.jsonl"


def search(folder: Path, *, resume: bool) -> None:
    """A search with metrics, as `by_gradient` runs one."""
    run = trainer(Toy(), SETTINGS, tokens_below(40), folder=folder)
    if resume:
        run.resume()
    metrics = Metrics(folder / METRICS, after=run.progress.step, tensorboard=False)
    run.run(metrics.add)
    metrics.close()


def found(folder: Path) -> tuple[Any, ...]:
    """All that a search left, but times and what a kill left beside."""
    kept = checkpoint.load(folder / CHECKPOINT)
    rows = [{**row, "seconds": 0} for row in read_rows(folder / METRICS)]
    return {n: t.tolist() for n, t in kept.tensors.items()}, {**kept.state, "seconds": 0}, rows


class Dying:
    """Counts the places at which a process may die, and dies at one: `last` -1 only counts."""

    def __init__(self, last: int) -> None:
        self.last, self.places = last, 0

    def __call__(self) -> None:
        if self.places == self.last:
            os.kill(os.getpid(), signal.SIGKILL)
        self.places += 1

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def dying(*args: Any, **kwargs: Any) -> Any:
            self()
            result = function(*args, **kwargs)
            self()
            return result

        return dying

    def half(self, save: Callable[..., Any]) -> Callable[..., Any]:
        """Saving tensors, with a place at which only half of the file is written."""

        def dying(tensors: Any, path: Any, metadata: Any = None) -> None:
            save(tensors, path, metadata=metadata)
            whole = Path(path).read_bytes()
            Path(path).write_bytes(whole[: len(whole) // 2])
            self()
            Path(path).write_bytes(whole)
            self()

        return dying


def patched(monkeypatch: pytest.MonkeyPatch, dying: Dying) -> None:
    monkeypatch.setattr(checkpoint, "save_file", dying.half(safetensors.torch.save_file))
    monkeypatch.setattr(os, "replace", dying.around(os.replace))
    monkeypatch.setattr(Metrics, "add", dying.around(Metrics.add))


def killed(folder: Path, place: int, *, resume: bool) -> None:
    """A child that dies at a place."""
    child = os.fork()
    if child == 0:
        with pytest.MonkeyPatch.context() as monkeypatch:
            patched(monkeypatch, Dying(place))
            search(folder, resume=resume)
        os._exit(1)  # it should have died
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def test_killed_at_every_place_it_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    counting, whole = Dying(-1), tmp_path / "whole"
    whole.mkdir()
    with pytest.MonkeyPatch.context() as monkeypatch:
        patched(monkeypatch, counting)
        search(whole, resume=False)
    assert counting.places > 25
    for place in range(counting.places):
        folder = tmp_path / f"killed{place}"
        folder.mkdir()
        killed(folder, place, resume=False)
        if place % 3 == 0:  # and again, soon after it goes on
            killed(folder, 1, resume=True)
        search(folder, resume=True)
        assert found(folder) == found(whole), place
