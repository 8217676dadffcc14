"""Where the console script starts. A plain `eosdsl check` is read here, everything else by typer (`eosdsl.cli.main`).

Editors and hooks run checks of short specs over and over; importing typer and building its parameters would take
several times as long as the check itself. What is read here means what typer would make of it (that is tested); a
command line with anything unusual in it, a mistake included, is typer's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from eosdsl.cli.choices import ColorMode, OutputFormat
from eosdsl.cli.exits import INTERRUPTED

if TYPE_CHECKING:
    from eosdsl.cli.checked import Request

# option → field of the request
FLAGS: Mapping[str, str] = {
    "--quiet": "quiet",
    "-q": "quiet",
    "--verbose": "verbose",
    "-v": "verbose",
    "--allow-outside": "allow_outside",
}
VALUED: Mapping[str, str] = {
    "--model": "model",
    "-m": "model",
    "--output-format": "output_format",
    "--stdin-filename": "stdin_filename",
    "--color": "color",
}
CHOICES: Mapping[str, type[OutputFormat] | type[ColorMode]] = {"output_format": OutputFormat, "color": ColorMode}


def main() -> None:
    """The console script."""
    # the shell asks for completions by a variable; on Windows typer expands patterns itself
    plain = None if "_EOSDSL_COMPLETE" in os.environ or os.name == "nt" else plain_check(sys.argv[1:])
    if plain is not None:
        sys.exit(_run(plain))
    from eosdsl.cli.main import main as everything

    everything()


def plain_check(arguments: Sequence[str]) -> Request | None:
    """The request of a command line that is a check with options as they are usually written; None for any other."""
    if not arguments or arguments[0] != "check":
        return None
    specs: list[str] = []
    chosen: dict[str, Any] = {}
    waiting = iter(arguments[1:])
    for argument in waiting:
        if argument == "-" or not argument.startswith("-"):
            specs.append(argument)
        elif argument in FLAGS:
            chosen[FLAGS[argument]] = True
        elif not _take(argument, waiting, chosen):
            return None
    if not specs or "" in specs:
        return None
    from eosdsl.cli.checked import Request

    return Request(specs=tuple(specs), settings={}, **chosen)


def _take(argument: str, waiting: Iterator[str], chosen: dict[str, Any]) -> bool:
    """Note an option with its value; False where it is not a plain one."""
    name, equals, value = argument.partition("=")
    field = VALUED.get(name)
    if field is None or field in chosen or (equals and not name.startswith("--")):
        return False
    value = value if equals else next(waiting, "")
    if not value or value.startswith("-"):
        return False
    choices = CHOICES.get(field)
    if choices is not None and value not in list(choices):
        return False
    chosen[field] = value if choices is None else choices(value)
    return True


def _run(request: Request) -> int:
    from eosdsl.cli.checked import check_specs
    from eosdsl.cli.console import close_quietly

    try:
        return check_specs(request)
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as problem:
        from eosdsl.cli.failures import report_failure

        return report_failure(problem, request.color, verbose=request.verbose)
    finally:
        close_quietly()
