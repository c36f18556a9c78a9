"""The calibration that is stored with a student, in the configuration that its own probabilities are computed from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kdistill_core.conditions import Condition
from kdistill_core.evaluation.calibration import Calibration, CalibrationMethod, ConditionCalibration
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.student.configuration import StudentConfig
from kdistill_core.student.loading import CONFIG_FILE


def store_calibration(config: StudentConfig, calibration: Calibration) -> None:
    """Let a student with ``config`` give the probabilities of ``calibration``, matched by name.

    Thresholds are left as they are: they are probabilities, and have to be chosen anew. Raises EvaluationError for a
    condition of the student that was not calibrated.
    """
    fitted = {one.condition: one for one in calibration.conditions}
    missing = [name for name in config.conditions if Condition(name) not in fitted]
    if missing:
        raise EvaluationError(
            f"The calibration lacks {', '.join(missing)}.", "Fit it on logits of every condition of the student."
        )
    lines = [fitted[Condition(name)] for name in config.conditions]
    config.calibration_slope = [line.slope for line in lines]
    config.calibration_intercept = [line.intercept for line in lines]
    config.calibration_method = calibration.method.value
    config.calibration_fitted_on = calibration.fitted_on
    counts = [line.n for line in lines if line.n is not None]
    config.calibration_cases = counts if len(counts) == len(lines) else None


def stored_calibration(config: StudentConfig) -> Calibration:
    """Return the calibration of a student with ``config``.

    A student that does not say how it was calibrated has the line of Platt's method, or none where that line changes
    nothing. Raises EvaluationError for a method that this version does not know.
    """
    slopes, intercepts = config.calibration_slope or (), config.calibration_intercept or ()
    changes = any(slope != 1 for slope in slopes) or any(intercepts)
    implied = CalibrationMethod.PLATT if changes else CalibrationMethod.NONE
    try:
        method = CalibrationMethod(config.calibration_method or implied)
    except ValueError as error:
        raise EvaluationError(
            f"{config.calibration_method!r} is no calibration that this version knows.",
            "Open the model with the version that wrote it, or calibrate it again.",
        ) from error
    cases: Sequence[int | None] = config.calibration_cases or [None] * len(config.conditions)
    lines = zip(config.conditions, slopes, intercepts, cases, strict=True)
    return Calibration(
        method,
        config.calibration_fitted_on,
        tuple(ConditionCalibration(Condition(name), slope, intercept, n) for name, slope, intercept, n in lines),
    )


def save_calibration(folder: Path, calibration: Calibration) -> None:
    """Write ``calibration`` into the configuration of the student in ``folder``. Raises EvaluationError."""
    config = _config_of(folder)
    store_calibration(config, calibration)
    config.save_pretrained(folder)


def load_calibration(folder: Path) -> Calibration:
    """Return the calibration of the student in ``folder``. Raises EvaluationError."""
    return stored_calibration(_config_of(folder))


def _config_of(folder: Path) -> StudentConfig:
    if not (folder / CONFIG_FILE).is_file():
        raise EvaluationError(f"There is no student in {folder}: {CONFIG_FILE} is missing.", "Check the path.")
    config: StudentConfig = StudentConfig.from_pretrained(folder, local_files_only=True)
    return config
