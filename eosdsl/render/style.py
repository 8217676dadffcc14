"""Colours of rendered diagnostics, as ANSI escapes; `PLAIN` paints nothing."""

from __future__ import annotations

from dataclasses import dataclass

from eosdsl.diagnostics import Severity

_RESET = "\x1b[0m"
_SEVERITY = {Severity.ERROR: "\x1b[1;31m", Severity.WARNING: "\x1b[1;33m", Severity.INFO: "\x1b[1;36m"}


@dataclass(frozen=True)
class Style:
    """Paints pieces of text, or leaves them as they are."""

    colored: bool

    def severity(self, text: str, severity: Severity) -> str:
        return self._paint(text, _SEVERITY[severity])

    def strong(self, text: str) -> str:
        return self._paint(text, "\x1b[1m")

    def frame(self, text: str) -> str:
        """Line numbers, bars, arrows and secondary labels."""
        return self._paint(text, "\x1b[1;34m")

    def _paint(self, text: str, escape: str) -> str:
        return f"{escape}{text}{_RESET}" if self.colored and text.strip() else text


PLAIN = Style(colored=False)
