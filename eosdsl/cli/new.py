"""`eosdsl new`: a commented spec to start from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from eosdsl.cli.console import say
from eosdsl.cli.options import Color, ColorMode, Quiet, Verbose
from eosdsl.diagnostics import SpecError, error

EXAMPLES = """
eosdsl new my_method                    writes my_method.eos
eosdsl new my_method --for qwen2_5_vl   for one family of models
eosdsl new my_space --space             something to search in
"""

CODES = {
    "E0613": """The file to write is there already.

    `new` never overwrites: a spec is somebody's work. Choose another name, or remove the file.
    """,
    "E0614": """This cannot be the name of a spec.

    A name is a letter, then letters, digits and underscores: it is written after `operator` in the file, and names the
    operator in plans and reports.

    ```
    eosdsl new fast_v2
    ```
    """,
}

_OPERATOR = """\
# What this method does, and where it comes from (a paper, a search).
# Try it:  eosdsl check {file} --model {model}
#          eosdsl plan {file} --model {model}
operator {name}{family}

# At decoder layer 2, of the visual tokens an image started with, keep the half that the last row of the prompt looks
# at most. Of the rest, half of the content is merged into the kept token most like it, half is dropped.
at layer 2: retain 50% by attention(query: last) via mix(0.5 merge, 0.5 prune) with attention_bias: log_size

# Over layers 9 to 15, gradually down to a quarter.
at layer 9..15: retain 25% by attention(query: last)

# A test in the language: compiling fails where it does not hold.
expect flops <= 60%
"""

_SPACE = """\
# What is being looked for, and under which budget.
# Try it:  eosdsl check {file}
#          eosdsl search {file} --model MODEL --data DATA --out FOLDER
space {name}{family}

param budget = 64 tokens   # overridable: --set budget=128

# `?` leaves a value open; bounds and choices say within what.
at any 1..3 of layers 0..24:
  retain ? 2%..60%
  by ? * attention(query: last) + ? * norm(hidden)
  via mix(? prune, ? merge, ? pool, ? reweight(temperature: ? 0.01..10))
  with attention_bias: ? 0..1.5 * log_size

minimise task + 0.1 * alignment(hidden)
subject to tokens(mean) <= budget
search with steps: 600, optimiser: adamw(lr: 0.03), temperature: 2 -> 0.05 along cosine, seed: 0
"""


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the operator or space.", show_default=False)],
    family: Annotated[
        str | None, typer.Option("--for", metavar="FAMILY", help="The only family it is for.", show_default=False)
    ] = None,
    space: Annotated[bool, typer.Option("--space", help="Write a space, to be searched.")] = False,
    folder: Annotated[str, typer.Option("--in", metavar="FOLDER", help="Where to write it.")] = ".",
    color: Color = ColorMode.AUTO,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write a commented spec to start from, NAME.eos."""
    name = name.removesuffix(".eos")
    for word in (name, family or "llava"):
        if not re.fullmatch(r"[A-Za-z]\w*", word, re.ASCII):
            raise SpecError([error("E0614", f"{word!r} is not a name", helps=("letters, digits and underscores",))])
    path = Path(folder) / f"{name}.eos"
    model = "llava-1.5-7b" if family in (None, "llava") else "MODEL"
    template = _SPACE if space else _OPERATOR
    text = template.format(name=name, file=path, model=model, family=f" for {family}" if family else "")
    try:
        with path.open("x", encoding="utf-8") as handle:
            handle.write(text)
    except FileExistsError as problem:
        raise SpecError([error("E0613", f"{path} is there already", helps=("choose another name",))]) from problem
    if not quiet:
        say(f"wrote {path}\nnext: eosdsl check {path}")
