"""A student that provably sees one thing: bright blobs, where they are."""

import numpy as np
import pytest
import torch
from torch import nn

from kdistill_core.records import ImageSource, Radiograph
from kdistill_core.student.tiny import tiny_student

CELL = 4  # pixels of the model's input per cell of its feature map


class BlobVision(nn.Module):
    """Channel 0 of the map is how far a cell is brighter than mid-gray; every other channel is zero."""

    def __init__(self, width):
        super().__init__()
        self.width = width
        self.fuse = nn.ReLU()

    def forward(self, pixel_values):
        brightness = nn.functional.avg_pool2d(pixel_values, CELL)
        return self.fuse(nn.functional.pad(brightness, (0, 0, 0, 0, 0, self.width - 1)))


class BlobQueries(nn.Module):
    """Every condition's logit is the mean of channel 0, its attention is channel 0 made to sum to one."""

    def __init__(self, count):
        super().__init__()
        self.count = count

    def forward(self, feature_map):
        seen = feature_map[:, 0]
        attention = seen / seen.sum((-1, -2), keepdim=True).clamp(min=1e-6)
        embeddings = feature_map.mean((-1, -2)).unsqueeze(1).expand(-1, self.count, -1)
        logits = seen.mean((-1, -2)).unsqueeze(1).expand(-1, self.count)
        return embeddings, logits, attention.unsqueeze(1).expand(-1, self.count, -1, -1)


@pytest.fixture
def blob_student():
    """Model and processor of a student whose eye is replaced; its language model has random weights."""
    model, processor = tiny_student()
    model.vision = BlobVision(model.config.feature_size)
    model.condition_queries = BlobQueries(len(model.config.conditions))
    return model.eval(), processor


@pytest.fixture(scope="session")
def random_student():
    return tiny_student()


def radiograph_with_blob(rows, columns, center, radius):
    """A dark picture with one bright disk at ``center`` (x, y)."""
    y, x = np.mgrid[:rows, :columns]
    inside = (x - center[0]) ** 2 + (y - center[1]) ** 2 <= radius**2
    # Values from 0 to 4095 with a ramp in the background, as a flat one has no percentiles to speak of.
    pixels = np.where(inside, 4000.0, 200.0 * (x + y) / (rows + columns)).astype(np.float32)
    return Radiograph(pixels, ImageSource("blob"), sha256="0" * 64, bits_stored=12)


@pytest.fixture
def make_blob():
    return radiograph_with_blob


@pytest.fixture
def pixel_values():
    generator = torch.Generator().manual_seed(3)
    return torch.randn(1, 1, 64, 64, generator=generator)
