"""The language server itself: a thin layer of pygls over the features. The only modules that import pygls are this one
and `eosdsl.lsp.wire`.

Texts are synchronised whole: specs are short, and a place is then never taken for another. Whatever goes wrong in a
request is logged and answered by nothing; the server goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from lsprotocol import types as lsp
from pygls import uris
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from eosdsl import __version__
from eosdsl.diagnostics import SpecError
from eosdsl.lsp.code_actions import code_actions
from eosdsl.lsp.completion import completion
from eosdsl.lsp.definition import definition, references
from eosdsl.lsp.document import Document
from eosdsl.lsp.formatting import formatting
from eosdsl.lsp.hover import hover
from eosdsl.lsp.inlay_hints import inlay_hints
from eosdsl.lsp.messages import messages
from eosdsl.lsp.positions import Encoding
from eosdsl.lsp.rename import NotPossible, renamable, rename
from eosdsl.lsp.semantic_tokens import semantic_tokens
from eosdsl.lsp.settings import DEFAULTS, Settings, updated
from eosdsl.lsp.symbols import document_symbols
from eosdsl.lsp.wire import LEGEND, Wire

QUIET = 0.15  # seconds without a change before a text is checked
SECTION = "eosdsl"

Answer = TypeVar("Answer")


class EosServer(LanguageServer):
    """Keeps what is known of every open text until it changes."""

    def __init__(self) -> None:
        super().__init__("eosdsl", __version__, text_document_sync_kind=lsp.TextDocumentSyncKind.Full)
        self.settings: Settings = DEFAULTS
        self.known: dict[str, tuple[str, Document]] = {}
        self.waiting: dict[str, asyncio.Task[None]] = {}
        self.complained: set[str] = set()

    @property
    def encoding(self) -> Encoding:
        return cast(Encoding, _plain(self.workspace.position_encoding))

    def document(self, uri: str) -> Document:
        """The newest version of an open text."""
        text = self.workspace.get_text_document(uri).source
        known = self.known.get(uri)
        if known is not None and known[0] == text:
            return known[1]
        path = uris.to_fs_path(uri)
        document = Document(text, Path(path) if path else None, self.settings)
        self.known[uri] = (text, document)
        return document

    def wire(self, uri: str, *, markdown: bool = True) -> Wire:
        return Wire(self.document(uri), uri, self.encoding, markdown)

    def reads_markdown(self, feature: str) -> bool:
        """Whether the client shows Markdown in `hover` or in `completion`."""
        texts = self.client_capabilities.text_document
        formats: Any = None
        if texts is not None and feature == "hover" and texts.hover is not None:
            formats = texts.hover.content_format
        elif texts is not None and texts.completion is not None and texts.completion.completion_item is not None:
            formats = texts.completion.completion_item.documentation_format
        return lsp.MarkupKind.Markdown in (formats or ())

    def configure(self, given: Any) -> None:
        """Take over what the client sent, and look at every open text again."""
        self.settings = updated(self.settings, given)
        self.look_again()
        self._check_model()

    def look_again(self) -> None:
        """Forget what is known: a file on disk, or the model, has changed."""
        self.known.clear()
        for uri in self.workspace.text_documents:
            self.schedule(uri)

    def schedule(self, uri: str) -> None:
        """Check a text once it has been left alone for a moment."""
        self.drop(uri)
        self.waiting[uri] = asyncio.get_running_loop().create_task(self._check_later(uri))

    def drop(self, uri: str) -> None:
        task = self.waiting.pop(uri, None)
        if task is not None:
            task.cancel()

    async def _check_later(self, uri: str) -> None:
        await asyncio.sleep(QUIET)
        wire = self.wire(uri)
        version = self.workspace.get_text_document(uri).version
        found = await asyncio.to_thread(lambda: wire.diagnostics(messages(wire.document)))
        self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, found, version))

    def _check_model(self) -> None:
        """Say once that the chosen model is not known; texts are then checked without one."""
        from eosdsl.models.registry import facts

        model = self.settings.model
        if model is None or model in self.complained:
            return
        try:
            facts(model)
        except SpecError as problem:
            self.complained.add(model)
            reason = "; ".join(d.message for d in problem.diagnostics)
            self.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Warning, f"eosdsl: {reason}"))

    def report_server_error(self, error: Exception, source: Any) -> None:
        """To the log, not into the user's face."""
        self.log(f"{type(error).__name__}: {error}")

    def log(self, text: str) -> None:
        self.window_log_message(lsp.LogMessageParams(lsp.MessageType.Error, text))

    def answer(self, what: Callable[[], Answer]) -> Answer | None:
        """The answer of a feature, or nothing where it fails: a request never ends the server."""
        try:
            return what()
        except JsonRpcException:
            raise
        except Exception as problem:
            self.log(f"{type(problem).__name__}: {problem}")
            return None


def _plain(name: Any) -> str:
    """The text of a name that may be an enumeration's."""
    return str(getattr(name, "value", name))


def create() -> EosServer:
    """A server with all its features."""
    server = EosServer()
    _follow_texts(server)
    _answer_about_places(server)
    _answer_about_texts(server)
    return server


def start() -> None:
    """Serve on standard input and output. What anything else prints goes to standard error."""
    sent = os.fdopen(os.dup(sys.stdout.fileno()), "wb")  # a copy: the server closes it in the end
    with contextlib.redirect_stdout(sys.stderr):
        create().start_io(sys.stdin.buffer, sent)


def _follow_texts(server: EosServer) -> None:
    @server.feature(lsp.INITIALIZE)
    def initialize(ls: EosServer, params: lsp.InitializeParams) -> None:
        ls.settings = updated(ls.settings, params.initialization_options)

    @server.feature(lsp.INITIALIZED)
    async def initialized(ls: EosServer, params: lsp.InitializedParams) -> None:
        await _ask_configuration(ls)

    @server.feature(lsp.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def configuration(ls: EosServer, params: lsp.DidChangeConfigurationParams) -> None:
        if not await _ask_configuration(ls):
            ls.configure(params.settings)

    @server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    def did_open(ls: EosServer, params: lsp.DidOpenTextDocumentParams) -> None:
        ls.schedule(params.text_document.uri)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    def did_change(ls: EosServer, params: lsp.DidChangeTextDocumentParams) -> None:
        ls.schedule(params.text_document.uri)

    @server.feature(lsp.TEXT_DOCUMENT_DID_SAVE)
    def did_save(ls: EosServer, params: lsp.DidSaveTextDocumentParams) -> None:
        ls.look_again()

    @server.feature(lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def watched(ls: EosServer, params: lsp.DidChangeWatchedFilesParams) -> None:
        ls.look_again()

    @server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def did_close(ls: EosServer, params: lsp.DidCloseTextDocumentParams) -> None:
        uri = params.text_document.uri
        ls.drop(uri)
        ls.known.pop(uri, None)
        ls.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, []))


async def _ask_configuration(ls: EosServer) -> bool:
    """Ask the client for the section, where it can be asked."""
    workspace = ls.client_capabilities.workspace
    if workspace is None or not workspace.configuration:
        ls.configure(None)
        return False
    params = lsp.ConfigurationParams([lsp.ConfigurationItem(section=SECTION)])
    try:
        given = await ls.workspace_configuration_async(params)
    except Exception as problem:  # a client that promises the request and does not know it
        ls.log(f"no configuration: {problem}")
        given = []
    ls.configure(given[0] if given else None)
    return True


def _answer_about_places(server: EosServer) -> None:
    @server.feature(lsp.TEXT_DOCUMENT_HOVER)
    def on_hover(ls: EosServer, params: lsp.HoverParams) -> lsp.Hover | None:
        wire = ls.wire(params.text_document.uri, markdown=ls.reads_markdown("hover"))
        found = ls.answer(lambda: hover(wire.document, wire.offset(params.position)))
        return wire.hover(found) if found is not None else None

    @server.feature(lsp.TEXT_DOCUMENT_COMPLETION, lsp.CompletionOptions(trigger_characters=[" ", "(", ":", ",", '"']))
    def on_completion(ls: EosServer, params: lsp.CompletionParams) -> list[lsp.CompletionItem] | None:
        wire = ls.wire(params.text_document.uri, markdown=ls.reads_markdown("completion"))
        blank = params.context is not None and params.context.trigger_character == " "
        found = ls.answer(lambda: completion(wire.document, wire.offset(params.position), after_space=blank))
        return [wire.item(item) for item in found or ()]

    @server.feature(lsp.TEXT_DOCUMENT_DEFINITION)
    def on_definition(ls: EosServer, params: lsp.DefinitionParams) -> lsp.Location | None:
        wire = ls.wire(params.text_document.uri)
        found = ls.answer(lambda: definition(wire.document, wire.offset(params.position)))
        return wire.occurrence(found) if found is not None else None

    @server.feature(lsp.TEXT_DOCUMENT_REFERENCES)
    def on_references(ls: EosServer, params: lsp.ReferenceParams) -> list[lsp.Location]:
        wire = ls.wire(params.text_document.uri)
        declared = params.context.include_declaration
        at = wire.offset(params.position)
        found = ls.answer(lambda: references(wire.document, at, with_declaration=declared))
        return [wire.occurrence(one) for one in found or ()]

    @server.feature(lsp.TEXT_DOCUMENT_PREPARE_RENAME)
    def on_prepare_rename(ls: EosServer, params: lsp.PrepareRenameParams) -> lsp.Range | None:
        wire = ls.wire(params.text_document.uri)
        found = ls.answer(lambda: renamable(wire.document, wire.offset(params.position)))
        return wire.range(found.start, found.end) if found is not None else None

    @server.feature(lsp.TEXT_DOCUMENT_RENAME, lsp.RenameOptions(prepare_provider=True))
    def on_rename(ls: EosServer, params: lsp.RenameParams) -> lsp.WorkspaceEdit | None:
        wire = ls.wire(params.text_document.uri)
        others = [ls.document(uri) for uri in list(ls.workspace.text_documents) if uri != params.text_document.uri]
        at, name = wire.offset(params.position), params.new_name
        found = ls.answer(lambda: _renamed(wire.document, at, name, others))
        return wire.rename(found, name) if found else None


def _renamed(document: Document, offset: int, name: str, others: list[Document]):
    try:
        return rename(document, offset, name, others)
    except NotPossible as problem:
        raise JsonRpcException(str(problem), code=lsp.LSPErrorCodes.RequestFailed) from problem


def _answer_about_texts(server: EosServer) -> None:
    @server.feature(lsp.TEXT_DOCUMENT_FORMATTING)
    def on_formatting(ls: EosServer, params: lsp.DocumentFormattingParams) -> list[lsp.TextEdit]:
        wire = ls.wire(params.text_document.uri)
        return wire.text_edits(ls.answer(lambda: formatting(wire.document)) or ())

    kinds = [lsp.CodeActionKind.QuickFix, lsp.CodeActionKind.SourceFixAll]

    @server.feature(lsp.TEXT_DOCUMENT_CODE_ACTION, lsp.CodeActionOptions(code_action_kinds=kinds))
    def on_code_action(ls: EosServer, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        wire = ls.wire(params.text_document.uri)
        start, end = wire.offset(params.range.start), wire.offset(params.range.end)
        found = ls.answer(lambda: code_actions(wire.document, start, end)) or ()
        wanted = [_plain(kind) for kind in params.context.only or ()]
        chosen = [one for one in found if not wanted or any(one.kind.startswith(kind) for kind in wanted)]
        return [wire.action(one, params.context.diagnostics) for one in chosen]

    @server.feature(lsp.TEXT_DOCUMENT_INLAY_HINT)
    def on_inlay_hint(ls: EosServer, params: lsp.InlayHintParams) -> list[lsp.InlayHint]:
        wire = ls.wire(params.text_document.uri)
        start, end = wire.offset(params.range.start), wire.offset(params.range.end)
        return [wire.hint(one) for one in ls.answer(lambda: inlay_hints(wire.document, start, end)) or ()]

    @server.feature(lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    def on_symbols(ls: EosServer, params: lsp.DocumentSymbolParams) -> list[lsp.DocumentSymbol]:
        wire = ls.wire(params.text_document.uri)
        return [wire.symbol(one) for one in ls.answer(lambda: document_symbols(wire.document)) or ()]

    @server.feature(lsp.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL, LEGEND)
    def on_semantic_tokens(ls: EosServer, params: lsp.SemanticTokensParams) -> lsp.SemanticTokens:
        wire = ls.wire(params.text_document.uri)
        return wire.semantic_tokens(ls.answer(lambda: semantic_tokens(wire.document)) or ())
