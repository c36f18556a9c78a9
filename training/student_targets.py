"""What the teacher is asked of the cases that a student is trained and measured on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from kdistill_core.datasets.cache import PixelCache
from kdistill_core.distillation.concepts import concept_labels, concepts_of
from kdistill_core.distillation.objective import ALIGNMENT, CONCEPT
from kdistill_core.distillation.targets import TeacherTargets, teacher_targets
from kdistill_core.teacher.embedding import StoredEmbeddings, TeacherEmbedder
from kdistill_core.teacher.knowledge import load_knowledge
from kdistill_core.teacher.library import RationaleLibrary
from training.student_settings import TrainerSettings


class Asking:
    """The teacher, and what is asked of it for the cases of several sets."""

    def __init__(self, library: RationaleLibrary, embeddings: Path | None, training: TrainerSettings) -> None:
        self._library = library
        self._variants = training.variants
        self._concepts = concepts_of(load_knowledge()) if training.weighs(CONCEPT) else ()
        stored = StoredEmbeddings.load(embeddings) if training.weighs(ALIGNMENT) else None
        self._embed = None if stored is None else TeacherEmbedder(stored=stored)

    def targets(self, sets: dict[str, PixelCache]) -> dict[str, TeacherTargets]:
        """Return the teacher's targets by set; asked for all sets at once, so that equal findings share a group."""
        cases = [study.findings for cache in sets.values() for study in cache.studies]
        everything = teacher_targets(cases, self._library, self._embed, self._variants)
        if self._concepts:
            labels = concept_labels(cases, self._concepts, self._library, self._variants)
            everything = replace(everything, concepts=labels)
        ends = np.cumsum([len(cache) for cache in sets.values()]).tolist()
        starts = [0, *ends[:-1]]
        return {name: everything.part(start, end) for name, start, end in zip(sets, starts, ends, strict=True)}
