"""Requests about a place in a text: hover, completion, definition, references, rename."""

from __future__ import annotations

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from eosdsl.lsp.completion import completion
from eosdsl.lsp.definition import definition, references
from eosdsl.lsp.document import Document
from eosdsl.lsp.hover import hover
from eosdsl.lsp.names import Occurrence
from eosdsl.lsp.rename import NotPossible, renamable, rename
from eosdsl.lsp.server import EosServer


def answer_about_places(server: EosServer) -> None:
    """Register the requests that come with a position."""

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


def _renamed(document: Document, offset: int, name: str, others: list[Document]) -> list[Occurrence]:
    """The places to change; a request that cannot be granted is answered with the reason."""
    try:
        return rename(document, offset, name, others)
    except NotPossible as problem:
        raise JsonRpcException(str(problem), code=lsp.LSPErrorCodes.RequestFailed) from problem
