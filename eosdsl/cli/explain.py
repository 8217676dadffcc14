"""`eosdsl explain`: the page of a code or of an operator, or a spec in plain English."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import Annotated

import typer

from eosdsl.cli.console import say, settings_of, spec_source
from eosdsl.cli.models import TableFormat
from eosdsl.cli.options import AllowOutside, Color, ColorMode, Quiet, Settings, StdinFilename, Verbose
from eosdsl.diagnostics import SpecError, error

EXAMPLES = """
eosdsl explain E0302        what a code means, why, and what to write instead
eosdsl explain merge        an operator and its parameters
eosdsl explain fastv.eos    a spec, step by step, in plain English
eosdsl explain              every code with its title
"""

CODES = {
    "E0615": """There is nothing of this name to explain.

    `explain` knows the codes of diagnostics (`E0302`), the names of operators (`merge`) and specs (`fastv.eos`, `-`).
    `eosdsl explain` alone lists the codes.
    """,
}


def _names(incomplete: str) -> list[str]:
    """Codes and operators, for the shell to complete."""
    from eosdsl.diagnostic_catalogue import catalogue
    from eosdsl.views.operator_page import operator_names

    return [name for name in (*catalogue(), *operator_names()) if name.startswith(incomplete)]


def command(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="CODE|OPERATOR|SPEC",
            help="What to explain; nothing lists the codes.",
            show_default=False,
            autocompletion=_names,
        ),
    ] = None,
    output_format: Annotated[
        TableFormat, typer.Option("--output-format", help="How it is printed.")
    ] = TableFormat.TEXT,
    set_: Settings = None,
    allow_outside: AllowOutside = False,
    stdin_filename: StdinFilename = None,
    color: Color = ColorMode.AUTO,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Explain a code (E0302), an operator (merge) or, step by step, a spec."""
    if what is None:
        text = _all_codes(output_format)
    elif what == "-" or what.endswith(".eos"):
        text = _spec(what, stdin_filename, settings_of(set_), allow_outside)
        text = json.dumps({"version": 1, "text": text}) if output_format is TableFormat.JSON else text
    else:
        text = _page(what, output_format)
    say(text.rstrip())


def _all_codes(output_format: TableFormat) -> str:
    from eosdsl.diagnostic_catalogue import catalogue

    pages = catalogue().values()
    if output_format is TableFormat.JSON:
        rows = [{"code": p.code, "title": p.title, "text": p.text} for p in pages]
        return json.dumps({"version": 1, "codes": rows}, indent=2, ensure_ascii=False)
    return "\n".join(f"{p.code}  {p.title}" for p in pages)


def _spec(spec: str, stdin_filename: str | None, settings: dict[str, str], allow_outside: bool) -> str:
    from eosdsl.parsing import parse_source
    from eosdsl.views.prose import describe

    source = spec_source(spec, stdin_filename)
    return describe(parse_source(source, settings=settings, allow_outside=allow_outside))


def _page(what: str, output_format: TableFormat) -> str:
    from eosdsl.diagnostic_catalogue import explanation
    from eosdsl.views.operator_page import operator_pages

    page = explanation(what)
    texts = [page.text] if page is not None else operator_pages(what)
    if not texts:
        raise SpecError([error("E0615", f"there is no code, operator or spec {what!r}", helps=_near(what))])
    if output_format is TableFormat.JSON:
        return json.dumps({"version": 1, "text": "\n".join(texts)}, indent=2, ensure_ascii=False)
    return "\n".join(texts)


def _near(what: str) -> tuple[str, ...]:
    from eosdsl.diagnostic_catalogue import catalogue
    from eosdsl.views.operator_page import operator_names

    near = get_close_matches(what, operator_names(), n=1) or get_close_matches(what.upper(), catalogue(), n=1)
    return (f"did you mean {near[0]}?",) if near else ("`eosdsl explain` lists the codes",)
