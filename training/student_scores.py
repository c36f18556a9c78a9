"""What a student decides of a prepared set, and one number to select weights by."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from kdistill_core.datasets.cache import PixelCache
from kdistill_core.evaluation.classification import macro_auc, micro_auc
from kdistill_core.student import StudentModel, StudentProcessor
from training.student_data import labels_of

_BATCH = 64


def condition_logits(student: StudentModel, processor: StudentProcessor, cache: PixelCache) -> NDArray[np.float32]:
    """Return the uncalibrated logits float32 [N, 14] of every image of ``cache``."""
    rows = []
    with torch.inference_mode():
        for start in range(0, len(cache), _BATCH):
            pixels = cache.pixels[start : start + _BATCH].astype(np.float32) / np.float32(255)
            encoding = student.encode(processor.pixel_values(pixels).to(student.device))
            rows.append(encoding.condition_logits.float().cpu())  # type: ignore[union-attr] # of an image always there
    return torch.cat(rows).numpy()


def validation_score(
    student: StudentModel, processor: StudentProcessor, sets: dict[str, PixelCache]
) -> tuple[float, dict[str, float]]:
    """Return the mean of micro and macro AUC over the sets, and each of them by name."""
    details: dict[str, float] = {}
    for name, cache in sets.items():
        logits, labels = condition_logits(student, processor, cache), labels_of(cache)
        details[f"{name} micro-AUC"] = micro_auc(logits, labels)
        details[f"{name} macro-AUC"] = macro_auc(logits, labels)
    return float(np.mean(list(details.values()))), details
