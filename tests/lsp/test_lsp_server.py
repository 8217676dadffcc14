"""The server as an editor meets it: started by `eosdsl lsp`, spoken to over its standard input and output."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
import pytest_lsp
from lsprotocol import types as lsp
from pygls import uris
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities

LAUNCHER = [sys.executable, "-c", "from eosdsl.cli.main import main; main()", "lsp"]
SPEC = """# 😀 FastV 層
operator fastv for llava
score worth = attention(query: last)   # 😀
at layer 2: retain 50% by worth via prune
"""


@pytest_lsp.fixture(config=ClientServerConfig(server_command=LAUNCHER), params=["visual-studio-code"])
async def client(request: pytest.FixtureRequest, lsp_client: LanguageClient, tmp_path: Path):
    """A client with the capabilities of an editor, in a folder of its own."""
    capabilities = client_capabilities(request.param)
    capabilities.general = lsp.GeneralClientCapabilities(position_encodings=[lsp.PositionEncodingKind.Utf16])
    lsp_client.set_configuration({"eosdsl": {"model": "llava"}})
    result = await lsp_client.initialize_session(
        lsp.InitializeParams(capabilities=capabilities, root_uri=uris.from_fs_path(str(tmp_path)))
    )
    assert result.capabilities.position_encoding == lsp.PositionEncodingKind.Utf16
    sync = result.capabilities.text_document_sync
    assert isinstance(sync, lsp.TextDocumentSyncOptions) and sync.change is lsp.TextDocumentSyncKind.Full
    yield
    await lsp_client.shutdown_session()


class Desk:
    """One open text, and requests about it by the words in it."""

    def __init__(self, client: LanguageClient, path: Path, text: str) -> None:
        self.client = client
        self.text = text
        self.version = 0
        self.uri = uris.from_fs_path(str(path)) or ""
        self.id = lsp.TextDocumentIdentifier(self.uri)
        self.published = self._listen()
        item = lsp.TextDocumentItem(self.uri, "eos", self.version, text)
        client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))

    def _listen(self) -> asyncio.Future[object]:
        return asyncio.ensure_future(self.client.wait_for_notification(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS))

    async def findings(self) -> list[lsp.Diagnostic]:
        """What was published since the last change, or will be."""
        await asyncio.wait_for(self.published, 30)
        return list(self.client.diagnostics[self.uri])

    def change(self, text: str) -> None:
        self.text, self.version = text, self.version + 1
        self.published.cancel()
        self.published = self._listen()
        whole = lsp.TextDocumentContentChangeWholeDocument(text)
        identifier = lsp.VersionedTextDocumentIdentifier(self.version, self.uri)
        self.client.text_document_did_change(lsp.DidChangeTextDocumentParams(identifier, [whole]))

    def at(self, word: str, behind: int = 0) -> lsp.Position:
        """Where a word begins, in UTF-16 as the protocol counts; Python's own codec is the reference."""
        before = self.text[: self.text.index(word) + behind]
        line = before.rpartition("\n")[2]
        return lsp.Position(before.count("\n"), len(line.encode("utf-16-le")) // 2)

    def covered(self, place: lsp.Range) -> str:
        """The characters that a range covers."""
        line = self.text.split("\n")[place.start.line].encode("utf-16-le")
        assert place.start.line == place.end.line
        return line[2 * place.start.character : 2 * place.end.character].decode("utf-16-le")


@pytest.mark.asyncio
async def test_findings_come_with_opening_and_follow_changes(client: LanguageClient, tmp_path: Path) -> None:
    desk = Desk(client, tmp_path / "a.eos", SPEC.replace("layer 2", "layer 40"))
    (error,) = [d for d in await desk.findings() if d.severity == lsp.DiagnosticSeverity.Error]
    assert str(error.code).startswith("E03")
    assert "40" in desk.covered(error.range)
    for text in ("at", "at layer", SPEC):  # typing quickly is checked once
        desk.change(text)
    assert not [d for d in await desk.findings() if d.severity == lsp.DiagnosticSeverity.Error]


@pytest.mark.asyncio
async def test_places_count_utf16_before_and_behind_the_cursor(client: LanguageClient, tmp_path: Path) -> None:
    desk = Desk(client, tmp_path / "a.eos", "score 😀 = 1\n# 😀😀\nexpect 😀")
    found = await desk.findings()
    bad = [desk.covered(d.range) for d in found if str(d.code) == "E0101"]
    assert bad
    assert set(bad) == {"😀"}


@pytest.mark.asyncio
async def test_hover_definition_references_and_rename(client: LanguageClient, tmp_path: Path) -> None:
    desk = Desk(client, tmp_path / "a.eos", SPEC)
    hover = await client.text_document_hover_async(lsp.HoverParams(desk.id, desk.at("at layer 2")))
    assert hover is not None
    assert isinstance(hover.contents, lsp.MarkupContent)
    assert "576 → 288 tokens" in hover.contents.value
    use = desk.at("by worth", 3)
    found = await client.text_document_definition_async(lsp.DefinitionParams(desk.id, use))
    assert isinstance(found, lsp.Location)
    assert found.range.start == desk.at("worth =")
    asked = lsp.ReferenceParams(lsp.ReferenceContext(include_declaration=True), desk.id, use)
    assert len(await client.text_document_references_async(asked) or ()) == 2
    edit = await client.text_document_rename_async(lsp.RenameParams(desk.id, use, "value"))
    assert edit is not None
    assert edit.changes is not None
    assert sorted(desk.covered(one.range) for one in edit.changes[desk.uri]) == ["worth", "worth"]


@pytest.mark.asyncio
async def test_a_rename_that_cannot_be_says_why(client: LanguageClient, tmp_path: Path) -> None:
    desk = Desk(client, tmp_path / "a.eos", SPEC)
    with pytest.raises(Exception, match="name of an operator"):
        await client.text_document_rename_async(lsp.RenameParams(desk.id, desk.at("worth"), "norm"))
    assert await client.text_document_prepare_rename_async(lsp.PrepareRenameParams(desk.id, desk.at("prune"))) is None


@pytest.mark.asyncio
async def test_completion(client: LanguageClient, tmp_path: Path) -> None:
    desk = Desk(client, tmp_path / "a.eos", SPEC)
    found = await client.text_document_completion_async(lsp.CompletionParams(desk.id, desk.at("prune", 2)))
    assert isinstance(found, list)
    merge = next(item for item in found if item.label == "merge")
    assert isinstance(merge.text_edit, lsp.TextEdit)
    assert desk.covered(merge.text_edit.range) == "pr"


@pytest.mark.asyncio
async def test_fixes_formatting_hints_outline_and_colours(client: LanguageClient, tmp_path: Path) -> None:
    desk = Desk(client, tmp_path / "a.eos", SPEC.replace("at layer", "at  layr"))
    found = await desk.findings()
    (error,) = [d for d in found if d.severity == lsp.DiagnosticSeverity.Error]
    asked = lsp.CodeActionParams(desk.id, error.range, lsp.CodeActionContext(found))
    actions = await client.text_document_code_action_async(asked) or ()
    (fix,) = [one for one in actions if isinstance(one, lsp.CodeAction) and one.is_preferred]
    assert fix.edit is not None
    assert fix.edit.changes is not None
    assert [edit.new_text for edit in fix.edit.changes[desk.uri]] == ["layer"]

    desk.change(SPEC.replace("at layer", "at  layer"))
    options = lsp.FormattingOptions(tab_size=2, insert_spaces=True)
    edits = await client.text_document_formatting_async(lsp.DocumentFormattingParams(desk.id, options))
    assert edits is not None
    assert [edit.new_text for edit in edits] == ["at layer 2: retain 50% by worth via prune\n"]
    whole = lsp.Range(lsp.Position(0, 0), lsp.Position(9, 0))
    hints = await client.text_document_inlay_hint_async(lsp.InlayHintParams(desk.id, whole))
    assert hints is not None
    assert [(hint.label, hint.position) for hint in hints] == [("576 → 288 tokens", desk.at("prune", 5))]
    outline = await client.text_document_document_symbol_async(lsp.DocumentSymbolParams(desk.id))
    assert [one.name for one in outline or ()] == ["fastv", "worth", "layer 2"]
    colours = await client.text_document_semantic_tokens_full_async(lsp.SemanticTokensParams(desk.id))
    assert colours is not None
    assert list(colours.data[:5]) == [0, 0, len("# 😀 FastV 層") + 1, 11, 0], "a comment, 😀 counted twice"


@pytest.mark.asyncio
async def test_the_model_follows_the_configuration(client: LanguageClient, tmp_path: Path) -> None:
    desk = Desk(client, tmp_path / "a.eos", SPEC)
    await desk.findings()
    client.set_configuration({"eosdsl": {"model": "llava-1.5-13b"}})
    desk.change(SPEC + "# again\n")
    client.workspace_did_change_configuration(lsp.DidChangeConfigurationParams({}))
    await desk.findings()
    hover = await client.text_document_hover_async(lsp.HoverParams(desk.id, desk.at("at layer 2")))
    assert hover is not None
    assert "llava-1.5-13b" in str(hover.contents)
    client.set_configuration({"eosdsl": {"model": "no such model"}})
    client.workspace_did_change_configuration(lsp.DidChangeConfigurationParams({}))
    await asyncio.wait_for(client.wait_for_notification(lsp.WINDOW_SHOW_MESSAGE), 30)
    assert "no such model" in client.messages[-1].message


HOSTILE = [
    "",
    "\ufeffat layer 2: retain 50%\r\n",
    "at layer 2: retain \ud800 50%",
    '"' * 1000,
    "at layer 2: retain " + "(" * 5000,
    "at layer 2: retain 1e999999%",
    "x" * 200_000,
    "at layer 2: retain 5%\u2028at layer 3: retain 4%\x00\x0b\x85",
    'use "\x00"\nuse "../../../../etc/passwd"\n',
]


@pytest.mark.asyncio
async def test_no_text_ends_the_server(client: LanguageClient, tmp_path: Path) -> None:
    desk = Desk(client, tmp_path / "a.eos", "at")
    for text in HOSTILE:
        desk.change(text)
        end = lsp.Position(0, 3)
        whole = lsp.Range(lsp.Position(0, 0), lsp.Position(99, 0))
        options = lsp.FormattingOptions(tab_size=2, insert_spaces=True)
        await client.text_document_hover_async(lsp.HoverParams(desk.id, end))
        await client.text_document_completion_async(lsp.CompletionParams(desk.id, end))
        await client.text_document_definition_async(lsp.DefinitionParams(desk.id, end))
        await client.text_document_formatting_async(lsp.DocumentFormattingParams(desk.id, options))
        await client.text_document_inlay_hint_async(lsp.InlayHintParams(desk.id, whole))
        await client.text_document_document_symbol_async(lsp.DocumentSymbolParams(desk.id))
        await client.text_document_semantic_tokens_full_async(lsp.SemanticTokensParams(desk.id))
        await client.text_document_code_action_async(lsp.CodeActionParams(desk.id, whole, lsp.CodeActionContext([])))
        await desk.findings()
    assert [m.message for m in client.log_messages if m.type == lsp.MessageType.Error] == []
    desk.change(SPEC)
    assert not [d for d in await desk.findings() if d.severity == lsp.DiagnosticSeverity.Error]


@pytest_lsp.fixture(config=ClientServerConfig(server_command=LAUNCHER))
async def neovim(lsp_client: LanguageClient, tmp_path: Path):
    """A client that counts in UTF-8, asks for no configuration and wants plain text."""
    capabilities = client_capabilities("neovim")
    capabilities.general = lsp.GeneralClientCapabilities(position_encodings=[lsp.PositionEncodingKind.Utf8])
    capabilities.workspace = None
    capabilities.text_document = None
    result = await lsp_client.initialize_session(
        lsp.InitializeParams(capabilities=capabilities, initialization_options={"model": "llava-1.5-13b"})
    )
    assert result.capabilities.position_encoding == lsp.PositionEncodingKind.Utf8
    yield
    await lsp_client.shutdown_session()


@pytest.mark.asyncio
async def test_another_editor_another_encoding(neovim: LanguageClient, tmp_path: Path) -> None:
    desk = Desk(neovim, tmp_path / "a.eos", "expect 😀\nat layer 2: retain 5%")
    (error,) = [d for d in await desk.findings() if str(d.code) == "E0101"]
    assert (error.range.start.character, error.range.end.character) == (7, 7 + 4)
    hover = await neovim.text_document_hover_async(lsp.HoverParams(desk.id, lsp.Position(1, 0)))
    assert hover is not None
    assert isinstance(hover.contents, lsp.MarkupContent)
    assert hover.contents.kind == lsp.MarkupKind.PlainText


def test_without_pygls_one_message_says_what_to_install() -> None:
    hidden = "import sys; sys.modules['pygls'] = sys.modules['lsprotocol'] = None; "
    launched = [sys.executable, "-c", hidden + "from eosdsl.cli.main import main; main()", "lsp"]
    ended = subprocess.run(launched, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert ended.returncode == 2
    assert "E0698" in ended.stderr
    assert "pip install 'eosdsl[lsp]'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_neither_the_features_nor_the_other_commands_import_pygls() -> None:
    features = ["completion", "hover", "code_actions", "inlay_hints", "rename", "messages", "symbols"]
    modules = ", ".join([*(f"eosdsl.lsp.{name}" for name in features), "eosdsl.cli.check", "eosdsl.cli.lsp"])
    heavy = ("pygls", "lsprotocol", "torch", "transformers")
    asked = f"import sys, {modules}; print([name for name in {heavy} if name in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True)
    assert ended.stdout.strip() == "[]", ended.stderr
