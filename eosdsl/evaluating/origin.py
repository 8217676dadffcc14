"""Where numbers come from: the machine, the versions, the weights."""

from __future__ import annotations

import hashlib
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

DIGITS = 12


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


def preprocessing_digest(source: str) -> str | None:
    """What tells how a model's images and prompts are prepared from other ways; None for a hub id, which tells it."""
    folder = Path(source)
    if not folder.is_dir():
        return None
    digest = hashlib.sha256()
    for pattern in ("*processor_config.json", "tokenizer*.json", "chat_template*"):
        for file in sorted(folder.glob(pattern)):
            digest.update(f"{file.name} {file.stat().st_size}\n".encode())
            digest.update(file.read_bytes())
    return f"sha256 {digest.hexdigest()[:DIGITS]}"


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
