"""What the arms of one noise level and seed have in common: cases, tokenizer, teacher, soft labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from kdistill_core.datasets import Split
from kdistill_core.distillation.attributes import attributes_of
from kdistill_core.distillation.batches import Collator
from kdistill_core.distillation.image_reliance import combined, image_reliance
from kdistill_core.evaluation.classification import micro_auc
from kdistill_core.student import StudentModel, StudentProcessor
from kdistill_core.student.tokenizer import train_tokenizer
from kdistill_core.teacher.embedding import StoredEmbeddings, TeacherEmbedder
from kdistill_core.teacher.knowledge import load_knowledge
from kdistill_core.teacher.library import RationaleLibrary
from training.experiment.arms import Arm, Labels
from training.experiment.cases import ExperimentCases, as_array, held_out_cases, training_cases
from training.experiment.decoding import condition_logits
from training.experiment.examples import ArmExamples
from training.experiment.fitting import Validate, new_student
from training.experiment.reports import ReportStore
from training.experiment.settings import ExperimentSettings, Noise
from training.experiment.targets import TeacherHelp, arm_targets, report_texts

# Validation cases whose texts are measured for the curves.
_CURVE_CASES = 96
AUC, TEXT_LOSS, RELIANCE = "micro AUC", "text loss", "image reliance"


@dataclass(frozen=True, eq=False)
class Materials:
    """processor: with the tokenizer of all arms. validation: cases with reports, which the curves alone read."""

    training: ExperimentCases
    validation: ExperimentCases
    processor: StudentProcessor
    teacher: TeacherHelp

    def new_student(self, settings: ExperimentSettings, seed: int) -> StudentModel:
        """Return the untrained student of every arm, with heads for all that a teacher gives."""
        concepts = [attribute.name for attribute in self.teacher.attributes]
        return new_student(settings, self.processor, seed, _embedder().dimensions, concepts)


def materials(settings: ExperimentSettings, noise: Noise, seed: int, folder: Path) -> Materials:
    """Return what the runs of a noise level and seed share; tokenizer and what is read are kept in ``folder``.

    The tokenizer knows the library's sentences and the reports' alike, so that neither side writes in longer tokens.
    """
    size = settings.student.image_size
    reports = ReportStore(noise, folder / "reports")
    training = training_cases(settings.cases, size, seed, reports)
    library = _library()
    kept = folder / "processor"
    if (kept / "tokenizer.json").is_file():
        processor = StudentProcessor.from_pretrained(kept, local_files_only=True)
    else:
        tokenizer = train_tokenizer([*library.texts(), *report_texts(training)], settings.student.vocabulary)
        processor = StudentProcessor(tokenizer, image_size=size)
        processor.save_pretrained(kept)
    teacher = TeacherHelp(
        library,
        _embedder(),
        processor.tokenizer,
        settings.variants,
        settings.labels.told_from,
        attributes_of(load_knowledge()),
    )
    validation = held_out_cases(settings.cases, size, Split.VALIDATION, reports)
    return Materials(training, validation, processor, teacher)


def curve_scores(arm: Arm, shared: Materials, settings: ExperimentSettings, *, texts: bool) -> Validate:
    """Return what is measured of a student between its steps: AUC against gold labels, and of its own target texts.

    texts: whether it learns texts yet. Nothing is chosen by these.
    """
    gold = as_array(shared.validation)
    cases = shared.validation.part(np.arange(min(_CURVE_CASES, len(shared.validation))))
    # What soft labels would add is known of training cases only.
    as_read = (
        replace(arm, labels=Labels.READ, tokens=False) if arm.labels is Labels.SOFT else replace(arm, tokens=False)
    )
    examples = ArmExamples(cases, arm_targets(as_read, cases, shared.teacher, None), versions=1)
    collate, size = Collator(shared.processor, settings.student.text_length), settings.budget.batch_size
    places = range(0, len(examples), size)
    batches = [collate([examples[at] for at in range(start, min(start + size, len(examples)))]) for start in places]

    def measure(student: StudentModel) -> dict[str, float]:
        scores: dict[str, float] = {}
        if arm.has_heads:
            logits = condition_logits(student, shared.processor, shared.validation.pixels)
            scores[AUC] = micro_auc(logits, gold)
        if texts:
            placed = ({name: value.to(student.device) for name, value in batch.items()} for batch in batches)
            said = combined([image_reliance(student, batch) for batch in placed])
            scores |= {TEXT_LOSS: said.right, RELIANCE: said.difference}
        return scores

    return measure


@cache
def _library() -> RationaleLibrary:
    return RationaleLibrary.load()


@cache
def _embedder() -> TeacherEmbedder:
    return TeacherEmbedder(stored=StoredEmbeddings.load())
