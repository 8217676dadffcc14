"""Pausing the garbage collector while a tree is built.

Syntax trees and programs hold no cycles, so reference counts free them; but the cyclic collector looks through all that
is alive again and again while it grows, and takes two thirds of the time of reading a spec of 10,000 statements.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def collects_later(function: Callable[P, R]) -> Callable[P, R]:
    """The function, run while the cyclic collector waits; it goes on afterwards if it was on before."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if not gc.isenabled():
            return function(*args, **kwargs)
        gc.disable()
        try:
            return function(*args, **kwargs)
        finally:
            gc.enable()

    return run
