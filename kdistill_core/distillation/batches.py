"""What each side of the distillation sees, as a batch.

The student's inputs are pixels; its targets are the teacher's rationale and labels. No word of a report is in a batch,
and nothing in it goes to the teacher, whose answers were taken before (:mod:`kdistill_core.distillation.targets`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from kdistill_core.conditions import STATE_CODES
from kdistill_core.datasets.cache import PixelCache
from kdistill_core.distillation.augmentation import Augmentation, augment, names_a_side
from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.targets import TeacherTargets
from kdistill_core.records import Finding
from kdistill_core.student.processing import StudentProcessor

# What the student receives; everything else in a batch is a target.
STUDENT_INPUTS = frozenset({"pixel_values"})
# The teacher's rationale, fed shifted as causal language models are trained, and the states it asserts.
TEACHER_TARGETS = frozenset(
    {"input_ids", "attention_mask", "labels", "condition_states", "teacher_embeddings", "groups"}
)
LABELS = frozenset({"condition_labels"})


def condition_codes(findings: Sequence[Finding]) -> list[float]:
    """Return one code per finding: 1, 0, -1 (uncertain) or NaN (blank)."""
    codes = (STATE_CODES[finding.state] for finding in findings)
    return [float("nan") if code is None else code for code in codes]


@dataclass(frozen=True, eq=False)
class Example:
    """One training case: pixels uint8 [S, S], labels float32 [K], and what the teacher says of it."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.float32]
    text: str
    states: NDArray[np.float32]
    embedding: NDArray[np.float32]
    group: int


class DistillationDataset(Dataset[Example]):
    """Cases of one prepared set with the teacher's targets; ``variant_seed`` chooses which version of each is told."""

    def __init__(self, cache: PixelCache, targets: TeacherTargets, variant_seed: int = 0) -> None:
        self._cache = cache
        self._targets = targets
        codes = [condition_codes(study.findings) for study in cache.studies]
        self._labels = np.asarray(codes, dtype=np.float32)
        self._variants = np.random.default_rng(variant_seed).integers(1 << 30, size=len(cache))

    def __len__(self) -> int:
        return len(self._cache)

    def __getitem__(self, index: int) -> Example:
        versions = self._targets.texts[index]
        return Example(
            pixels=self._cache.pixels[index],
            labels=self._labels[index],
            text=versions[int(self._variants[index]) % len(versions)],
            states=self._targets.states[index],
            embedding=self._targets.embeddings[index],
            group=int(self._targets.groups[index]),
        )


@dataclass
class Collator:
    """Examples to a batch; ``augmentation`` None leaves the pixels as they are."""

    processor: StudentProcessor
    max_text_length: int
    augmentation: Augmentation | None = None
    seed: int = 0
    _generator: torch.Generator = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._generator = torch.Generator().manual_seed(self.seed)

    def __call__(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Return the batch; its keys are those of ``STUDENT_INPUTS``, ``TEACHER_TARGETS`` and ``LABELS``.

        Raises DistillationError where images are flipped though their text names a side.
        """
        texts = [example.text for example in examples]
        if self.augmentation is not None and self.augmentation.flip and (text := names_a_side(texts)) is not None:
            raise DistillationError(
                f"Images are to be flipped, but their texts name sides: {text!r}.",
                "Set the augmentation's flip to 0, or train on texts without sides.",
            )
        pixels = torch.from_numpy(np.stack([example.pixels for example in examples])).float() / 255
        if self.augmentation is not None:
            pixels = augment(pixels.unsqueeze(1), self.augmentation, self._generator).squeeze(1)
        return {
            "pixel_values": self.processor.pixel_values(pixels.numpy()),
            **self.processor.targets(texts, self.max_text_length),
            "condition_states": torch.from_numpy(np.stack([example.states for example in examples])),
            "teacher_embeddings": torch.from_numpy(np.stack([example.embedding for example in examples])),
            "groups": torch.tensor([example.group for example in examples]),
            "condition_labels": torch.from_numpy(np.stack([example.labels for example in examples])),
        }
