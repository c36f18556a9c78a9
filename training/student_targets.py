"""What the teacher is asked of the cases that a student is trained and measured on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from kdistill_core.datasets.cache import PixelCache
from kdistill_core.distillation.concepts import concept_labels, concepts_of
from kdistill_core.distillation.objective import ALIGNMENT, CONCEPT
from kdistill_core.distillation.stored_rationales import StoredRationales, share_stored, stored_answer
from kdistill_core.distillation.targets import Question, TeacherTargets, answered_targets, told
from kdistill_core.teacher.embedding import StoredEmbeddings, TeacherEmbedder
from kdistill_core.teacher.entries import LibraryEntry
from kdistill_core.teacher.knowledge import load_knowledge
from kdistill_core.teacher.library import RationaleLibrary
from training.student_settings import TrainerSettings


class Asking:
    """The teacher, and what is asked of it for the cases of several sets.

    stores: by set, where its rationales were written already; the library answers for the others.
    """

    def __init__(
        self,
        library: RationaleLibrary,
        embeddings: Path | None,
        training: TrainerSettings,
        stores: Mapping[str, Path] | None = None,
    ) -> None:
        self._library = library
        self._stores = stores or {}
        self._variants = training.variants
        self._concepts = concepts_of(load_knowledge()) if training.weighs(CONCEPT) else ()
        stored = StoredEmbeddings.load(embeddings) if training.weighs(ALIGNMENT) else None
        self._by_condition = bool(training.alignment.condition_weight)
        self._embed = None if stored is None else TeacherEmbedder(stored=stored)

    def targets(self, sets: dict[str, PixelCache]) -> dict[str, TeacherTargets]:
        """Return the teacher's targets by set; asked for all sets at once, so that equal questions share a group.

        Says of each store how much of what is asked it holds. Signs as targets are those of the library. Raises
        RationaleStoreError, DistillationError and LibraryError.
        """
        questions: list[Question] = []
        entries: dict[str, LibraryEntry] = {}
        for name, cache in sets.items():
            if name in self._stores:
                written = StoredRationales.load(self._stores[name], {study.id for study in cache.studies})
                entries |= written.entries
                asked = [written.question(study.id, study.findings, self._library) for study in cache.studies]
                self._say_how_much(name, asked)
                questions += asked
            else:
                questions += [Question(told(study.findings)) for study in cache.studies]
        answer = partial(stored_answer, entries=entries, library=self._library, variants=self._variants)
        everything = answered_targets(questions, answer, self._embed, by_condition=self._by_condition)
        if self._concepts:
            cases = [study.findings for cache in sets.values() for study in cache.studies]
            labels = concept_labels(cases, self._concepts, self._library, self._variants)
            everything = replace(everything, concepts=labels)
        ends = np.cumsum([len(cache) for cache in sets.values()]).tolist()
        starts = [0, *ends[:-1]]
        return {name: everything.part(start, end) for name, start, end in zip(sets, starts, ends, strict=True)}

    def _say_how_much(self, name: str, questions: Sequence[Question]) -> None:
        spoken, stored = share_stored(questions, self._library)
        print(
            f"{name}: of {spoken} findings spoken of, {stored} have a rationale in {self._stores[name]}; "
            "the library has the others",
            flush=True,
        )
