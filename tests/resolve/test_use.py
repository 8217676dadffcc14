"""`use`: other files' statements, once each, from within the folder; and where mistakes in them are reported."""

from __future__ import annotations

from pathlib import Path

import pytest

import eosdsl
from eosdsl.diagnostics import Diagnostic, SpecError


def write(folder: Path, **files: str) -> Path:
    """Files by name; `a__b` is b in folder a. The first is the spec."""
    paths = [folder / f"{name.replace('__', '/')}.eos" for name in files]
    for path, text in zip(paths, files.values(), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return paths[0]


def refused(path: Path) -> list[Diagnostic]:
    with pytest.raises(SpecError) as caught:
        eosdsl.parse(path)
    return caught.value.diagnostics


def test_statements_of_the_other_file_are_taken_in(tmp_path: Path) -> None:
    spec = write(
        tmp_path,
        main='operator both for llava\nuse "parts/late.eos"\nat layer 2: retain budget by worth',
        parts__late='operator late for llava\nuse "shared.eos"\nat layer 9: retain 5% by worth',
        parts__shared="param budget = 50%\nscore worth = 2 * norm(hidden)",
    )
    written_out = eosdsl.parse(
        "operator both for llava\nparam budget = 50%\nscore worth = 2 * norm(hidden)\n"
        "at layer 2: retain budget by worth\nat layer 9: retain 5% by worth"
    )
    assert eosdsl.parse(spec) == written_out


def test_spans_name_the_file_that_they_are_in(tmp_path: Path) -> None:
    spec = write(tmp_path, main='use "other.eos"\nat layer 2: retain 5%', other="at layer 9: retain 5%")
    first, second = eosdsl.parse(spec).steps
    assert first.span is not None and first.span.file == ""
    assert second.span is not None and second.span.file == str(tmp_path / "other.eos")


def test_a_file_used_twice_is_taken_in_once(tmp_path: Path) -> None:
    spec = write(
        tmp_path,
        main='use "a.eos"\nuse "b.eos"\nat layer 2: retain size',
        a='use "shared.eos"\nat layer 3: retain size',
        b='use "shared.eos"\nat layer 4: retain size',
        shared="param size = 5%",
    )
    assert len(eosdsl.parse(spec).steps) == 3


def test_a_circle_is_named(tmp_path: Path) -> None:
    spec = write(tmp_path, main='use "a.eos"', a='use "b.eos"', b='use "a.eos"')
    (problem,) = refused(spec)
    assert problem.code == "E0211"
    assert problem.labels[0].text == "a.eos → b.eos → a.eos"
    assert problem.span is not None and problem.span.file == str(tmp_path / "b.eos")


def test_a_file_that_uses_itself(tmp_path: Path) -> None:
    (problem,) = refused(write(tmp_path, main='use "./main.eos"\nat layer 2: retain 5%'))
    assert (problem.code, problem.labels[0].text) == ("E0211", "main.eos → main.eos")


def test_the_folder_is_not_left_unless_allowed(tmp_path: Path) -> None:
    spec = write(tmp_path, inner__main='use "../outside.eos"', outside="at layer 2: retain 5%")
    (problem,) = refused(spec)
    assert problem.code == "E0212"
    assert len(eosdsl.parse(spec, allow_outside=True).steps) == 1


def test_the_folder_is_that_of_the_spec_not_of_each_file(tmp_path: Path) -> None:
    """A file further down may name one beside the spec."""
    spec = write(tmp_path, main='use "inner/a.eos"', inner__a='use "../b.eos"', b="at layer 2: retain 5%")
    assert len(eosdsl.parse(spec).steps) == 1


def test_a_link_does_not_lead_out(tmp_path: Path) -> None:
    spec = write(tmp_path, inner__main='use "link.eos"', outside="at layer 2: retain 5%")
    (spec.parent / "link.eos").symlink_to(tmp_path / "outside.eos")
    assert [problem.code for problem in refused(spec)] == ["E0212"]


def test_an_absolute_path_is_outside(tmp_path: Path) -> None:
    spec = write(tmp_path, inner__main=f'use "{tmp_path}/outside.eos"', outside="at layer 2: retain 5%")
    assert [problem.code for problem in refused(spec)] == ["E0212"]


@pytest.mark.parametrize("path", ["missing.eos", ".", "", "main.eos/x", "a\tb.eos", "x" * 5000])
def test_what_is_no_file(tmp_path: Path, path: str) -> None:
    (problem,) = refused(write(tmp_path, main=f'use "{path}"\nat layer 2: retain 5%'))
    assert problem.code == "E0210"
    assert problem.span is not None and problem.span.line == 1


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    spec = write(tmp_path, main='use "other.eos"', other="")
    (tmp_path / "other.eos").write_bytes(b"\xff\xfe\x00")
    (problem,) = refused(spec)
    assert problem.code == "E0210" and "UTF-8" in problem.message


def test_mistakes_in_a_used_file_are_reported_there(tmp_path: Path) -> None:
    spec = write(
        tmp_path, main='use "other.eos"\nat layer 2: retain 5%', other="at leyer 2: retain 5%\nat layer 3: retain 0%"
    )
    problems = refused(spec)
    assert [(p.code, p.span.line) for p in problems if p.span is not None] == [("E0103", 1), ("E0340", 2), ("E0342", 2)]
    other = str(tmp_path / "other.eos")
    assert [p.span.file for p in problems if p.span is not None] == [other, other, ""]
    for problem in problems:
        if problem.fix is not None:
            assert all(edit.span.file == str(tmp_path / "other.eos") for edit in problem.fix.edits)


def test_text_has_no_folder() -> None:
    with pytest.raises(SpecError) as caught:
        eosdsl.parse('use "other.eos"\nat layer 2: retain 5%')
    assert [problem.code for problem in caught.value.diagnostics] == ["E0213"]


def test_a_space_takes_in_an_operator(tmp_path: Path) -> None:
    spec = write(
        tmp_path,
        main='space wide\nuse "fixed.eos"\nat any 1 of layers 4..8: retain ? 2%..60%\nminimise task',
        fixed="operator fixed\nat layer 2: retain 50%",
    )
    program = eosdsl.parse(spec)
    assert (program.kind, program.name, len(program.steps)) == ("space", "wide", 2)
