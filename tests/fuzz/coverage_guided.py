"""atheris on everything that takes a text: `python coverage_guided.py -runs=20000 CORPUS`.

Not a test by itself: `test_coverage_guided.py` runs it for a bounded number of inputs. An input that breaks something
is written to `crash-…` in the current folder, and the exit code is not 0.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

LARGEST = 4096  # bytes

atheris: Any = import_module("atheris")  # by name: it is in the extra `fuzz`, not everywhere

with atheris.instrument_imports(include=["eosdsl"], enable_loader_override=False):
    from survival import check_survives, editor_survives, passes_survive, survives

    survives("at layer 2: retain 50% via merge")  # what is imported on use is instrumented as well


def one_input(data: bytes) -> None:
    """One text: whatever the fuzzer thought of."""
    text = data[:LARGEST].decode("utf-8", "surrogateescape")
    check_survives(text)
    passes_survive(text)
    if len(data) % 8 == 0:  # the editor takes longest
        editor_survives(text, len(data) // 2)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
