"""Fixtures of the evaluation tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture
def torch_in_float64() -> Iterator[None]:
    """Let torch make float64 tensors by default: torchmetrics counts in the default type, whatever it is given."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)
