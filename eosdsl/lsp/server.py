"""The language server: what is known of every open text, checked again when it has been left alone for a moment.

Texts are synchronised whole: specs are short, and a place is then never taken for another. Whatever goes wrong in a
request is logged and answered by nothing; the server goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from lsprotocol import types as lsp
from pygls import uris
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from eosdsl import __version__
from eosdsl.diagnostics import SpecError
from eosdsl.lsp.document import Document
from eosdsl.lsp.messages import messages
from eosdsl.lsp.positions import Encoding
from eosdsl.lsp.settings import DEFAULTS, Settings, updated
from eosdsl.lsp.wire import Wire

QUIET = 0.15  # seconds without a change before a text is checked

Answer = TypeVar("Answer")


class EosServer(LanguageServer):
    """Keeps what is known of every open text until it changes."""

    def __init__(self) -> None:
        # whole texts: pygls applies changes of ranges by str.splitlines, which takes form feeds and U+2028 for line
        # ends that the protocol does not count, so such a text would drift from what the editor shows
        super().__init__("eosdsl", __version__, text_document_sync_kind=lsp.TextDocumentSyncKind.Full)
        self.settings: Settings = DEFAULTS
        self.known: dict[str, tuple[str, Document]] = {}
        self.waiting: dict[str, asyncio.Task[None]] = {}
        self.complained: set[str] = set()

    @property
    def encoding(self) -> Encoding:
        return cast(Encoding, plain(self.workspace.position_encoding))

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
        found = await asyncio.to_thread(self.answer, lambda: wire.diagnostics(messages(wire.document)))
        self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, found or [], version))

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


def plain(name: Any) -> str:
    """The text of a name that may be an enumeration's."""
    return str(getattr(name, "value", name))
