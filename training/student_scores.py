"""What a student decides of a prepared set, and what to select weights by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kdistill_core.datasets.cache import PixelCache
from kdistill_core.distillation.image_reliance import combined, image_reliance
from kdistill_core.evaluation.classification import macro_auc, micro_auc
from kdistill_core.student import StudentModel, StudentProcessor
from training.student_data import labels_of
from training.student_page import RELIANCE

_BATCH = 64
MEAN_AUC = "mean AUC"


def condition_logits(student: StudentModel, processor: StudentProcessor, cache: PixelCache) -> NDArray[np.float32]:
    """Return the uncalibrated logits float32 [N, 14] of every image of ``cache``."""
    rows = []
    with torch.inference_mode():
        for start in range(0, len(cache), _BATCH):
            pixels = cache.pixels[start : start + _BATCH].astype(np.float32) / np.float32(255)
            encoding = student.encode(processor.pixel_values(pixels).to(student.device))
            rows.append(encoding.condition_logits.float().cpu())  # type: ignore[union-attr] # of an image always there
    return torch.cat(rows).numpy()


def validation_scores(
    student: StudentModel, processor: StudentProcessor, sets: Mapping[str, PixelCache]
) -> dict[str, float]:
    """Return micro and macro AUC of each set by name, and their mean."""
    scores: dict[str, float] = {}
    for name, cache in sets.items():
        logits, labels = condition_logits(student, processor, cache), labels_of(cache)
        scores[f"{name} micro-AUC"] = micro_auc(logits, labels)
        scores[f"{name} macro-AUC"] = macro_auc(logits, labels)
    return {MEAN_AUC: float(np.mean(list(scores.values()))), **scores}


def text_scores(student: StudentModel, batches: Sequence[Mapping[str, Tensor]]) -> dict[str, float]:
    """Return the loss of the teacher's text of validation cases, in nats a token, and how far it relies on the image.

    The student writes from its own decisions, as at inference; see :mod:`kdistill_core.distillation.image_reliance`.
    """
    placed = ({name: value.to(student.device) for name, value in batch.items()} for batch in batches)
    measured = combined([image_reliance(student, batch) for batch in placed])
    return {"text loss": measured.right, RELIANCE: measured.difference}
