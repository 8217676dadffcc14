"""The command line. One module a command, imported when it is used, so that `eosdsl check` never pays for torch.

A command is a module `eosdsl.cli.<name>` with a function `command`, annotated for typer, whose docstring is its help,
and a constant `EXAMPLES`: lines that its `--help` ends with. Shared options are in `eosdsl.cli.options`, printing in
`eosdsl.cli.console`, exit codes in `eosdsl.cli.exits`; a command ends with `raise typer.Exit(code)` where it is not 0
and may raise SpecError, OSError or anything else: the guard renders it.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from eosdsl.cli.console import close_quietly
from eosdsl.cli.guard import guarded

if TYPE_CHECKING:
    from collections.abc import Callable

# name → (module, one line for `eosdsl --help`), in the order of that list
COMMANDS: dict[str, tuple[str, str]] = {
    "check": ("eosdsl.cli.check", "Say what is wrong with specs, where and why."),
    "fmt": ("eosdsl.cli.fmt", "Format specs in place, or show what would change."),
    "explain": ("eosdsl.cli.explain", "Explain a code (E0302), an operator (merge) or, step by step, a spec."),
    "ir": ("eosdsl.cli.ir", "Print the typed program as versioned JSON."),
    "plan": ("eosdsl.cli.plan", "Count tokens, FLOPs and KV cache of a spec on a model, without weights."),
    "diff": ("eosdsl.cli.diff", "Say what changes from one spec to another: tokens, cost, behaviour."),
    "sample": ("eosdsl.cli.sample", "Draw random members of a space, as specs."),
    "graph": ("eosdsl.cli.graph", "Draw how tokens flow through a spec."),
    "compile": ("eosdsl.cli.compile", "Compile a spec for a model into a folder."),
    "run": ("eosdsl.cli.run", "Ask a model about an image, full and reduced, side by side."),
    "tasks": ("eosdsl.cli.tasks", "List the families of questions, or write them for other tools."),
    "eval": ("eosdsl.cli.eval", "Measure what specs cost in accuracy, at equal numbers of tokens."),
    "profile": ("eosdsl.cli.profile", "Measure how long a model's layers take on this machine."),
    "search": ("eosdsl.cli.search", "Search a space: learn where, how many and how, and derive an operator."),
    "models": ("eosdsl.cli.models", "List the models that are known by name."),
    "zoo": ("eosdsl.cli.zoo", "Train the small models that this project makes itself."),
    "migrate": ("eosdsl.cli.migrate", "Bring specs to the current version of the language."),
    "new": ("eosdsl.cli.new", "Write a commented spec to start from."),
    "lsp": ("eosdsl.cli.lsp", "Serve editors: the language server."),
}


class LazyGroup(TyperGroup):
    """Knows the names of the commands without importing their modules."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(COMMANDS[cmd_name][0])
        return _typer_command(cmd_name, module.command, getattr(module, "EXAMPLES", ""))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(name, COMMANDS, n=1)
            ctx.fail(f"No such command {name!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def invoke(self, ctx: Any) -> Any:
        with guarded(ctx):
            return super().invoke(ctx)


def _typer_command(name: str, function: Callable[..., None], examples: str) -> Any:
    one = typer.Typer(add_completion=False, rich_markup_mode=None)
    epilog = "\b\nExamples:\n" + "\n".join(f"  {line}" for line in examples.strip().splitlines()) if examples else None
    one.command(name, epilog=epilog, no_args_is_help=False)(function)
    return get_command(one)


def _version(wanted: bool) -> None:
    if wanted:
        from eosdsl import __version__

        typer.echo(f"eosdsl {__version__}")
        raise typer.Exit


app = typer.Typer(cls=LazyGroup, name="eosdsl", rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def eosdsl(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """A language for visual-token reduction: where, how many, which, and what becomes of the rest.

    Exit codes: 0 clean, 1 findings, 2 could not run. `eosdsl COMMAND --help` ends with examples.
    """


def main() -> None:
    """The command line, all of it; the console script comes here unless `eosdsl.cli.start` can do without typer."""
    # pydantic looks through all installed packages for plugins of its own; ours are frozen models without any
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        app(prog_name="eosdsl")
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        close_quietly()
