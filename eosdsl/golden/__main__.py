"""`python -m eosdsl.golden FOLDER`: every case of a folder, a line each; exit code 1 where one does not agree."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from eosdsl.diagnostics import SpecError
from eosdsl.golden.case import read_case
from eosdsl.golden.methods import method_for


@dataclass(frozen=True)
class Outcome:
    """What came of a case: does it agree, and the line that says so."""

    agrees: bool
    line: str


def judge(path: Path) -> Outcome:
    """Run one case; whatever is wrong with it is its outcome, never a traceback."""
    try:
        case = read_case(path)
        method = method_for(case.method)
        if method is None:
            return _failed(path, f"no method here is called “{case.method}”")
        checks = method(case)
    except SpecError as problem:
        return _failed(path, "; ".join(" ".join((one.message, *one.notes)) for one in problem.diagnostics))
    except (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError) as problem:
        first = (str(problem) or type(problem).__name__).splitlines()[0]
        return _failed(path, f"the case does not fit its method: {first}")
    if not checks:
        return _failed(path, "nothing in it can be compared")
    agrees = all(check.agrees for check in checks)
    shown = "; ".join(f"{check.what}: {check.detail}" for check in checks if check.agrees or not agrees)
    return Outcome(agrees, f"{'ok  ' if agrees else 'FAIL'}  {path.name:28} {case.method}: {shown}")


def main(arguments: list[str]) -> int:
    """0 where all agree, 1 where one does not, 2 where there is nothing to run."""
    if len(arguments) != 1:
        print("usage: python -m eosdsl.golden FOLDER", file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        reason = "holds no .npz file" if folder.is_dir() else "is not a folder"
        print(f"error: {folder} {reason}", file=sys.stderr)
        return 2
    outcomes = [judge(path) for path in paths]
    for outcome in outcomes:
        print(outcome.line)
    failed = sum(not outcome.agrees for outcome in outcomes)
    print(f"{len(outcomes) - failed} of {len(outcomes)} agree with the originals")
    return 1 if failed else 0


def _failed(path: Path, reason: str) -> Outcome:
    return Outcome(False, f"FAIL  {path.name:28} {reason}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
