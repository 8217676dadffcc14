"""Running out of memory, as a diagnostic."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from eosdsl.diagnostics import SpecError, error


@contextmanager
def memory_named() -> Generator[None]:
    """Turn torch's ways of running out of memory into a diagnostic (E0628)."""
    import torch

    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as problem:
        raise _too_large() from problem
    except RuntimeError as problem:
        # on the CPU torch says it with a plain RuntimeError of its allocator
        if "can't allocate memory" not in str(problem):
            raise
        raise _too_large() from problem


def _too_large() -> SpecError:
    helps = ("use --dtype bfloat16, a smaller model, or another --device",)
    return SpecError([error("E0628", "the model and its cache do not fit into memory", helps=helps)])
