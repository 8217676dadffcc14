"""A search that is killed goes on as if it had not been; several processes learn what one does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

RUN = Path(__file__).with_name("toy_run.py")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}


def whole(folder: Path, steps: int, batch: int = 4, launcher: tuple[str, ...] = ()) -> dict[str, Any]:
    command = [sys.executable, *launcher, str(RUN), str(folder), str(steps), str(batch)]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_a_killed_search_ends_as_one_that_was_not(tmp_path: Path) -> None:
    (tmp_path / "killed").mkdir()
    (tmp_path / "left").mkdir()
    command = [sys.executable, str(RUN), str(tmp_path / "killed"), "600"]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == "step 40":
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    resumed = whole(tmp_path / "killed", 600)
    assert resumed == whole(tmp_path / "left", 600)  # bit for bit


@pytest.mark.slow
@pytest.mark.parametrize(("steps", "apart"), [(1, 1e-6), (5, 1e-4)])
def test_two_processes_learn_what_one_does(tmp_path: Path, steps: int, apart: float) -> None:
    pytest.importorskip("accelerate")
    launcher = ("-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1")
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one = whole(tmp_path / "one", steps, batch=8)
    two = whole(
        tmp_path / "two", steps, batch=8, launcher=(*launcher, "--mixed_precision", "no", "--dynamo_backend", "no")
    )
    assert one.pop("world") == [1] and two.pop("world") == [2]
    for name, value in one.items():
        assert two[name] == pytest.approx(value, abs=apart)
