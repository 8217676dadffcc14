"""Relevance to the question, turned round.

## What it does

Reports `negate(relevance(text))`, bare or inside `normalise`, and a negative weight on `relevance`.

## Why

TRIM and CDPruner turn the relevance of CLIP's two towers round on purpose: CLIP's patches least like the text are those
on the object. That is a property of CLIP. A model at hand seldom carries CLIP's text tower, so `relevance(text)` is to
the question as the model itself embeds it, and turned round it keeps what the question is not about: on the model that
ships with this package TRIM falls from 90% to 34% at a third of the tokens, which is hardly above a guess.

## Example

```eos
at input: retain 25% by negate(relevance(text))
```

## Use instead

```eos
at input: retain 25% by relevance(text)
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.nodes import Weighted
from eosdsl.ir.quantities import Call, Quantity
from eosdsl.rules.base import Rule, Subject


class NegatedRelevance(Rule):
    code = "W0395"
    name = "negated-relevance"
    words = ("relevance",)

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for call in subject.nodes(Call):
            inner = call.arguments[0].value if call.name == "negate" and call.arguments else None
            if isinstance(inner, Call) and inner.name == "relevance":
                yield self._found(call)
        for term in subject.nodes(Weighted):
            minus = isinstance(term.weight, Quantity) and term.weight.value < 0
            if minus and isinstance(term.score, Call) and term.score.name == "relevance":
                yield self._found(term)

    def _found(self, node: Call | Weighted) -> Diagnostic:
        return self.report(
            "what the question is least about is kept",
            node.span,
            "turned round",
            helps=("CLIP's own relevance is turned round on purpose; here the question is as the model embeds it",),
        )
