"""What a student says of a prepared set, and one number to select weights by."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kdistill_core.datasets.cache import PixelCache
from kdistill_core.evaluation.classification import macro_auc, micro_auc
from kdistill_core.student import StudentModel, StudentProcessor
from kdistill_core.student.modeling import ImageEncoding
from training.student_data import labels_of

LONGEST_TEXT = 320
_BATCH = 64


def condition_logits(student: StudentModel, processor: StudentProcessor, cache: PixelCache) -> NDArray[np.float32]:
    """Return the uncalibrated logits float32 [N, 14] of every image of ``cache``."""
    with torch.inference_mode():
        rows = [encoding.condition_logits.float().cpu() for encoding in _encodings(student, processor, cache)]  # type: ignore[union-attr]
    return torch.cat(rows).numpy()


def rationales(student: StudentModel, processor: StudentProcessor, cache: PixelCache) -> list[str]:
    """Return the text that ``student`` writes of every image of ``cache``, decoded greedily."""
    texts: list[str] = []
    with torch.inference_mode():
        for encoding in _encodings(student, processor, cache):
            ids = student.generate(  # type: ignore[misc] # its annotation names a protocol that no model fulfills
                prefix_embeds=student.prefix(encoding), max_new_tokens=LONGEST_TEXT, do_sample=False
            )
            texts += processor.tokenizer.batch_decode(ids, skip_special_tokens=True)
    return texts


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


def _encodings(student: StudentModel, processor: StudentProcessor, cache: PixelCache) -> Iterator[ImageEncoding]:
    for start in range(0, len(cache), _BATCH):
        pixels = cache.pixels[start : start + _BATCH].astype(np.float32) / np.float32(255)
        values: Tensor = processor.pixel_values(pixels).to(student.device)
        yield student.encode(values)
