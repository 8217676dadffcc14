"""Upper bounds on the speed-up of prefill: what counting says, before any overhead.

Where multiply-accumulates are the limit, prefill cannot get faster than they get fewer. Decoding is another matter: it
is bound by reading the weights, so a smaller cache helps at large batches or long contexts only.
"""

from __future__ import annotations


def bound(full: int, reduced: int) -> float:
    """Full over reduced cost; 1.0 where nothing is computed at all."""
    return full / reduced if reduced else 1.0
