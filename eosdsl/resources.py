"""Files that ship with the package: the grammar and the specs, from a wheel or from a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource(kind: str) -> Path:
    """The folder `grammar` or `specs`: inside an installed wheel, else beside the package in a checkout."""
    installed = _PACKAGE / "_resources" / kind
    return installed if installed.is_dir() else _PACKAGE.parent / kind
