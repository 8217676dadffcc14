"""The language against lark: checking and parsing of long specs, and the start of a check of one line.

    python benchmarks/language.py [--quick] [--json FILE]

--quick leaves out all but the check and lark's parse without positions, and measures 10,000 statements once.

lark reads the same text with the same grammar (LALR, its contextual lexer, built before the clock starts), once with
positions, as a checker needs them, and once without. Both sides run in turns in one process; times are processor time,
the least of several runs. Starts are whole processes: `eosdsl check` of a file of one line against a bare
`import lark, pydantic, typer`. Exits 1 where a limit is passed: a check at twice lark's parse without positions, growth
from 1,000 to 10,000 statements at a quarter more for each, a start at 1.6 times the imports.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from lark import Lark

from eosdsl import resources
from eosdsl.checking import check_source
from eosdsl.diagnostics import Severity
from eosdsl.lsp.document import Document
from eosdsl.lsp.semantic_tokens import semantic_tokens
from eosdsl.source import SourceFile
from eosdsl.syntax.format import format_text
from eosdsl.syntax.parse import parse_syntax

CLAUSES = (
    "by 0.7 * attention(query: last) + 0.3 * norm(keys) pick top via mix(0.6 merge, 0.4 prune) with positions: compact"
)
HEAD = """microseconds of processor time a statement, least of several runs
ratio: check to lark's parse, without positions and with them
text           statements       kB      lark +position     parse     check    ratio     with    format   colours"""
LIMITS = {"check": 2.0, "growth": 1.25, "start": 1.6}


@dataclass(frozen=True)
class Row:
    """Seconds for a text of so many statements."""

    text: str
    statements: int
    kilobytes: float
    lark: float
    check: float
    lark_positions: float | None = None
    parse: float | None = None
    format: float | None = None
    editor: float | None = None

    @property
    def ratio(self) -> float:
        """Checking against lark's parse without positions."""
        return self.check / self.lark


def clean(statements: int) -> str:
    """A spec without findings: every layer keeps a little less than the one before."""
    rows = [f"at layer {i + 1}: retain {90 - 80 * i / statements:.4f}% {CLAUSES}" for i in range(statements)]
    return "operator long\n" + "\n".join(rows) + "\n"


def found(statements: int) -> str:
    """A spec with a warning in every statement: none keeps less than the one before."""
    return "operator long\n" + "".join(f"at layer {i + 1}: retain 50% {CLAUSES}\n" for i in range(statements))


def short(statements: int) -> str:
    """The shortest statements, where the fixed work on each weighs most."""
    return "".join(f"at layer {i + 1}: retain {90 - 80 * i / statements:.4f}%\n" for i in range(statements))


TEXTS: dict[str, Callable[[int], str]] = {"clean": clean, "with findings": found, "short": short}


def least(repeats: int, *works: Callable[[], object]) -> list[float]:
    """The least processor time of each piece of work, run in turns."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(repeats):
        for work, taken in zip(works, times, strict=True):
            start = time.process_time()
            work()
            taken.append(time.process_time() - start)
    return [min(taken) for taken in times]


def measure(name: str, statements: int, repeats: int, *, quick: bool) -> Row:
    text = TEXTS[name](statements)
    grammar = (resources.resource("grammar") / "eos.lark").read_text(encoding="utf-8")
    plain = Lark(grammar, parser="lalr", maybe_placeholders=True)
    placed = Lark(grammar, parser="lalr", maybe_placeholders=True, propagate_positions=True)
    source = SourceFile("<text>", text)
    assert not [d for d in check_source(source) if d.severity is Severity.ERROR]
    both = [lambda: plain.parse(text), lambda: check_source(source)]
    more = [
        lambda: placed.parse(text),
        lambda: parse_syntax(source),
        lambda: format_text(text),
        lambda: semantic_tokens(Document(text)),
    ]
    return Row(name, statements, len(text) / 1000, *least(repeats, *both, *([] if quick else more)))


@dataclass(frozen=True)
class Start:
    """Seconds of a process: processor time and wall clock, the least and the median of several."""

    what: str
    cpu: float
    cpu_median: float
    wall: float
    wall_median: float


def starts(repeats: int) -> list[Start]:
    """Both commands in turns."""
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "one_line.eos"
        spec.write_text("at layer 2: retain 50% by attention(query: last) via prune\n", encoding="utf-8")
        commands = {
            "import lark, pydantic, typer": [sys.executable, "-c", "import lark, pydantic, typer"],
            "eosdsl check one_line.eos": [str(Path(sys.executable).parent / "eosdsl"), "check", str(spec)],
            "eosdsl check --model llava": [
                str(Path(sys.executable).parent / "eosdsl"),
                "check",
                "-m",
                "llava",
                str(spec),
            ],
        }
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(repeats):
            for name, command in commands.items():
                taken[name].append(one_start(command))
    return [
        Start(
            name,
            min(cpu for cpu, _ in runs),
            statistics.median(cpu for cpu, _ in runs),
            min(wall for _, wall in runs),
            statistics.median(wall for _, wall in runs),
        )
        for name, runs in taken.items()
    ]


def one_start(command: Sequence[str]) -> tuple[float, float]:
    """Processor time and wall clock of one process."""
    before, clock = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - clock
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def show(row: Row) -> str:
    def each(seconds: float | None) -> str:
        return " " * 9 if seconds is None else f"{seconds * 1e6 / row.statements:9.1f}"

    times = " ".join(each(seconds) for seconds in (row.lark, row.lark_positions, row.parse, row.check))
    head = f"{row.text:14} {row.statements:10} {row.kilobytes:8.1f}"
    placed = " " * 8 if row.lark_positions is None else f"{row.check / row.lark_positions:8.2f}"
    return f"{head} {times} {row.ratio:8.2f} {placed} {each(row.format)} {each(row.editor)}".rstrip()


def growth(rows: Sequence[Row]) -> float:
    """Time for a statement of the longest text against one of a text a tenth as long; the worst of all kinds."""
    longest = max(row.statements for row in rows)
    each = {(row.text, row.statements): row.check / row.statements for row in rows}
    return max(each[name, longest] / each[name, longest // 10] for name in TEXTS)


def main() -> int:
    parser = argparse.ArgumentParser(description="The language against lark: time to check, parse and start.")
    parser.add_argument("--quick", action="store_true", help="checks and lark's parse alone, few repeats: a minute")
    parser.add_argument("--tiny", action="store_true", help="everything once and small")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    sizes = (1, 10, 100) if chosen.tiny else (1, 10, 100, 1000, 10_000)
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, lark {version('lark')}\n")
    print(HEAD)
    rows: list[Row] = []
    for name in TEXTS:
        for statements in sizes:
            least_runs = (1 if chosen.quick else 2) if statements > 1000 else 3 if chosen.quick else 7
            repeats = 3 if chosen.tiny else max(least_runs, 1000 // statements)
            rows.append(measure(name, statements, repeats, quick=chosen.quick))
            print(show(rows[-1]), flush=True)
    print("\nprocess                              cpu s   median   wall s   median    ratio (cpu)")
    begun = starts(1 if chosen.tiny else 3 if chosen.quick else 15)
    for start in begun:
        times = f"{start.cpu:8.3f} {start.cpu_median:8.3f} {start.wall:8.3f} {start.wall_median:8.3f}"
        print(f"{start.what:33} {times} {start.cpu / begun[0].cpu:8.2f}")
    measured = {
        "check": max(row.ratio for row in rows),
        "growth": growth(rows),
        "start": begun[1].cpu / begun[0].cpu,
    }
    print(f"\ncheck is at most {measured['check']:.2f} times lark's parse (limit {LIMITS['check']})")
    print(f"ten times the text costs {measured['growth']:.2f} times as much a statement (limit {LIMITS['growth']})")
    print(f"a check of one line costs {measured['start']:.2f} times the bare imports (limit {LIMITS['start']})")
    if chosen.json:
        data = {"rows": [asdict(row) | {"ratio": row.ratio} for row in rows], "starts": [asdict(one) for one in begun]}
        chosen.json.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    return int(not chosen.tiny and any(measured[name] > limit for name, limit in LIMITS.items()))


if __name__ == "__main__":
    sys.exit(main())
