"""Measure a student on held-out cases and write its scores and its model card into its folder.

    python -m training.evaluate_student --config training/configs/student-evaluation.yaml

The cases are the prepared ones of its training, phantoms and real radiographs apart; they are scored as by
`kdistill evaluate`, with the same baselines, against the labels of each set.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from jsonargparse import auto_cli
from numpy.typing import NDArray

from kdistill_core.condition_table import ConditionTable
from kdistill_core.conditions import CONDITIONS
from kdistill_core.datasets import Split
from kdistill_core.datasets.cache import PixelCache
from kdistill_core.evaluation.baselines import best_constant_text
from kdistill_core.evaluation.cases import Case, CaseSet
from kdistill_core.evaluation.evaluating import Prior, ScoringSettings, gather, score
from kdistill_core.evaluation.generation_scores import TEXT_F1
from kdistill_core.evaluation.label_counts import LabelCounts, read_label_counts
from kdistill_core.evaluation.predictions import Predictions
from kdistill_core.evaluation.result import Thresholds
from kdistill_core.evaluation.running import PlacedStudent, ask_student, place_student
from kdistill_core.evaluation.scores import Section, Unit
from kdistill_core.evaluation.summary import interval_text, main_scores, number_text
from kdistill_core.labeling.labelers import RuleLabeler
from kdistill_core.records import Study
from kdistill_core.serialization import to_json
from training.student_card import Metrics, SetMetrics, write_card
from training.student_data import DataSettings, prepare

METRICS_FILE = "metrics.json"
_BATCH = 64
_EXAMPLES = 3


def evaluate_student(
    model: Path,
    data: DataSettings,
    resamples: int = 1000,
    seed: int = 0,
    command: str | None = None,
    note: str = "",
) -> None:
    """Measure the student in the folder ``model`` on the test split and write metrics.json and README.md there.

    command: what made the checkpoint, for the card; by default this command. note: for the card as well.
    """
    student = place_student(model, torch.device("cpu"))
    trained = read_label_counts(model)
    sets = []
    for name, cache in prepare(data, Split.TEST, student.processor.image_size).items():
        print(f"measuring on {len(cache)} cases: {name}", flush=True)
        sets.append(_measure(name, student, cache, trained[name], resamples, seed))
    made_by = command or shlex.join(["python", "-m", "training.evaluate_student", *sys.argv[1:]])
    metrics = Metrics(student.provenance.weights_sha256, made_by, tuple(sets), note)
    (model / METRICS_FILE).write_bytes(to_json(metrics) + b"\n")
    write_card(model, metrics, data)
    for measured in metrics.sets:
        for one in main_scores(measured.scores):
            shown = f"{number_text(one.value)} [{interval_text(one.interval)}]"
            print(f"{measured.name}: {one.metric}, {one.scope}, {one.convention or 'labels'}: {shown}", flush=True)


def _measure(
    name: str, student: PlacedStudent, cache: PixelCache, trained: LabelCounts, resamples: int, seed: int
) -> SetMetrics:
    cases = [Case(_case_id(study), study.id, study.patient.id, study.images, study.findings) for study in cache.studies]
    said = [one for ids, pixels in _batches(cache) for one in ask_student(student, ids, pixels)]
    ids = tuple(case.id for case in cases)
    # Never labeled in training means that the data set does not know the condition.
    known = tuple(condition for condition in CONDITIONS if trained[condition].known)
    values = np.asarray([one.probabilities for one in said], dtype=np.float64)
    probabilities = ConditionTable(ids, tuple(student.thresholds), values).select(known)
    predictions = Predictions(ids, probabilities, tuple(one.report for one in said))
    labeler = RuleLabeler()
    scored = score(
        gather(CaseSet(Unit.IMAGE, tuple(cases)), predictions, labeler, Section.LABELS),
        ScoringSettings(Section.LABELS, resamples, seed, (TEXT_F1,)),
        thresholds=Thresholds("those stored with the model", "chosen on validation cases", student.thresholds),
        prior=Prior(trained, "those of its training"),
        labeler=f"{labeler.name} {labeler.version}",
    )
    constant = best_constant_text(trained)
    return SetMetrics(
        name=name,
        images=len(cases),
        patients=len({case.patient for case in cases}),
        conditions=known,
        constant_text=" + ".join(condition for condition in CONDITIONS if condition in constant),
        scores=scored.scores,
        examples=tuple(dict.fromkeys(one.report for one in said))[:_EXAMPLES],
    )


def _case_id(study: Study) -> str:
    """Return the id of a case: its image's, since a study may have several, and the study's own of a phantom."""
    return study.images[0].id if study.images else study.id


def _batches(cache: PixelCache) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
    for start in range(0, len(cache), _BATCH):
        ids = [_case_id(study) for study in cache.studies[start : start + _BATCH]]
        yield ids, cache.pixels[start : start + _BATCH].astype(np.float32) / np.float32(255)


if __name__ == "__main__":
    auto_cli(evaluate_student, as_positional=False)
