"""One published method a file: its steps in the language, with the parameters of a case."""

from __future__ import annotations

from collections.abc import Callable

from eosdsl.golden.case import Case
from eosdsl.golden.comparing import Check

Method = Callable[[Case], list[Check]]


def method_for(name: str) -> Method | None:
    """The method that a case's `meta` names, by the words of the name; None where there is none."""
    from eosdsl.golden.methods import (
        aim,
        cdpruner,
        dart,
        diffrate,
        divprune,
        grid_pooling,
        pact,
        prumerge,
        sparsevlm,
        tome,
        trim,
        visionzip,
        vispruner,
    )

    table: tuple[tuple[str, Method], ...] = (
        ("pagerank", aim.pagerank),
        ("aim", aim.merge),
        ("cdpruner", cdpruner.run),
        ("dart", dart.run),
        ("diffrate", diffrate.run),
        ("divprune", divprune.run),
        ("average pooling", grid_pooling.run),
        ("pact", pact.run),
        ("prumerge", prumerge.run),
        ("density-peak", sparsevlm.recycle),
        ("sparsevlm", sparsevlm.select),
        ("tome", tome.run),
        ("trim", trim.run),
        ("visionzip", visionzip.run),
        ("vispruner", vispruner.run),
    )
    return next((method for words, method in table if words in name.lower()), None)
