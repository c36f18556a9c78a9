"""What a finished student says of the held-out cases: probabilities and texts, with all that was chosen on validation.

Thresholds, calibration and decoder are chosen on the validation cases, whose labels are gold, as CheXpert's are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from kdistill_core.condition_table import ConditionTable
from kdistill_core.conditions import CONDITIONS
from kdistill_core.datasets.cache import Pixels
from kdistill_core.evaluation.calibration import Calibration, CalibrationMethod, fit_calibration
from kdistill_core.evaluation.classification import macro_auc, micro_auc
from kdistill_core.evaluation.stored_calibration import store_calibration
from kdistill_core.evaluation.thresholds import HeldOut, choose_thresholds
from kdistill_core.student import StudentModel, StudentProcessor
from training.experiment.arms import Arm
from training.experiment.cases import ExperimentCases
from training.experiment.decoding import (
    BEAMS,
    GREEDY,
    Drawn,
    choose_decoder,
    condition_logits,
    write_texts,
)
from training.experiment.folders import read_json, write_json

PREDICTIONS, ANSWERS = "predictions.npz", "answers.json"


@dataclass(frozen=True)
class Chosen:
    """What was chosen on the validation cases. decoder_scores: mean of micro and macro text F1 of each decoder.

    micro_auc, macro_auc, text_score: on the validation cases, by which an arm is tuned.
    """

    decoder: str
    decoder_scores: dict[str, float]
    thresholds: tuple[float, ...]
    micro_auc: float
    macro_auc: float
    text_score: float

    @property
    def tuning_score(self) -> float:
        """Mean of text score and micro AUC, the two that the comparisons are about."""
        return (self.text_score + self.micro_auc) / 2


@dataclass(frozen=True, eq=False)
class Answers:
    """ids: of the cases. probabilities: float32 [N, K], calibrated; thresholds: [K] of them. texts: one a case."""

    ids: tuple[str, ...]
    probabilities: NDArray[np.float32]
    thresholds: tuple[float, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True)
class _Written:
    chosen: Chosen
    validation_texts: tuple[str, ...]
    validation_ids: tuple[str, ...]
    test_texts: tuple[str, ...] = ()
    test_ids: tuple[str, ...] = ()


def answer(
    arm: Arm,
    student: StudentModel,
    processor: StudentProcessor,
    validation: ExperimentCases,
    test: ExperimentCases | None,
    samples: int,
    seed: int,
    folder: Path,
    *,
    beams: bool,
) -> Chosen:
    """Let ``student`` answer the validation cases, choose, answer the test cases, and write all of it to ``folder``.

    test: None while an arm is tuned, so that no choice can follow from test cases. beams: whether the most likely text
    is searched for as well. An arm without a classifier has the share of its drawn texts that assert a condition for a
    probability.
    """
    gold = validation.truth_table
    wanted = (GREEDY, BEAMS) if beams else (GREEDY,)
    drawn: Drawn | None = None
    if arm.has_heads:
        logits = condition_logits(student, processor, validation.pixels)
    else:
        drawn = write_texts(student, processor, validation.pixels, wanted, samples, seed)
        logits = logit(drawn.shares).astype(np.float32)
    calibration = fit_calibration(
        _table(validation, logits), gold, CalibrationMethod.PLATT, "validation cases of the experiment"
    )
    probabilities = calibration.probabilities(_table(validation, logits)).values
    thresholds = choose_thresholds([HeldOut(probabilities, gold.values)])
    if arm.has_heads:
        store_calibration(student.config, calibration)
        student.config.thresholds = thresholds.tolist()
        drawn = write_texts(student, processor, validation.pixels, wanted, samples, seed)
    assert drawn is not None  # noqa: S101 - by one of the two ways above
    decoder, scores = choose_decoder(drawn, gold.values)
    chosen = Chosen(
        decoder,
        scores,
        tuple(thresholds.tolist()),
        micro_auc(probabilities, gold.values),
        macro_auc(probabilities, gold.values),
        scores[decoder],
    )
    arrays = {"validation_probabilities": probabilities.astype(np.float32)}
    written = _Written(chosen, drawn.texts(decoder), validation.ids)
    if test is not None:
        texts, found = _of_test(arm, student, processor, test.pixels, calibration, decoder, samples, seed)
        arrays["test_probabilities"] = found
        written = _Written(chosen, written.validation_texts, validation.ids, texts, test.ids)
    np.savez(folder / PREDICTIONS, **arrays)  # type: ignore[arg-type] # its stubs take no keyword arrays
    write_json(folder / ANSWERS, msgspec.to_builtins(written))
    return chosen


def read_chosen(folder: Path) -> Chosen:
    """Return what was chosen of the run in ``folder``. Raises ExperimentError."""
    return msgspec.convert(read_json(folder / ANSWERS)["chosen"], Chosen)


def read_answers(folder: Path) -> Answers:
    """Return the answers on test cases of the run in ``folder``. Raises ExperimentError."""
    written = read_json(folder / ANSWERS)
    with np.load(folder / PREDICTIONS) as arrays:
        probabilities = arrays["test_probabilities"]
    thresholds = tuple(written["chosen"]["thresholds"])
    return Answers(tuple(written["test_ids"]), probabilities, thresholds, tuple(written["test_texts"]))


def _of_test(
    arm: Arm,
    student: StudentModel,
    processor: StudentProcessor,
    pixels: Pixels,
    calibration: Calibration,
    decoder: str,
    samples: int,
    seed: int,
) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    votes = decoder not in (GREEDY, BEAMS)
    needed = samples if votes or not arm.has_heads else 0
    drawn = write_texts(student, processor, pixels, () if votes else (decoder,), needed, seed)
    logits = condition_logits(student, processor, pixels) if arm.has_heads else logit(drawn.shares)
    ids = tuple(str(place) for place in range(len(pixels)))
    found = calibration.probabilities(ConditionTable(ids, CONDITIONS, logits.astype(np.float64))).values
    return drawn.texts(decoder), found.astype(np.float32)


def _table(cases: ExperimentCases, values: NDArray[np.floating]) -> ConditionTable:
    return ConditionTable(cases.ids, CONDITIONS, values.astype(np.float64), cases.patients)
