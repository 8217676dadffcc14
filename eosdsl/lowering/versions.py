"""Which versions of transformers operators are compiled for. `make versions` runs a part of the tests on both ends."""

from __future__ import annotations

import re

from eosdsl.lowering.refusals import refuse

OLDEST = "5.18.0"
"""The first whose models take visual features by `mm_encoder_outputs`, the one door by which they come in here."""
NEWEST = "5.24.0"
"""The newest on which the tests pass. Later ones below 6 are taken, too, untried."""
BELOW = "6"


def refuse_version() -> None:
    """Raise SpecError (E0456) where the installed transformers is one that operators are not compiled for."""
    import transformers

    version = transformers.__version__
    if not _numbers(OLDEST) <= _numbers(version) < _numbers(BELOW):
        refuse(
            "E0456",
            f"transformers {version} is not supported: operators are compiled for {OLDEST} and later, below {BELOW}",
            f'pip install "transformers>={OLDEST},<{BELOW}"',
        )


def _numbers(version: str) -> tuple[int, ...]:
    """The release's numbers, without what follows them (`.dev0`, `rc1`)."""
    release = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, release.group().split("."))) if release else ()
