"""The demonstration: `make demo`, or `python -m eosdsl.demo [FOLDER]`.

First what reduction costs in answers: tiny-llava, trained here, on five pictures, full and on 16 tokens by three
methods, with the tokens drawn. Then what it saves: a larger LLaVA with random weights is built, two specs are checked,
planned, compiled and timed on a photograph. Everything it writes is in FOLDER (`demo`).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from eosdsl.cli.console import complain, say
from eosdsl.cli.exits import COULD_NOT_RUN, INTERRUPTED
from eosdsl.demo.photographs import photograph_path
from eosdsl.demo.stages import DemoSpec, ask, introduce, prepare_model, show_answers
from eosdsl.diagnostics import SpecError
from eosdsl.reading import os_error_diagnostic
from eosdsl.resources import resource
from eosdsl.zoo.small_llava import Size

SPECS = ("methods/fastv.eos", "tutorial/one_line.eos")
PROMPT = "What animal is this, and where is it looking?"


def demo(folder: Path, size: Size = "small") -> None:
    """All of it, in `folder`. Raises SpecError where something of it cannot be done."""
    specs = [DemoSpec(_from_here(resource("specs") / name), folder) for name in SPECS]
    show_answers(folder)
    model = prepare_model(folder / "small-llava", size)
    for spec in specs:
        introduce(spec, model)
    ask(specs, model, photograph_path("chelsea"), PROMPT)


def _from_here(path: Path) -> Path:
    """The path as a person here would write it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def main() -> int:
    """Exit code: 0, or 2 where the demonstration could not run."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing here is on a hub
    try:
        demo(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
    except SpecError as problem:
        complain(problem.diagnostics, problem.source)
        return COULD_NOT_RUN
    except OSError as problem:
        complain([os_error_diagnostic(problem)], None)
        return COULD_NOT_RUN
    except KeyboardInterrupt:
        say("")
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
