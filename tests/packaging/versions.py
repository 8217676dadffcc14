"""`make versions`: a decisive part of the tests on several versions of transformers, each in an environment of its own.

Every environment sees the packages of the one that runs this (torch, the tools), and has transformers, what that
version needs otherwise, and what some processors ask for (torchvision, num2words) in front of them.

    python tests/packaging/versions.py                  the oldest version that is taken, and the newest there is
    python tests/packaging/versions.py 5.20.0 5.24.0    these
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

from eosdsl.cli.models import table
from eosdsl.lowering.versions import BELOW, NEWEST, OLDEST

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "build" / "versions"
LATEST = "latest"
PARTS = ("torchvision", "num2words")
QUICK = "prune or not (batch_equals or cached or cache_holds or second_turn)"
SUITES: dict[str, tuple[str, ...]] = {
    "laws, every family": ("tests/lowering/test_family_laws.py", "-k", QUICK),
    "towers": ("tests/lowering/test_family_towers.py", "tests/lowering/test_image_encoders.py"),
    "identity, traps": ("tests/lowering/test_identity_and_detach.py", "tests/lowering/test_traps.py"),
    "generate, caches": ("tests/lowering/test_generation.py", "tests/lowering/test_static_cache.py"),
    "windows, devices": ("tests/lowering/test_static_windows.py", "tests/lowering/test_several_devices.py"),
    "one graph, refusals": ("tests/lowering/test_one_graph.py", "tests/lowering/test_refusals.py"),
    "shipped configs": ("tests/models",),
    "folders, processors": ("tests/demo/test_family_folders.py", "tests/demo/test_processor_counts.py"),
    "artefacts, exports": ("tests/lowering/test_artefact.py", "tests/lowering/test_export.py"),
}


@dataclass(frozen=True)
class Outcome:
    """What a part of the tests gave: how many passed, did not, and were left out."""

    passed: int
    failed: int
    skipped: int

    def __str__(self) -> str:
        failed = f", {self.failed} FAIL" if self.failed or not self.passed else ""
        return f"{self.passed} pass{failed}" + (f", {self.skipped} skipped" if self.skipped else "")


def environment(wanted: str) -> tuple[Path, str]:
    """Python of an environment with that version (or the latest below 6), and the version that it has."""
    folder = PLACE / wanted
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        venv.create(folder, with_pip=False)
    paths = {"base": str(folder), "platbase": str(folder)}
    site = Path(sysconfig.get_path("purelib", "venv", paths))
    (site / "around.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    kept = folder / "constraints.txt"
    kept.write_text(f"torch=={version('torch').partition('+')[0]}\n")
    asked = f"transformers>={OLDEST},<{BELOW}" if wanted == LATEST else f"transformers=={wanted}"
    install = ["install", "-qq", "--upgrade", "--disable-pip-version-check", "--constraint", str(kept), asked, *PARTS]
    subprocess.run([sys.executable, "-m", "pip", "--python", str(python), *install], check=True)
    found = subprocess.run(
        [python, "-c", "from importlib.metadata import version; print(version('transformers'))"],
        check=True,
        capture_output=True,
        text=True,
    )
    return python, found.stdout.strip()


def outcome(python: Path, suite: Sequence[str], report: Path) -> Outcome:
    """Run tests with a Python."""
    quiet = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(Path(__file__).parent)}
    options = [
        "-p",
        "vision_names",
        "-q",
        "-n",
        "0",
        "-m",
        "not slow",
        "-p",
        "no:cacheprovider",
        "-o",
        "timeout=0",
        f"--junitxml={report}",
    ]
    report.unlink(missing_ok=True)
    subprocess.run(
        [python, "-m", "pytest", *suite, *options],
        cwd=ROOT,
        env=os.environ | quiet,
        stdout=report.with_suffix(".log").open("w"),
        stderr=subprocess.STDOUT,
    )
    return counted(report.read_text("utf-8")) if report.exists() else Outcome(0, 0, 0)


def counted(junit: str) -> Outcome:
    """An outcome from what pytest wrote as JUnit XML."""
    suites = [element.attrib for element in ElementTree.fromstring(junit).iter("testsuite")]
    totals = {name: sum(int(one[name]) for one in suites) for name in ("tests", "failures", "errors", "skipped")}
    failed = totals["failures"] + totals["errors"]
    return Outcome(totals["tests"] - failed - totals["skipped"], failed, totals["skipped"])


def main(wanted: Sequence[str]) -> int:
    """Print the table. The exit code: 0 where everything passed on every version."""
    rows: list[tuple[str, ...]] = [("transformers", *SUITES)]
    every: list[Outcome] = []
    for one in wanted or (OLDEST, LATEST):
        print(f"transformers {one}: installing, then testing …", file=sys.stderr)
        python, found = environment(one)
        reports = [PLACE / one / f"{number}.xml" for number in range(len(SUITES))]
        outcomes = [outcome(python, suite, report) for suite, report in zip(SUITES.values(), reports, strict=True)]
        every += outcomes
        rows.append((found, *map(str, outcomes)))
    print(table(rows))
    print(f"stated: {OLDEST} to {NEWEST} (eosdsl/lowering/versions.py), torch {version('torch')}; logs: {PLACE}")
    return int(any(one.failed or not one.passed for one in every))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
