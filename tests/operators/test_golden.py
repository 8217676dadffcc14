"""The operators make what the originals make: on their own outputs, and on cases of other sizes and seeds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from originals import MAKERS, Maker, divprune, grid_pooling, tome, write

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


def as_bfloat16(array: npt.NDArray[np.float32]) -> npt.NDArray[np.void]:
    """As arrays of a type that NumPy does not know come back from a file: two bytes a number."""
    return torch.from_numpy(array).bfloat16().view(torch.int16).numpy().view("V2")


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_outputs_in_half_precision(maker: Maker, tmp_path: Path) -> None:
    arrays, meta = maker(np.random.default_rng(6), 40)
    for number, halved in enumerate((lambda array: array.astype(np.float16), as_bfloat16)):
        outputs = {name: halved(array) for name, array in arrays.items() if is_row(name, array)}
        outcome = judge(write(tmp_path, f"half_{number}", ({**arrays, **outputs}, meta)))
        assert outcome.agrees, outcome.line
        wrong = {name: halved(arrays[name] + np.float32(0.1)) for name in outputs}
        assert not outputs or not judge(write(tmp_path, f"wrong_{number}", ({**arrays, **wrong}, meta))).agrees


def is_row(name: str, array: npt.NDArray[Any]) -> bool:
    return name.startswith("out_") and array.dtype == np.float32


def test_the_tolerance_is_the_one_that_the_file_names(tmp_path: Path) -> None:
    arrays, meta = grid_pooling(np.random.default_rng(0), 40)
    off = {**arrays, "out_hidden": arrays["out_hidden"] + np.float32(5e-4)}
    assert not judge(write(tmp_path, "exact", (off, meta))).agrees
    assert judge(write(tmp_path, "loose", (off, {**meta, "atol": 1e-3}))).agrees
    assert not judge(write(tmp_path, "default", (off, {name: meta[name] for name in ("method", "grid")}))).agrees


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_what_is_missing_or_damaged_is_one_clear_line(maker: Maker, tmp_path: Path) -> None:
    arrays, meta = maker(np.random.default_rng(3), 40)
    for name in arrays:
        outcome = judge(write(tmp_path, "lacking", ({one: arrays[one] for one in arrays if one != name}, meta)))
        assert not outcome.agrees and f"`{name}`" in outcome.line
    whole = write(tmp_path, "whole", (arrays, meta)).read_bytes()
    for length in (0, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.npz").write_bytes(whole[:length])
        outcome = judge(tmp_path / "cut.npz")
        assert not outcome.agrees and "is not a golden case" in outcome.line and "\n" not in outcome.line
    for name, array in arrays.items():
        assert "\n" not in judge(write(tmp_path, "misfit", ({**arrays, name: array[..., :1]}, meta))).line


def test_a_case_that_compares_nothing_does_not_agree(tmp_path: Path) -> None:
    arrays, meta = tome(np.random.default_rng(3), 40)
    assert not judge(write(tmp_path, "nothing", (arrays, {**meta, "layers": 0}))).agrees


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
