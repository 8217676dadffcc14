"""The operators make what the originals make: on their own outputs, and on cases of other sizes and seeds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from originals import MAKERS, Maker, divprune, write

from eosdsl.golden.__main__ import judge, main

COMPUTED_BY_THE_ORIGINALS = Path(__file__).parent.parent / "golden"


@pytest.mark.parametrize("path", sorted(COMPUTED_BY_THE_ORIGINALS.glob("*.npz")), ids=lambda path: path.stem)
def test_what_the_originals_computed(path: Path) -> None:
    outcome = judge(path)
    assert outcome.agrees, outcome.line


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
@pytest.mark.parametrize(("seed", "length"), [(1, 48), (2, 65), (3, 33)])
def test_other_sizes_and_seeds_against_plain_references(maker: Maker, seed: int, length: int, tmp_path: Path) -> None:
    outcome = judge(write(tmp_path, maker.__name__, maker(np.random.default_rng(seed), length)))
    assert outcome.agrees, outcome.line


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_a_wrong_value_is_noticed(maker: Maker, tmp_path: Path) -> None:
    arrays, meta = maker(np.random.default_rng(5), 48)
    name = next(name for name in arrays if name.startswith("out_") and name not in ("out_count", "out_index"))
    spoiled = arrays[name].copy()
    if spoiled.dtype == bool:
        spoiled.flat[0] ^= True
    elif name == "out_kept":
        spoiled[0] = next(i for i in range(1000) if i not in spoiled)
    else:
        spoiled[(0,) * spoiled.ndim] += 0.01
    assert not judge(write(tmp_path, "spoiled", ({**arrays, name: spoiled}, meta))).agrees


def test_exit_codes_and_a_line_for_every_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert main([str(tmp_path / "nowhere")]) == 2
    good = divprune(np.random.default_rng(0), 40)
    write(tmp_path, "good", good)
    assert main([str(tmp_path)]) == 0
    write(tmp_path, "stranger", (good[0], {"method": "Nobody's"}))
    write(tmp_path, "lacking", ({}, good[1]))
    write(tmp_path, "no_parameter", (good[0], {"method": "DivPrune"}))
    (tmp_path / "broken.npz").write_bytes(b"not a zip")
    np.savez(tmp_path / "no_meta.npz", in_features=np.zeros(3))
    np.savez(
        tmp_path / "misfit.npz",
        in_features=np.zeros((2, 2, 2), np.int64),
        meta=np.array('{"method": "DivPrune", "retain": 1}'),
    )
    capsys.readouterr()
    assert main([str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[:-1]] == [
        ["FAIL", "broken.npz"],
        ["ok", "good.npz"],
        ["FAIL", "lacking.npz"],
        ["FAIL", "misfit.npz"],
        ["FAIL", "no_meta.npz"],
        ["FAIL", "no_parameter.npz"],
        ["FAIL", "stranger.npz"],
    ]
    assert lines[-1].startswith("1 of 7")


def test_the_command_as_make_golden_calls_it() -> None:
    command = [sys.executable, "-m", "eosdsl.golden", str(COMPUTED_BY_THE_ORIGINALS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "15 of 15 agree" in done.stdout
