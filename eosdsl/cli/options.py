"""Options that commands share, as annotated types: `def command(spec: Spec, color: Color = ColorMode.AUTO, …)`.

`-v` and `--color` are remembered in the context, so that the guard around a command (`eosdsl.cli.guard`) knows them
when the command fails.
"""

from __future__ import annotations

from typing import Annotated

import typer

from eosdsl.cli.choices import ColorMode as ColorMode
from eosdsl.cli.choices import OutputFormat as OutputFormat


def _remember(context: typer.Context, parameter: typer.CallbackParam, value: object) -> object:
    context.meta[f"eosdsl.{parameter.name}"] = value
    return value


def _models(incomplete: str) -> list[str]:
    """Shipped names, for the shell to complete; folders and hub ids are typed."""
    from eosdsl.models.registry import names

    return [name for name in names() if name.startswith(incomplete)]


Spec = Annotated[str, typer.Argument(metavar="SPEC", help="A .eos file, or - for standard input.", show_default=False)]
Color = Annotated[ColorMode, typer.Option("--color", help="Colours; NO_COLOR is respected.", callback=_remember)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.", callback=_remember)]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print more, tracebacks of internal errors too.", callback=_remember)
]
Format = Annotated[OutputFormat, typer.Option("--output-format", help="How findings are printed.")]
StdinFilename = Annotated[
    str | None,
    typer.Option(
        "--stdin-filename", metavar="PATH", help="The file that standard input stands for.", show_default=False
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Overrides a param of the spec; repeatable.", show_default=False),
]
AllowOutside = Annotated[
    bool, typer.Option("--allow-outside", help="Let `use` take in files outside the spec's own folder.")
]
Dtype = Annotated[
    str | None, typer.Option("--dtype", help="float32, bfloat16 or float16; as saved.", show_default=False)
]
Learned = Annotated[
    str | None,
    typer.Option(
        "--learned",
        metavar="PATH",
        help="Numbers of learned scores: a safetensors file, or the folder of a compiled operator.",
        show_default=False,
    ),
]
Device = Annotated[str | None, typer.Option("--device", help="cpu, cuda, cuda:0; cpu.", show_default=False)]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="A shipped name (eosdsl models), a local folder or a cached hub id.",
        show_default=False,
        autocompletion=_models,
    ),
]
