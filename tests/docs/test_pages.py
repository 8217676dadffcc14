"""Every code block of the README and of `docs/` is executed: what a page promises is what happens."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from literate import Block, blocks, commands, shows
from typer.testing import CliRunner

import eosdsl
from eosdsl.cli.main import app
from eosdsl.diagnostics import Severity
from eosdsl.resources import resource
from eosdsl.zoo import small_llava

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXECUTED = ("eos", "python", "console", "json")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_llava.build(tmp_path_factory.mktemp("zoo") / "small-llava", size="tiny")


@pytest.fixture
def desk(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like a checkout after `make demo`, with a tiny model where the small LLaVA would be, and a cat."""
    from eosdsl.demo.photographs import photograph

    (tmp_path / "specs").symlink_to(resource("specs"))
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "small-llava").symlink_to(model)
    photograph("chelsea").save(tmp_path / "cat.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_block_does_what_it_says(page: Path, desk: Path) -> None:
    namespace: dict[str, object] = {"__name__": "page"}
    for block in blocks(page):
        if block.language not in EXECUTED:
            continue
        try:
            execute(block, namespace, desk)
        except Exception as problem:
            raise AssertionError(f"{page.relative_to(ROOT)}:{block.line}: {problem}") from problem


def execute(block: Block, namespace: dict[str, object], desk: Path) -> None:
    if block.language == "eos":
        execute_spec(block, desk)
    elif block.language == "python":
        exec(compile("\n" * block.line + block.text, "page", "exec"), namespace)
    elif block.language == "json":
        json.loads(block.text)
    else:
        execute_console(block)


def execute_spec(block: Block, desk: Path) -> None:
    wrong = "wrong" in block.info
    for name in (word for word in block.info if word.endswith(".eos")):
        (desk / name).write_text(block.text, encoding="utf-8")
    errors = [d for d in eosdsl.check(block.text) if d.severity is Severity.ERROR]
    assert bool(errors) == wrong, errors or "this passes the check"
    assert wrong or eosdsl.format(block.text) == block.text, eosdsl.format(block.text)


def execute_console(block: Block) -> None:
    for command in commands(block.text):
        program, *arguments = command.arguments
        assert program == "eosdsl", f"console blocks run eosdsl, not {program}"
        result = CliRunner().invoke(app, arguments, prog_name="eosdsl")
        assert result.exit_code == command.exit_code, f"{command.arguments}: exit {result.exit_code}\n{result.output}"
        assert shows(command.expected, result.output), f"{command.arguments} prints\n{result.output}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_and_make_targets_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"\bmake ([a-z-]+)`", text):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{page.name} names make {target}"


def test_the_harness_can_fail() -> None:
    assert shows("a  b\n…\nlast …\n", "a b\nmore\nlast word\n")
    assert not shows("a b\n", "a c\n")
    assert not shows("a b\n", "a b\nmore\n")
    with pytest.raises(AssertionError):
        execute(Block("eos", (), "at layr 2: retain 50%\n", 1), {}, Path())
    with pytest.raises(AssertionError):
        execute(Block("console", (), "$ eosdsl nonsense\n", 1), {}, Path())
    with pytest.raises(NameError):
        execute(Block("python", (), "nonsense\n", 1), {}, Path())
