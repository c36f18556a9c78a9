"""From the best weights of a run to a checkpoint: calibrated, measured, described, installed."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from kdistill_core.condition_table import ConditionTable
from kdistill_core.conditions import CONDITIONS
from kdistill_core.datasets.cache import PixelCache
from kdistill_core.distillation.validation import BEST
from kdistill_core.evaluation.calibration import CalibrationMethod, fit_calibration
from kdistill_core.evaluation.label_counts import count_labels, write_label_counts
from kdistill_core.evaluation.stored_calibration import store_calibration
from kdistill_core.evaluation.thresholds import HeldOut, choose_thresholds
from kdistill_core.student import StudentModel, StudentProcessor
from kdistill_core.student.loading import load_student
from training.evaluate_student import evaluate_student
from training.student_data import DataSettings, judged_labels
from training.student_scores import condition_logits

MODEL = "model"


def finish_student(
    out: Path,
    data: DataSettings,
    train: dict[str, PixelCache],
    validation: dict[str, PixelCache],
    install: Path | None,
    note: str = "",
) -> Path:
    """Calibrate the best weights of the run in ``out``, measure and describe them; return where they lie in the end.

    note: what the card says beside its scores.
    """
    best, processor = load_student(out / BEST)
    _calibrate(best, processor, data, validation)
    best.save_pretrained(out / MODEL)
    processor.save_pretrained(out / MODEL)
    counted = {name: count_labels(study.findings for study in cache.studies) for name, cache in train.items()}
    write_label_counts(out / MODEL, counted)
    command = shlex.join(["python", "-m", "training.student", *sys.argv[1:]])
    evaluate_student(out / MODEL, data, command=command, note=note)
    if install is not None:
        _install(out / MODEL, install)
    return install or out / MODEL


def _calibrate(
    student: StudentModel, processor: StudentProcessor, data: DataSettings, validation: dict[str, PixelCache]
) -> None:
    """Fit the probabilities and choose the thresholds of ``student`` on the validation cases."""
    logits = {name: condition_logits(student, processor, cache) for name, cache in validation.items()}
    labels = {name: judged_labels(data, name, cache) for name, cache in validation.items()}
    pooled, truth = np.concatenate(list(logits.values())), np.concatenate(list(labels.values()))
    ids = tuple(f"{name} {row}" for name, of_set in labels.items() for row in range(len(of_set)))
    calibration = fit_calibration(
        ConditionTable(ids, CONDITIONS, pooled.astype(np.float64)),
        ConditionTable(ids, CONDITIONS, truth.astype(np.float64)),
        CalibrationMethod.PLATT,
        f"{' and '.join(validation)}, validation",
    )
    store_calibration(student.config, calibration)

    def probabilities(of: NDArray[np.float32]) -> NDArray[np.floating]:
        return student.probabilities(torch.from_numpy(of)).numpy()

    held = [HeldOut(probabilities(logits[name]), labels[name]) for name in validation]
    student.config.thresholds = choose_thresholds(held).tolist()


def _install(finished: Path, destination: Path) -> None:
    """Put the finished model where it belongs, all of it or nothing."""
    arriving = destination.with_name(destination.name + ".arriving")
    shutil.rmtree(arriving, ignore_errors=True)
    shutil.copytree(finished, arriving)
    shutil.rmtree(destination, ignore_errors=True)
    arriving.replace(destination)
