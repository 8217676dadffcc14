"""Requests about a whole text or a range of it: formatting, actions, hints, outline, colours."""

from __future__ import annotations

from lsprotocol import types as lsp

from eosdsl.lsp.code_actions import code_actions
from eosdsl.lsp.formatting import formatting
from eosdsl.lsp.inlay_hints import inlay_hints
from eosdsl.lsp.semantic_tokens import semantic_tokens
from eosdsl.lsp.server import EosServer, plain
from eosdsl.lsp.symbols import document_symbols
from eosdsl.lsp.wire import LEGEND


def answer_about_texts(server: EosServer) -> None:
    """Register the requests that come without a position."""

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
        wanted = [plain(kind) for kind in params.context.only or ()]
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
