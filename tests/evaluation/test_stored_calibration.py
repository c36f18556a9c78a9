"""What is stored with a student is what its probabilities are computed from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from kdistill_core.condition_table import ConditionTable
from kdistill_core.conditions import CONDITIONS, Condition
from kdistill_core.evaluation.calibration import Calibration, CalibrationMethod, ConditionCalibration, fit_calibration
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.stored_calibration import (
    load_calibration,
    save_calibration,
    store_calibration,
    stored_calibration,
)
from kdistill_core.student.configuration import tiny_config
from kdistill_core.student.tiny import tiny_student


def fitted(method: CalibrationMethod = CalibrationMethod.PLATT) -> tuple[ConditionTable, Calibration]:
    rng = np.random.default_rng(0)
    ids = tuple(str(case) for case in range(200))
    labels = (rng.random((200, len(CONDITIONS))) < 0.3).astype(float)
    logits = ConditionTable(ids, CONDITIONS, 3 * rng.normal(size=labels.shape) + 3 * labels - 1)
    labels[:5, 0] = float("nan")
    # In another order than the student's.
    turned = logits.select(CONDITIONS[::-1])
    return logits, fit_calibration(turned, ConditionTable(ids, CONDITIONS, labels), method, "made up, validation")


@pytest.mark.parametrize("method", [CalibrationMethod.PLATT, CalibrationMethod.TEMPERATURE])
def test_the_student_gives_the_probabilities_of_the_calibration(method: CalibrationMethod) -> None:
    logits, calibration = fitted(method)
    student = tiny_student()[0]
    store_calibration(student.config, calibration)
    with torch.inference_mode():
        given = student.probabilities(torch.from_numpy(logits.values)).numpy()
    assert given == pytest.approx(calibration.probabilities(logits).select(CONDITIONS).values, abs=1e-12)


def test_it_is_saved_beside_the_model_and_read_back(tmp_path: Path) -> None:
    calibration = fitted()[1]
    tiny_config().save_pretrained(tmp_path)
    save_calibration(tmp_path, calibration)
    read = load_calibration(tmp_path)
    assert (read.method, read.fitted_on) == (CalibrationMethod.PLATT, "made up, validation")
    assert tuple(one.condition for one in read.conditions) == CONDITIONS
    assert set(read.conditions) == set(calibration.conditions)
    counts = {one.condition: one.n for one in read.conditions}
    assert counts[CONDITIONS[0]] == 195
    assert counts[Condition.EDEMA] == 200


def test_a_student_that_does_not_say_how_says_what_its_line_shows() -> None:
    config = tiny_config()
    assert stored_calibration(config).method is CalibrationMethod.NONE
    config.calibration_slope = [0.5] * len(CONDITIONS)
    read = stored_calibration(config)
    assert (read.method, read.fitted_on) == (CalibrationMethod.PLATT, "")
    assert {one.n for one in read.conditions} == {None}
    config.calibration_method = "isotonic"
    with pytest.raises(EvaluationError, match="isotonic"):
        stored_calibration(config)


def test_a_condition_that_was_not_calibrated_is_named() -> None:
    alone = Calibration(CalibrationMethod.PLATT, "", (ConditionCalibration(Condition.EDEMA, 1.0, 0.0, 3),))
    with pytest.raises(EvaluationError, match="lacks Enlarged Cardiomediastinum"):
        store_calibration(tiny_config(), alone)


def test_a_folder_without_a_student_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"config\.json is missing"):
        load_calibration(tmp_path)
