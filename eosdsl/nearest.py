"""The known name that somebody probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The closest of the known names; else the only one that begins with what was written (`temp`), or the only one
    that what was written begins with."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1) or get_close_matches(name.lower(), names, n=1)
    if close:
        return close[0]
    if len(name) < 3:
        return None
    begun = [other for other in names if other.startswith(name.lower()) or (other and name.startswith(f"{other}_"))]
    return begun[0] if len(begun) == 1 else None
