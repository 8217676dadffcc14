"""`eosdsl sample`: random members as specs, as genomes, as files."""

from __future__ import annotations

from pathlib import Path

from cli_runs import invoke

from eosdsl.ir.nodes import DiscreteProgram
from eosdsl.parsing import parse

SPACE = (
    "space s for llava\nat any 1..2 of layers 0, 4, 8: retain ? 5%..50% by ? * attention + ? * norm\nminimise task\n"
)


def spec(folder: Path) -> str:
    (folder / "s.eos").write_text(SPACE)
    return str(folder / "s.eos")


def test_members_are_specs_that_check(tmp_path: Path) -> None:
    run = invoke("sample", spec(tmp_path), "-n", "4", "--seed", "3", "--model", "llava", "--out", str(tmp_path / "m"))
    assert run.code == 0
    assert "I0515" in run.err
    files = sorted((tmp_path / "m").iterdir())
    assert [file.name for file in files] == ["0.eos", "1.eos", "2.eos", "3.eos"]
    assert all(isinstance(parse(file), DiscreteProgram) for file in files)
    printed = invoke("sample", spec(tmp_path), "-n", "4", "--seed", "3", "--model", "llava", "-q")
    assert printed.out.strip() == "\n".join(file.read_text() for file in files).strip()


def test_a_genome_replays_its_member(tmp_path: Path) -> None:
    genomes = invoke("sample", spec(tmp_path), "-n", "3", "--json", "-q").out
    (tmp_path / "g.json").write_text(genomes)
    again = invoke("sample", spec(tmp_path), "--genome", str(tmp_path / "g.json"), "-q")
    assert again.out == invoke("sample", spec(tmp_path), "-n", "3", "-q").out


def test_an_operator_has_nothing_to_sample(tmp_path: Path) -> None:
    (tmp_path / "o.eos").write_text("operator o\nat layer 2: retain 50%\n")
    run = invoke("sample", str(tmp_path / "o.eos"))
    assert run.code == 1
    assert "E0518" in run.err
