"""Following an editor: its configuration, and the texts that it opens, changes, saves and closes."""

from __future__ import annotations

from lsprotocol import types as lsp

from eosdsl.lsp.server import EosServer
from eosdsl.lsp.settings import updated

SECTION = "eosdsl"


def follow_texts(server: EosServer) -> None:
    """Register what keeps the server up to date."""

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
