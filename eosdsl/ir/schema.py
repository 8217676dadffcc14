"""JSON Schema of the program format. `python -m eosdsl.ir.schema docs/schema` writes what is committed there."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from eosdsl.ir.serde import Document

FILE = "program.schema.json"


def program_schema() -> dict[str, Any]:
    """The schema of `{"eos_ir": 1, "program": …}`, keys in a stable order."""
    schema = Document.model_json_schema(mode="validation")
    schema["required"] = ["eos_ir", "program"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def schema_text() -> str:
    """The schema as the committed file has it."""
    return json.dumps(program_schema(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    (Path(sys.argv[1]) / FILE).write_text(schema_text(), encoding="utf-8")
