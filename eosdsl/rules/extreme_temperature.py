"""A temperature that is as good as a limit.

## What it does

Says that the temperature of `reweight` is so low that it merges, or so high that it pools.

## Why

Similarities are cosines, between -1 and 1. At a temperature of 0.005 the most similar anchor takes all but nothing of
a token; at 20 all anchors take the same. `merge` and `pool` say that, are exact, and cost less.

## Example

```eos
at layer 2: retain 50% by norm(hidden) via reweight(temperature: 0.001) with attention_bias: log_size
```

## Use instead

```eos
at layer 2: retain 50% by norm(hidden) via merge with attention_bias: log_size
```
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from eosdsl.diagnostics import Diagnostic, Severity
from eosdsl.ir.quantities import Call, Quantity
from eosdsl.rules.base import Rule, Subject

_SHARP = Fraction(1, 100)
_FLAT = Fraction(10)


class ExtremeTemperature(Rule):
    code = "I0396"
    name = "extreme-temperature"
    words = ("reweight",)
    severity = Severity.INFO

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for call in subject.nodes(Call):
            if call.name != "reweight":
                continue
            for argument in call.arguments:
                value = argument.value
                if argument.name not in (None, "temperature") or not isinstance(value, Quantity):
                    continue
                if value.value < _SHARP or value.value > _FLAT:
                    limit = "merge" if value.value < _SHARP else "pool"
                    yield self.report(
                        f"at this temperature `reweight` is `{limit}`", argument.span, "as good as a limit"
                    )
