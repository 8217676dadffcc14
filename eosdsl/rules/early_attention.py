"""Attention of the first layer as the only score.

## What it does

Says that tokens are ranked by the attention of decoder layer 0 alone.

## Why

In the first layers attention is broad and leans on position: rotary embeddings favour what is near the query, so the
last row of the prompt looks at the lower end of the image more than at its top, whatever is there. FastV
(arXiv 2403.06764) drops at layer 2, where attention has begun to settle; earlier, and with few tokens kept, such scores
keep a band of the image.

## Example

```eos
at layer 1: retain 25% by attention(query: last)
```

## Use instead

```eos
at layer 8: retain 25% by attention(query: last)
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic, Severity
from eosdsl.ir.nodes import Step
from eosdsl.ir.quantities import Call, Quantity, Word
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import groups, reads_score


class EarlyAttention(Rule):
    code = "I0388"
    name = "early-attention"
    words = ("attention",)
    severity = Severity.INFO

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for step, group in groups(subject):
            if not isinstance(group.score, Call) or not reads_score(group.pick):
                continue
            if group.score.name == "attention" and _reads_layer_0(step, group.score):
                yield self.report(
                    "attention of the first layer leans on position",
                    group.score.span,
                    "it favours the lower end of the image",
                    helps=("reduce later, or add a score that does not read positions: `norm(hidden)`",),
                )


def _reads_layer_0(step: Step, attention: Call) -> bool:
    """Whether the attention that is read is that of decoder layer 0."""
    if step.where.stream != "decoder" or step.where.choose is not None or not step.where.layers:
        return False
    first = step.where.layers[0].index
    layer = attention.argument("layer")
    if isinstance(layer, Quantity):
        return layer.value == 0
    ahead = isinstance(layer, Word) and layer.name == "next"
    return first == 0 if ahead or step.where.after_attention else first == 1
