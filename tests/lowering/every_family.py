"""All families that are under the laws."""

from __future__ import annotations

import pytest
from families import QWEN_FAMILIES
from families_gemma import GEMMA_FAMILIES
from families_llava import LLAVA_FAMILIES
from families_tiled import TILED_FAMILIES

FAMILIES = {**LLAVA_FAMILIES, **QWEN_FAMILIES, **TILED_FAMILIES, **GEMMA_FAMILIES}
every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())
