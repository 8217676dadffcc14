"""A genome: one value for every decision point of a space. It replays a member, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eosdsl.diagnostics import Diagnostic, SpecError, error

VERSION = 1

Gene = bool | int | float | str

CODES = {
    "E0616": """This is not a genome.

    A genome is JSON, `{"eos_genome": 1, "space": NAME, "values": {ID: VALUE, …}}`, with one value for each decision
    point of its space: true or false for a gate, a number, or the text of a choice. `eosdsl sample --json` writes some.
    """,
    "E0617": """The genome was written by another version of the format.

    The number after `eos_genome` names the format; this release reads 1. Sample or search again with this release.
    """,
}


@dataclass(frozen=True)
class Genome:
    """Values by the id of their decision point: gate bool, fraction, weight and real float, count int, choice the text
    of what is chosen. `space`: the name of the space.
    """

    space: str
    values: Mapping[str, Gene]

    def __getitem__(self, point: str) -> Gene:
        return self.values[point]

    def to_json(self, indent: int | None = None) -> str:
        """As JSON; `from_json` gives an equal genome."""
        document = {"eos_genome": VERSION, "space": self.space, "values": dict(self.values)}
        return json.dumps(document, indent=indent, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Genome:
        """The genome of a JSON text. Raises SpecError (E0616, E0617)."""
        try:
            document: Any = json.loads(text)
        except (ValueError, RecursionError) as problem:
            raise SpecError([_no_genome(f"it is not JSON: {problem}")]) from problem
        if not isinstance(document, dict) or "eos_genome" not in document:
            raise SpecError([_no_genome('the key "eos_genome" is missing')])
        version: object = document["eos_genome"]
        if version is True or version != VERSION:
            message = f"the genome is in format {version!r}, this release reads {VERSION}"
            raise SpecError([error("E0617", message)])
        space, values = document.get("space"), document.get("values")
        if not isinstance(space, str) or not isinstance(values, dict):
            raise SpecError([_no_genome("`space` is a name and `values` holds a value for every decision point")])
        odd = [key for key, value in values.items() if not isinstance(value, bool | int | float | str)]
        if odd:
            raise SpecError([_no_genome(f"the value of {odd[0]} is neither a number nor a text nor true or false")])
        return cls(space, {str(key): value for key, value in values.items()})


def _no_genome(reason: str) -> Diagnostic:
    return error("E0616", f"not a genome: {reason}")
