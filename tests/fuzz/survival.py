"""What must hold for any text at all: every part of the language answers, and nothing but SpecError is raised."""

from __future__ import annotations

import json
from itertools import pairwise

import eosdsl
from eosdsl.diagnostics import Diagnostic, SpecError
from eosdsl.ir.nodes import DiscreteProgram, RelaxedProgram
from eosdsl.ir.serde import dump_program, load_program
from eosdsl.lsp.code_actions import code_actions
from eosdsl.lsp.completion import completion
from eosdsl.lsp.definition import definition, references
from eosdsl.lsp.document import Document
from eosdsl.lsp.formatting import formatting
from eosdsl.lsp.hover import hover
from eosdsl.lsp.inlay_hints import inlay_hints
from eosdsl.lsp.messages import messages
from eosdsl.lsp.rename import NotPossible, rename
from eosdsl.lsp.semantic_tokens import semantic_tokens
from eosdsl.lsp.symbols import document_symbols
from eosdsl.models.registry import facts
from eosdsl.passes.bind import bind
from eosdsl.render.findings import Findings
from eosdsl.render.formats import render
from eosdsl.source import SourceFile, Span
from eosdsl.views.prose import describe

FAILURES = {"E0697", "E0699", "E0612"}  # the checker or a rule gave up: never the text's fault
MODEL = "llava"


def check_survives(text: str) -> list[Diagnostic]:
    """`check` answers with findings that have a code, words and a place inside the text, in every output format."""
    found = eosdsl.check(text, MODEL)
    for diagnostic in found:
        assert diagnostic.code not in FAILURES, diagnostic
        assert diagnostic.message
        spans = [diagnostic.span, *(label.span for label in diagnostic.labels)]
        spans += [edit.span for edit in (diagnostic.fix.edits if diagnostic.fix else ())]
        for span in spans:
            assert span is None or within(span, text), (diagnostic, len(text))
    findings = [Findings("<text>", SourceFile("<text>", text), tuple(found))]
    for output in ("text", "concise", "json", "github", "sarif"):
        shown = render(findings, output, color=False)
        assert output not in ("json", "sarif") or json.loads(shown) is not None
    return found


def within(span: Span, text: str) -> bool:
    return bool(span.file) or 0 <= span.start <= span.end <= len(text)


def passes_survive(text: str) -> None:
    """The formatter, and for a text without errors the program: JSON and back, plain English, binding, cost."""
    try:
        formatted = eosdsl.format(text)
    except SpecError:
        formatted = None
    if formatted is not None:
        assert eosdsl.format(formatted) == formatted
    try:
        program = eosdsl.parse(text)
    except SpecError as problem:
        assert str(problem)
        return
    assert formatted is not None, "what can be parsed can be formatted"
    assert eosdsl.parse(formatted) == program
    program_survives(program)


def program_survives(program: DiscreteProgram | RelaxedProgram) -> None:
    assert describe(program)
    assert load_program(dump_program(program)) == program
    try:
        eosdsl.plan(program, MODEL)
    except SpecError:
        return
    assert isinstance(program, DiscreteProgram)
    assert bind(program, facts(MODEL))[0] is not None


def editor_survives(text: str, offset: int) -> None:
    """Every feature of the language server answers at the offset, with places inside the text."""
    document = Document(text)
    offset %= len(text) + 1
    found = hover(document, offset)
    assert found is None or 0 <= found.start <= found.end <= len(text)
    for item in (*completion(document, offset), *completion(document, offset, after_space=True)):
        assert 0 <= item.start <= item.end == offset
    definition(document, offset)
    references(document, offset)
    try:
        rename(document, offset, "renamed")
    except NotPossible as reason:
        assert str(reason)
    for action in code_actions(document, offset, offset):
        assert all(within(edit.span, text) for edit in action.edits)
    for edit in formatting(document):
        assert 0 <= edit.start <= edit.end <= len(text)
    assert all(0 <= hint.offset <= len(text) for hint in inlay_hints(document))
    assert all(0 <= one.start <= one.end <= len(text) for one in messages(document))
    assert all(within(one.whole, text) for one in document_symbols(document))
    tokens = semantic_tokens(document)
    assert all(before.end <= after.start for before, after in pairwise(tokens))


def survives(text: str, offset: int = 0) -> None:
    """All of it."""
    check_survives(text)
    passes_survive(text)
    editor_survives(text, offset)
