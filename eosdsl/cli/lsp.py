"""`eosdsl lsp`: the language server, for editors to start."""

from __future__ import annotations

from eosdsl.cli.options import Color, ColorMode, Quiet, Verbose
from eosdsl.diagnostics import SpecError, error

EXAMPLES = """
eosdsl lsp                     speaks the language server protocol on standard input and output
pip install 'eosdsl[lsp]'      installs what it needs
"""


def command(color: Color = ColorMode.AUTO, quiet: Quiet = False, verbose: Verbose = False) -> None:
    """Start the language server on standard input and output. Editors start it; see docs/editors.md."""
    try:
        from eosdsl.lsp.serve import serve
    except ModuleNotFoundError as problem:
        if (problem.name or "").partition(".")[0] not in ("pygls", "lsprotocol"):
            raise
        message = "the language server needs the package pygls"
        raise SpecError([error("E0698", message, helps=("pip install 'eosdsl[lsp]'",))]) from problem
    serve()
