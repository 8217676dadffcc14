"""Lowering tests run as inference does."""

from __future__ import annotations

from collections.abc import Generator

import pytest
import torch


@pytest.fixture(autouse=True)
def no_grad() -> Generator[None]:
    with torch.no_grad():
        yield
