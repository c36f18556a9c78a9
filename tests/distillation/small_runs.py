"""A tiny student and a handful of made-up cases, for runs of a few steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdistill_core.conditions import CONDITIONS, State
from kdistill_core.datasets.cache import PixelCache
from kdistill_core.distillation.augmentation import Augmentation
from kdistill_core.distillation.batches import Collator, DistillationDataset
from kdistill_core.distillation.losses import UncertainPolicy
from kdistill_core.distillation.objective import Objective
from kdistill_core.distillation.run_settings import RunSettings
from kdistill_core.distillation.schedule import Schedule, Stage
from kdistill_core.distillation.targets import TeacherTargets
from kdistill_core.distillation.trainer import DistillationTrainer
from kdistill_core.records import Finding, Patient, Study
from kdistill_core.student.tiny import tiny_student

K = len(CONDITIONS)
POLICIES = (UncertainPolicy.IGNORE,) * K
ALL = {"classification": 5.0, "generation": 1.0, "alignment": 0.3}
HEADS = Stage("heads", 5, 1e-3, {"classification": 1.0})
STATES = (State.POSITIVE, State.NEGATIVE, State.BLANK)


def cases(count: int = 16, *, broken: bool = False) -> DistillationDataset:
    """Return cases with labels of all kinds and texts of unequal length; ``broken`` ones have a label of infinity."""
    rng = np.random.default_rng(0)
    codes = rng.choice(3, size=(count, K), p=[0.3, 0.4, 0.3])
    studies = tuple(
        Study(
            f"patient-{index}",
            Patient(id=str(index)),
            findings=tuple(Finding(condition, STATES[code]) for condition, code in zip(CONDITIONS, row, strict=True)),
        )
        for index, row in enumerate(codes)
    )
    pixels = rng.integers(0, 256, (count, 64, 64)).astype(np.uint8)
    positive = (codes == 0).astype(np.float32)
    texts = tuple((f"There is edema. {'It is large. ' * (index % 3)}{index}",) for index in range(count))
    embeddings = rng.normal(size=(count, 16)).astype(np.float32)
    targets = TeacherTargets(texts, positive, embeddings, np.arange(count) // 2)
    data = DistillationDataset(PixelCache(pixels, studies), targets)
    if broken:
        data._labels[:] = np.inf
    return data


def trainer_for(
    out: Path,
    stages: tuple[Stage, ...],
    settings: RunSettings | None = None,
    *,
    minutes: float | None = None,
    undisturbed: bool = False,
    cases: DistillationDataset | None = None,
    objective: Objective | None = None,
    **more: object,
) -> DistillationTrainer:
    """Return a trainer; ``undisturbed`` without dropout, augmentation, draws and batch statistics."""
    student, processor = tiny_student()
    if undisturbed:
        student.condition_queries.dropout.p = 0.0
    collator = Collator(processor, 32, None if undisturbed else Augmentation(), seed=7)
    return DistillationTrainer(
        student,
        make_cases() if cases is None else cases,
        collator,
        objective or Objective(POLICIES, told_share=1.0 if undisturbed else 0.6),
        Schedule(stages, minutes),
        settings or RunSettings(batch_size=4, log_steps=1, save_steps=100),
        out,
        **more,
    )


make_cases = cases
