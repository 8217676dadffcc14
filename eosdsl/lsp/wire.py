"""From what the features say, in offsets, to what the protocol says, in lines and code units."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lsprotocol import types as lsp
from pygls import uris

from eosdsl.diagnostics import Edit, Severity
from eosdsl.lsp.code_actions import Action
from eosdsl.lsp.completion import Item
from eosdsl.lsp.document import Document, open_file
from eosdsl.lsp.formatting import TextEdit
from eosdsl.lsp.hover import Hover
from eosdsl.lsp.inlay_hints import Hint
from eosdsl.lsp.messages import Message
from eosdsl.lsp.names import Occurrence
from eosdsl.lsp.offers import ItemKind
from eosdsl.lsp.positions import Encoding, Position
from eosdsl.lsp.semantic_tokens import MODIFIERS, TYPES, SemanticToken
from eosdsl.lsp.symbols import Symbol, SymbolKind
from eosdsl.source import Span

_SEVERITIES = {
    Severity.ERROR: lsp.DiagnosticSeverity.Error,
    Severity.WARNING: lsp.DiagnosticSeverity.Warning,
    Severity.INFO: lsp.DiagnosticSeverity.Information,
}
_ITEMS: dict[ItemKind, lsp.CompletionItemKind] = {
    "keyword": lsp.CompletionItemKind.Keyword,
    "operator": lsp.CompletionItemKind.Function,
    "parameter": lsp.CompletionItemKind.Field,
    "word": lsp.CompletionItemKind.EnumMember,
    "option": lsp.CompletionItemKind.Property,
    "param": lsp.CompletionItemKind.Variable,
    "score": lsp.CompletionItemKind.Variable,
    "file": lsp.CompletionItemKind.File,
    "family": lsp.CompletionItemKind.Module,
    "number": lsp.CompletionItemKind.Value,
}
_SYMBOLS: dict[SymbolKind, lsp.SymbolKind] = {
    "program": lsp.SymbolKind.Module,
    "param": lsp.SymbolKind.Constant,
    "score": lsp.SymbolKind.Function,
    "step": lsp.SymbolKind.Event,
    "group": lsp.SymbolKind.Field,
    "file": lsp.SymbolKind.File,
    "goal": lsp.SymbolKind.Property,
}
LEGEND = lsp.SemanticTokensLegend(list(TYPES), list(MODIFIERS))


@dataclass(frozen=True)
class Wire:
    """Translates for one document: its URI, the encoding that was agreed on, and whether the client shows Markdown."""

    document: Document
    uri: str
    encoding: Encoding
    markdown: bool = True

    # --- places -----------------------------------------------------------------------------------------------------

    def offset(self, position: lsp.Position) -> int:
        return self.document.lines.offset(Position(position.line, position.character), self.encoding)

    def range(self, start: int, end: int, document: Document | None = None) -> lsp.Range:
        lines = (document or self.document).lines
        first, last = lines.position(start, self.encoding), lines.position(end, self.encoding)
        return lsp.Range(lsp.Position(*first), lsp.Position(*last))

    def location(self, span: Span) -> lsp.Location:
        """A span, in this document or in the file that it names."""
        if not span.file:
            return lsp.Location(self.uri, self.range(span.start, span.end))
        other = open_file(Path(span.file), self.document.settings)
        return lsp.Location(_uri(Path(span.file)), self.range(span.start, span.end, other))

    def occurrence(self, one: Occurrence) -> lsp.Location:
        return lsp.Location(self._uri_of(one.document), self.range(one.start, one.end, one.document))

    def _uri_of(self, document: Document) -> str:
        return self.uri if document is self.document or document.path is None else _uri(document.path)

    # --- findings ---------------------------------------------------------------------------------------------------

    def diagnostics(self, messages: Iterable[Message]) -> list[lsp.Diagnostic]:
        return [self.diagnostic(message) for message in messages]

    def diagnostic(self, message: Message) -> lsp.Diagnostic:
        related = [lsp.DiagnosticRelatedInformation(self.location(one.span), one.text) for one in message.related]
        return lsp.Diagnostic(
            range=self.range(message.start, message.end),
            message=message.text,
            severity=_SEVERITIES[message.finding.severity],
            code=message.finding.code,
            source="eosdsl",
            related_information=related or None,
        )

    def action(self, action: Action, diagnostics: Sequence[lsp.Diagnostic]) -> lsp.CodeAction:
        fixed = [one for one in diagnostics if action.finding is not None and one.code == action.finding.code]
        return lsp.CodeAction(
            title=action.title,
            kind=lsp.CodeActionKind.QuickFix if action.kind == "quickfix" else lsp.CodeActionKind.SourceFixAll,
            diagnostics=fixed or None,
            is_preferred=(action.safe and action.finding is not None) or None,
            edit=self.edits(action.edits),
        )

    def edits(self, edits: Iterable[Edit]) -> lsp.WorkspaceEdit:
        changes: dict[str, list[lsp.TextEdit]] = {}
        for edit in edits:
            where = self.location(edit.span)
            changes.setdefault(where.uri, []).append(lsp.TextEdit(where.range, edit.replacement))
        return lsp.WorkspaceEdit(changes=changes)

    # --- the rest ---------------------------------------------------------------------------------------------------

    def rename(self, places: Iterable[Occurrence], name: str) -> lsp.WorkspaceEdit:
        changes: dict[str, list[lsp.TextEdit]] = {}
        for place in places:
            where = self.occurrence(place)
            changes.setdefault(where.uri, []).append(lsp.TextEdit(where.range, name))
        return lsp.WorkspaceEdit(changes=changes)

    def prose(self, text: str) -> lsp.MarkupContent:
        return lsp.MarkupContent(lsp.MarkupKind.Markdown if self.markdown else lsp.MarkupKind.PlainText, text)

    def text_edits(self, edits: Iterable[TextEdit]) -> list[lsp.TextEdit]:
        return [lsp.TextEdit(self.range(edit.start, edit.end), edit.text) for edit in edits]

    def hover(self, hover: Hover) -> lsp.Hover:
        return lsp.Hover(self.prose(hover.text), self.range(hover.start, hover.end))

    def item(self, item: Item) -> lsp.CompletionItem:
        return lsp.CompletionItem(
            label=item.label,
            kind=_ITEMS[item.kind],
            detail=item.detail or None,
            documentation=self.prose(item.doc) if item.doc else None,
            sort_text=f"{item.rank}{item.label}",
            text_edit=lsp.TextEdit(self.range(item.start, item.end), item.insert),
        )

    def hint(self, hint: Hint) -> lsp.InlayHint:
        position = self.range(hint.offset, hint.offset).start
        return lsp.InlayHint(position, hint.label, tooltip=self.prose(hint.tooltip), padding_left=True)

    def symbol(self, symbol: Symbol) -> lsp.DocumentSymbol:
        return lsp.DocumentSymbol(
            name=symbol.name or "…",
            detail=symbol.detail or None,
            kind=_SYMBOLS[symbol.kind],
            range=self.range(symbol.whole.start, symbol.whole.end),
            selection_range=self.range(symbol.name_span.start, symbol.name_span.end),
            children=[self.symbol(child) for child in symbol.children] or None,
        )

    def semantic_tokens(self, tokens: Iterable[SemanticToken]) -> lsp.SemanticTokens:
        """Five numbers a token: lines and characters from the one before, length, type, modifiers."""
        data: list[int] = []
        line = character = 0
        for token in tokens:
            first = self.document.lines.position(token.start, self.encoding)
            last = self.document.lines.position(token.end, self.encoding)
            ahead = first.character - (character if first.line == line else 0)
            modifiers = sum(1 << MODIFIERS.index(name) for name in token.modifiers)
            data += [first.line - line, ahead, last.character - first.character, TYPES.index(token.type), modifiers]
            line, character = first
        return lsp.SemanticTokens(data)


def _uri(path: Path) -> str:
    return uris.from_fs_path(str(path)) or path.as_uri()
