"""Every score of one run on the test cases, as a function of sums over cases, so that runs can be resampled together.

The yardstick is that of ``evaluation``: text F1 of what the rule labeler reads in the texts, against the phantom's
truth, both closed under CheXpert's hierarchy; AUC, F1 and calibration error of the probabilities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kdistill_core.condition_table import ConditionTable, table_of_findings
from kdistill_core.conditions import CONDITIONS
from kdistill_core.evaluation.baselines import best_constant_text, derangement, saying, shuffled
from kdistill_core.evaluation.clinical_f1 import BlankTruth, f1_measures
from kdistill_core.evaluation.label_counts import LabelCounts
from kdistill_core.evaluation.metric_facts import TEXT_F1
from kdistill_core.evaluation.ranking import auc_statistic
from kdistill_core.evaluation.reliability import calibration_error_statistic
from kdistill_core.evaluation.resampling import SumStatistic
from kdistill_core.evaluation.scores import Convention
from kdistill_core.labeling import IMPLIED, label_report, with_implied
from training.experiment.answers import Answers
from training.experiment.errors import ExperimentError

_SHORT = {Convention.POSITIVE_ONLY: "positive only", Convention.POSITIVE_AND_UNCERTAIN: "positive and uncertain"}
_SCOPES = {
    "micro over 14": "micro",
    "macro over 14": "macro",
    "micro over 12 (without No Finding and Lung Opacity)": "micro of 12",
    "macro over 12 (without No Finding and Lung Opacity)": "macro of 12",
}
MICRO_AUC, MACRO_AUC, CALIBRATION = "micro AUC", "macro AUC", "calibration error"
# The order of the shuffled images; any one does.
_SHUFFLE_SEED = 0


def text_f1(scope: str, convention: Convention = Convention.POSITIVE_ONLY) -> str:
    """Return the name of a text F1. scope: micro, macro, micro of 12, macro of 12."""
    return f"text F1, {scope}, {_SHORT[convention]}"


def reliance(scope: str) -> str:
    """Return the name of the text F1 that is left when every case gets the text of another one's image."""
    return f"text F1, {scope}, images shuffled"


def decision_f1(scope: str) -> str:
    """Return the name of the F1 of what a run decides by its probabilities and thresholds, whatever it writes."""
    return f"F1 of decisions, {scope}"


TEXT_SCORES = tuple(text_f1(scope, convention) for convention in Convention for scope in _SCOPES.values())
SCORES = (
    *TEXT_SCORES,
    reliance("micro"),
    reliance("macro"),
    decision_f1("micro"),
    decision_f1("macro"),
    MICRO_AUC,
    MACRO_AUC,
    CALIBRATION,
)


@dataclass(frozen=True, eq=False)
class RunStatistics:
    """The scores of one run by name. Each is the mean of several statistics: of one, or of a condition each."""

    by_name: Mapping[str, tuple[SumStatistic, ...]]

    def value(self, name: str) -> float:
        """Return a score of all cases."""
        return float(np.mean([statistic.value for statistic in self.by_name[name]]))


def run_statistics(truth: ConditionTable, answers: Answers, labeler: str) -> RunStatistics:
    """Return every score of a run. Raises ExperimentError where its cases are not those of the truth."""
    if answers.ids != truth.ids:
        raise ExperimentError(
            f"A run answered {len(answers.ids)} cases that are not the {len(truth)} test cases.",
            "Remove its folder and run it again.",
        )
    said = labels_said(truth, answers.texts)
    by_name = {**_text_scores(truth, said, labeler)}
    elsewhere = _text_scores(truth, shuffled(said, derangement(truth.groups, _SHUFFLE_SEED)), labeler)
    decided = _text_scores(truth, decisions(truth, answers), labeler)
    for scope in ("micro", "macro"):
        by_name[reliance(scope)] = elsewhere[text_f1(scope)]
        by_name[decision_f1(scope)] = decided[text_f1(scope)]
    labels, given = truth.values, answers.probabilities.astype(np.float64)
    known = [at for at in range(len(CONDITIONS)) if _has_both(labels[:, at])]
    by_name[MICRO_AUC] = (auc_statistic(given, labels),)
    by_name[MACRO_AUC] = tuple(auc_statistic(given[:, at], labels[:, at]) for at in known)
    by_name[CALIBRATION] = (calibration_error_statistic(given, labels),)
    return RunStatistics(by_name)


def labels_said(truth: ConditionTable, texts: tuple[str, ...]) -> ConditionTable:
    """Return what is read in the texts on the cases of ``truth``, closed under the hierarchy."""
    return table_of_findings(truth.ids, [with_implied(label_report(text)) for text in texts], truth.groups)


def decisions(truth: ConditionTable, answers: Answers) -> ConditionTable:
    """Return what is decided of the cases of ``truth``, closed under the hierarchy as texts are."""
    decided = answers.probabilities >= np.asarray(answers.thresholds)
    places = {condition: place for place, condition in enumerate(CONDITIONS)}
    for condition, implied in IMPLIED.items():
        for other in implied:
            decided[:, places[other]] |= decided[:, places[condition]]
    return ConditionTable(truth.ids, CONDITIONS, decided.astype(np.float64), truth.groups)


def constant_statistics(truth: ConditionTable, counts: LabelCounts, labeler: str) -> RunStatistics:
    """Return the text scores of the one text that fits ``counts`` of labels best, said of every case: chance."""
    return RunStatistics(_text_scores(truth, saying(best_constant_text(counts), truth), labeler))


def _text_scores(truth: ConditionTable, said: ConditionTable, labeler: str) -> dict[str, tuple[SumStatistic, ...]]:
    found: dict[str, tuple[SumStatistic, ...]] = {}
    for measure in f1_measures(truth, said, BlankTruth.UNKNOWN, labeler):
        score = measure.score
        if score.metric == TEXT_F1.name and score.scope in _SCOPES and score.convention is not None:
            found[text_f1(_SCOPES[score.scope], score.convention)] = (measure.statistic,)
    return found


def _has_both(labels: NDArray[np.float64]) -> bool:
    return bool((labels == 1).any() and (labels == 0).any())
