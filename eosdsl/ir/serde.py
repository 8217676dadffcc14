"""Programs as versioned JSON: `{"eos_ir": 1, "program": {…}}`.

Ratios are exact strings (`"1/4"`), spans are left out unless asked for, absent values are left out. What is loaded is
equal to what was dumped: load(dump(p)) == p.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from eosdsl.diagnostics import Diagnostic, SpecError, error
from eosdsl.ir.nodes import DiscreteProgram, Program, RelaxedProgram

VERSION = 1

CODES = {
    "E0610": """This is not a program as JSON.

    `eosdsl ir` writes `{"eos_ir": 1, "program": …}`, described by `docs/schema/program.schema.json`; the message says
    which value is amiss. `eosdsl ir SPEC` writes a right one.
    """,
    "E0611": """The JSON was written by another version of the program format.

    The number after `eos_ir` names the format; this release reads 1. Write the JSON again from the spec, with the
    release that is to read it.
    """,
}


class Document(BaseModel):
    """A program with the version of its format."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="eos program")

    eos_ir: Literal[1] = VERSION
    program: Program


def dump_program(program: DiscreteProgram | RelaxedProgram, *, spans: bool = False, indent: int | None = 2) -> str:
    """The program as JSON text; `spans` keeps where each node was written."""
    document = Document(program=program).model_dump(mode="json", exclude_none=True)
    return json.dumps(document if spans else _without_spans(document), indent=indent, ensure_ascii=False)


def load_program(text: str) -> DiscreteProgram | RelaxedProgram:
    """The program of a JSON text. Raises SpecError (E0610, E0611)."""
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise SpecError([_not_a_program(f"it is not JSON: {problem}")]) from problem
    _check_version(document)
    try:
        return Document.model_validate(document).program
    except ValidationError as problem:
        raise SpecError([_invalid(row) for row in problem.errors()]) from problem
    except RecursionError as problem:
        raise SpecError([_not_a_program("it is nested too deeply")]) from problem


def _check_version(document: Any) -> None:
    if not isinstance(document, dict) or "eos_ir" not in document:
        raise SpecError([_not_a_program('the key "eos_ir" is missing')])
    version: object = document["eos_ir"]
    if version is True or version != VERSION:
        message = f"the program is in format {version!r}, this release reads {VERSION}"
        raise SpecError([error("E0611", message, helps=("write it again with `eosdsl ir SPEC`",))])


def _invalid(row: Any) -> Diagnostic:
    place = ".".join(str(part) for part in row["loc"])
    return _not_a_program(f"at {place}: {row['msg'][:1].lower()}{row['msg'][1:]}" if place else row["msg"])


def _not_a_program(reason: str) -> Diagnostic:
    return error("E0610", f"not a program as JSON: {reason}", helps=("`eosdsl ir SPEC` writes one",))


def _without_spans(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_spans(inner) for key, inner in value.items() if key != "span"}
    if isinstance(value, list):
        return [_without_spans(inner) for inner in value]
    return value
