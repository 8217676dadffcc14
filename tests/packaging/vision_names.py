"""`pytest -p vision_names`: torchvision beside a PyTorch that its wheel was not built for.

Wheels on PyPI are for PyTorch with CUDA. Beside one without, torchvision's own operators do not load, and it stops
where it registers shapes for them. Processors use its transforms only, which need none of them: known by name, the
operators are as good as there.
"""

from __future__ import annotations

import torch

try:
    import torchvision  # pyright: ignore[reportMissingImports, reportUnusedImport]  # noqa: F401
except RuntimeError:
    NAMES = torch.library.Library("torchvision", "DEF")
    for _name in ("nms", "qnms"):
        NAMES.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
except ImportError:
    pass
