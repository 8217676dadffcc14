"""An objective without the task.

## What it does

Reports `minimise …` in which `task` does not occur.

## Why

Without the task's loss a search makes hidden states or logits look like the full model's. That is a way to work without
answers, but it rates a state that matters for no answer like one that decides it; beside the task it is a help.

## Example

```eos
space blind
at layer 2: retain ? 10%..50% by norm(hidden)
minimise alignment(hidden)
subject to flops <= 50%
search with steps: 100, seed: 0
```

## Use instead

```eos
space blind
at layer 2: retain ? 10%..50% by norm(hidden)
minimise task + 0.1 * alignment(hidden)
subject to flops <= 50%
search with steps: 100, seed: 0
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.nodes import RelaxedProgram
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import calls_of


class TaskLeftOut(Rule):
    code = "W0564"
    name = "task-left-out"
    words = ("minimise",)

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        program = subject.program
        if not isinstance(program, RelaxedProgram) or program.objective is None:
            return
        if all(call.name != "task" for call in calls_of(program.objective)):
            yield self.report("the objective leaves the task out", program.objective.span, "no answer counts")
