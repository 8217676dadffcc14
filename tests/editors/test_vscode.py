"""The extension folder for Visual Studio Code: complete, consistent with the server, and its client starts it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from eosdsl.cli.main import COMMANDS
from eosdsl.diagnostics import Severity
from eosdsl.highlight.textmate import SCOPE
from eosdsl.lsp.settings import DEFAULTS, Settings, updated
from eosdsl.source import SourceFile
from eosdsl.syntax.parse import parse_syntax

FOLDER = Path(__file__).resolve().parents[2] / "grammar" / "vscode"
PACKAGE: dict[str, Any] = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))
SNIPPETS: dict[str, Any] = json.loads((FOLDER / "snippets" / "eos.json").read_text(encoding="utf-8"))
NODE = shutil.which("node")


def test_everything_that_is_named_is_there() -> None:
    contributes = PACKAGE["contributes"]
    rows = [*contributes["languages"], *contributes["grammars"], *contributes["snippets"]]
    named = [PACKAGE["main"], *(row[key] for row in rows for key in ("path", "configuration") if key in row)]
    assert [name for name in named if not (FOLDER / name).is_file()] == []
    for file in FOLDER.rglob("*.json"):
        if "node_modules" not in file.parts:
            json.loads(file.read_text(encoding="utf-8"))
    (grammar,) = contributes["grammars"]
    assert grammar["scopeName"] == SCOPE


def test_nothing_that_is_packed_is_left_to_chance() -> None:
    ignored = (FOLDER / ".vscodeignore").read_text(encoding="utf-8").split()
    packed = {file.name for file in FOLDER.iterdir() if file.name not in ignored and file.suffix != ".vsix"}
    assert packed - {"node_modules"} == {
        "package.json", "extension.js", "language-configuration.json", "README.md", "snippets", "syntaxes",
    }  # fmt: skip


def test_the_server_understands_every_setting() -> None:
    properties: dict[str, Any] = PACKAGE["contributes"]["configuration"]["properties"]
    server = {name.removeprefix("eosdsl."): row for name, row in properties.items() if ".server." not in name}
    assert updated(Settings(model=None, text_tokens=1), {n: row["default"] for n, row in server.items()}) == DEFAULTS
    samples = {"model": "qwen2-vl", "params": {"b": "3"}, "textTokens": 7, "allowOutside": True}
    assert set(samples) == set(server)
    for name, value in samples.items():
        assert updated(DEFAULTS, {name: value}) != DEFAULTS, f"{name} changes nothing"


def test_the_server_is_started_by_a_command_that_exists() -> None:
    program, command = PACKAGE["contributes"]["configuration"]["properties"]["eosdsl.server.command"]["default"]
    assert program == "eosdsl"
    assert command in COMMANDS


def expanded(body: list[str]) -> str:
    """A snippet with its first proposals."""
    text = "\n".join(body)
    text = re.sub(r"\$\{\d+\|([^,|]*)[^|]*\|\}", r"\1", text)
    text = re.sub(r"\$\{\d+:([^}]*)\}", r"\1", text)
    return text.replace("$0", "")


@pytest.mark.parametrize("name", SNIPPETS)
def test_snippets_are_right_as_they_come(name: str) -> None:
    text = expanded(SNIPPETS[name]["body"])
    assert "$" not in text
    tree, found = parse_syntax(SourceFile("<snippet>", text))
    assert [d.message for d in found] == []
    assert tree is not None
    if name in ("score", "param", "expect"):
        text += "at layer 2: retain 50%\n"
    import eosdsl

    assert [d.message for d in eosdsl.check(text) if d.severity is Severity.ERROR] == []


STUBS = {
    "vscode": """
const seen = globalThis.seen = { errors: [], commands: [] };
const settings = { "": { eosdsl: { model: "qwen2-vl", server: { command: ["/opt/eosdsl", "lsp", "-v"] } } } };
module.exports = {
  commands: { registerCommand: (name) => seen.commands.push(name) },
  window: { showErrorMessage: (text) => seen.errors.push(text) },
  workspace: {
    getConfiguration: (section) => ({
      get: (name, otherwise) => (section ? settings[""].eosdsl.server.command : settings[""][name]) ?? otherwise,
    }),
    createFileSystemWatcher: (glob) => ({ glob }),
    onDidChangeConfiguration: () => ({}),
  },
};
""",
    "vscode-languageclient/node": """
module.exports = { LanguageClient: class {
  constructor(id, name, server, client) { Object.assign(globalThis.seen, { id, server, client }); }
  async start() { if (process.env.BROKEN) throw new Error("spawn /opt/eosdsl ENOENT"); }
  async stop() { globalThis.seen.stopped = true; }
} };
""",
}


@pytest.mark.skipif(NODE is None, reason="node is not installed")
@pytest.mark.parametrize("broken", [False, True])
def test_the_client_starts_the_server_and_says_when_it_cannot(broken: bool, tmp_path: Path) -> None:
    for name, code in STUBS.items():
        file = tmp_path / "node_modules" / f"{name}.js"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code, encoding="utf-8")
    shutil.copy(FOLDER / "extension.js", tmp_path)
    script = """
      const extension = require("./extension.js");
      const show = () => console.log(JSON.stringify(seen));
      extension.activate({ subscriptions: [] }).then(extension.deactivate).then(show);
    """
    environment = {"BROKEN": "1"} if broken else {}
    ended = subprocess.run([str(NODE), "-e", script], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert ended.returncode == 0, ended.stderr
    seen = json.loads(ended.stdout)
    assert seen["server"] == {"command": "/opt/eosdsl", "args": ["lsp", "-v"]}
    assert seen["client"]["initializationOptions"] == {"model": "qwen2-vl"}
    assert seen["client"]["documentSelector"] == [{"language": "eos"}]
    assert seen["commands"] == ["eosdsl.restart"]
    assert seen["stopped"]
    assert ["pip install 'eosdsl[lsp]'" in text for text in seen["errors"]] == ([True] if broken else [])


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(NODE is None or shutil.which("npm") is None, reason="node and npm are not installed")
def test_the_folder_packages(tmp_path: Path) -> None:
    """As docs/editors.md says it, in a copy: the package holds the client that the extension starts, and every part."""
    folder = tmp_path / "vscode"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("node_modules", "*.vsix"))
    fetched = subprocess.run(["npm", "install", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True)
    if fetched.returncode:
        pytest.skip(f"npm cannot install the packaging tool here: {fetched.stderr[-200:]}")
    made = subprocess.run(["npm", "run", "package"], cwd=folder, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    with zipfile.ZipFile(folder / f"eosdsl-{PACKAGE['version']}.vsix") as package:
        names = set(package.namelist())
    parts = ("package.json", "extension.js", "syntaxes/eos.tmLanguage.json", "snippets/eos.json")
    parts += ("language-configuration.json", "node_modules/vscode-languageclient/package.json")
    assert {f"extension/{part}" for part in parts} <= names
