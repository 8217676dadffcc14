"""Where numbers come from: the machine, the versions, the weights."""

from __future__ import annotations

import hashlib
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_HASHED = 512 * 2**20
"""Weights up to so many bytes are hashed; of larger ones the sizes of their files say which they are."""


def origin() -> dict[str, Any]:
    """Machine and versions, as JSON."""
    return {
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: _version(name) for name in ("eosdsl", "torch", "transformers", "numpy", "pillow")},
    }


def model_digest(source: str) -> str:
    """What tells a model's weights from others."""
    folder = Path(source)
    if not folder.is_dir():
        return f"hub: {source}"
    files = sorted([*folder.glob("*.safetensors"), *folder.glob("config.json"), *folder.glob("*processor_config.json")])
    digest = hashlib.sha256()
    small = sum(file.stat().st_size for file in files) <= _HASHED
    for file in files:
        digest.update(f"{file.name} {file.stat().st_size}\n".encode())
        if small:
            digest.update(file.read_bytes())
    return f"sha256 {digest.hexdigest()[:16]}"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
