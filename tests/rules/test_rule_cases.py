"""Rules held against cases in YAML: what is reported, what is not, and what fixes make of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from eosdsl.checking import check_source
from eosdsl.diagnostics import Diagnostic
from eosdsl.fixing import fix_source
from eosdsl.rules.registry import rules
from eosdsl.source import SourceFile

CASES = Path(__file__).parent / "cases"
CODES = {rule.name: rule.code for rule in rules()}


@dataclass(frozen=True)
class Case:
    """One text and what a rule has to say of it."""

    rule: str
    text: str
    reported: bool
    fixed: str | None = None
    unsafe: bool = False
    model: str | None = None
    file: str | None = None


def cases() -> Iterator[Any]:
    for path in sorted(CASES.glob("*.yml")):
        document: dict[str, list[dict[str, Any]]] = yaml.safe_load(path.read_text(encoding="utf-8"))
        for rule, rows in document.items():
            for number, row in enumerate(rows):
                options = {key: row[key] for key in row if key not in ("pass", "fail")}
                text: str = row["fail"] if "fail" in row else row["pass"]
                case = Case(rule, text, "fail" in row, **options)
                yield pytest.param(case, id=f"{rule}-{number}")


def source_of(case: Case, folder: Path) -> SourceFile:
    if case.file is None:
        return SourceFile("<text>", case.text)
    (folder / "a.eos").write_text("at layer 30: retain 10% by norm(hidden)\n")
    path = folder / case.file
    path.write_text(case.text)
    return SourceFile(str(path), case.text, path)


@pytest.mark.parametrize("case", list(cases()))
def test_case(case: Case, tmp_path: Path) -> None:
    def look(source: SourceFile) -> list[Diagnostic]:
        return check_source(source, case.model)

    source = source_of(case, tmp_path)
    found = look(source)
    assert not [d for d in found if d.is_error]
    assert (CODES[case.rule] in [d.code for d in found]) == case.reported
    if case.fixed is not None:
        own = [d for d in found if d.code == CODES[case.rule]]
        mended = fix_source(source, lambda text: own if text is source else look(text), unsafe=case.unsafe)
        assert mended.source.text == case.fixed
        assert CODES[case.rule] not in [d.code for d in mended.remaining]


def test_every_rule_has_a_case() -> None:
    named: set[str] = {param.values[0].rule for param in cases()}
    assert named <= set(CODES)
    assert set(CODES) - named == set()


def test_safe_fixes_are_offered_only_unmarked() -> None:
    """A fix that a case needs `unsafe` for is not applied without."""
    for param in cases():
        case: Case = param.values[0]
        if case.unsafe and case.file is None:
            source = SourceFile("<text>", case.text)
            own = [d for d in check_source(source, case.model) if d.code == CODES[case.rule]]
            assert fix_source(source, lambda _, own=own: own).applied == 0
