"""Starting the language server on standard input and output."""

from __future__ import annotations

import contextlib
import os
import sys

from eosdsl.lsp.follow import follow_texts
from eosdsl.lsp.place_requests import answer_about_places
from eosdsl.lsp.server import EosServer
from eosdsl.lsp.text_requests import answer_about_texts


def create() -> EosServer:
    """A server with all its features."""
    server = EosServer()
    follow_texts(server)
    answer_about_places(server)
    answer_about_texts(server)
    return server


def serve() -> None:
    """Serve until the client says exit. What anything prints goes to standard error, not into the protocol."""
    sent = os.fdopen(os.dup(sys.stdout.fileno()), "wb")  # a copy: the server closes it in the end
    with contextlib.redirect_stdout(sys.stderr):
        create().start_io(sys.stdin.buffer, sent)
