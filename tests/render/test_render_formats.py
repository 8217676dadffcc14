"""Findings for programs: JSON, concise lines, workflow commands, SARIF."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eosdsl.diagnostics import Diagnostic, Edit, Fix, Label, Severity, error, info, warning
from eosdsl.render.findings import Findings
from eosdsl.render.formats import render
from eosdsl.source import SourceFile

SOURCE = SourceFile("specs/a b.eos", "at layer 40:\n  retain 50%\n")
SPAN = SOURCE.span(9, 11)
FINDINGS = [
    Findings(
        SOURCE.name,
        SOURCE,
        (
            Diagnostic(
                "E0302",
                Severity.ERROR,
                "layer 40 is past\nthe end: 100%, no more",
                SPAN,
                (Label(SPAN, "0..31"), Label(SOURCE.span(0, 12), "this, statement")),
                ("a note",),
                ("a help",),
                Fix("write 31", (Edit(SPAN, "31"),), "unsafe"),
            ),
            info("I0301", "a remark", SOURCE.span(15, 25)),
        ),
    ),
    Findings("gone.eos", None, (error("E0601", "gone.eos: no such file or folder"),)),
    Findings("clean.eos", SourceFile("clean.eos", ""), ()),
]


def test_json_says_everything() -> None:
    document = json.loads(render(FINDINGS, "json", color=False))
    first, second, third = document["diagnostics"]
    assert document["version"] == 1
    assert first == {
        "code": "E0302",
        "severity": "error",
        "message": "layer 40 is past\nthe end: 100%, no more",
        "file": "specs/a b.eos",
        "span": {"start": {"offset": 9, "line": 1, "column": 10}, "end": {"offset": 11, "line": 1, "column": 12}},
        "labels": [
            {
                "file": "specs/a b.eos",
                "span": {
                    "start": {"offset": 9, "line": 1, "column": 10},
                    "end": {"offset": 11, "line": 1, "column": 12},
                },
                "text": "0..31",
            },
            {
                "file": "specs/a b.eos",
                "span": {
                    "start": {"offset": 0, "line": 1, "column": 1},
                    "end": {"offset": 12, "line": 1, "column": 13},
                },
                "text": "this, statement",
            },
        ],
        "notes": ["a note"],
        "helps": ["a help"],
        "fix": {
            "message": "write 31",
            "applicability": "unsafe",
            "edits": [{"file": "specs/a b.eos", "span": first["span"], "replacement": "31"}],
        },
    }
    assert second["severity"] == "info"
    assert third == {
        "code": "E0601",
        "severity": "error",
        "message": "gone.eos: no such file or folder",
        "file": "gone.eos",
        "span": None,
        "labels": [],
        "notes": [],
        "helps": [],
        "fix": None,
    }


def test_json_keeps_to_its_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema_file = Path(__file__).parents[2] / "docs" / "schema" / "diagnostics.schema.json"
    validator = jsonschema.Draft202012Validator(json.loads(schema_file.read_text()))
    validator.check_schema(validator.schema)
    validator.validate(json.loads(render(FINDINGS, "json", color=False)))
    assert not validator.is_valid({"version": 1, "diagnostics": [{"code": "E0302"}]})
    assert not validator.is_valid({"version": 2, "diagnostics": []})


def test_concise_is_one_line_a_finding() -> None:
    assert render(FINDINGS, "concise", color=False).splitlines() == [
        "specs/a b.eos:1:10: error[E0302] layer 40 is past the end: 100%, no more",
        "specs/a b.eos:2:3: info[I0301] a remark",
        "gone.eos: error[E0601] gone.eos: no such file or folder",
    ]


def test_github_commands_are_escaped() -> None:
    first, second, third = render(FINDINGS, "github", color=False).splitlines()
    assert first == (
        "::error title=eosdsl E0302,file=specs/a b.eos,line=1,endLine=1,col=10,endColumn=12::"
        "layer 40 is past%0Athe end: 100%25, no more%0A0..31%0Athis, statement%0Aa help"
    )
    assert second.startswith("::notice title=eosdsl I0301,")
    assert third == "::error title=eosdsl E0601,file=gone.eos::gone.eos: no such file or folder"
    odd = Findings("a:b,c%.eos", None, (warning("W0300", "m"),))
    assert render([odd], "github", color=False) == "::warning title=eosdsl W0300,file=a%3Ab%2Cc%25.eos::m"


def test_sarif_is_one_run_with_rules_and_regions() -> None:
    document: dict[str, Any] = json.loads(render(FINDINGS, "sarif", color=False))
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == sorted({"E0302", "I0301", "E0601"})
    first, second, third = run["results"]
    assert [rules[result["ruleIndex"]] for result in run["results"]] == ["E0302", "I0301", "E0601"]
    assert [result["level"] for result in run["results"]] == ["error", "note", "error"]
    assert first["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "specs/a%20b.eos"},
                "region": {"startLine": 1, "startColumn": 10, "endLine": 1, "endColumn": 12},
            }
        }
    ]
    assert first["relatedLocations"][0]["message"] == {"text": "this, statement"}
    (change,) = first["fixes"][0]["artifactChanges"]
    assert change["replacements"][0]["insertedContent"] == {"text": "31"}
    assert "fixes" not in second
    assert "region" not in third["locations"][0]["physicalLocation"]


def test_text_leaves_clean_files_out() -> None:
    rendered = render(FINDINGS, "text", color=False)
    assert rendered.count("\n\n") == 2
    assert "clean.eos" not in rendered
    assert render([FINDINGS[2]], "text", color=False) == ""


def test_an_unknown_format_is_a_fault_of_the_caller() -> None:
    with pytest.raises(ValueError, match="html"):
        render(FINDINGS, "html", color=False)
