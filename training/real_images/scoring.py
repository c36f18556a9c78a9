"""Every score of one cell on real test images, over the conditions that NIH labels and no other.

Text F1 is of what the rule labeler reads in the texts, against the labels, both closed under CheXpert's hierarchy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from kdistill_core.condition_table import ConditionTable, table_of_findings
from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.evaluation.baselines import best_constant_text, saying
from kdistill_core.evaluation.classification import prevalence_scores
from kdistill_core.evaluation.clinical_f1 import BlankTruth, f1_measures
from kdistill_core.evaluation.label_counts import LabelCounts
from kdistill_core.evaluation.metric_facts import TEXT_F1
from kdistill_core.evaluation.ranking import auc_statistic, average_precision_statistic
from kdistill_core.evaluation.resampling import SumStatistic
from kdistill_core.evaluation.scores import Convention
from kdistill_core.labeling import label_report, split_sentences, with_implied
from kdistill_core.labeling.labelers import RuleLabeler
from kdistill_core.records import Finding
from training.experiment.answers import Answers
from training.experiment.cases import ExperimentCases
from training.experiment.errors import ExperimentError
from training.experiment.scoring import RunStatistics
from training.real_images.cases import MAPPED

MACRO_AUC, MICRO_AUC, MACRO_PRECISION = "macro AUC", "micro AUC", "average precision, macro"
MICRO_TEXT_F1, MACRO_TEXT_F1 = "text F1, micro", "text F1, macro"
SCORES = (MACRO_AUC, MICRO_AUC, MACRO_PRECISION, MICRO_TEXT_F1, MACRO_TEXT_F1)
_COLUMNS = [CONDITIONS.index(condition) for condition in MAPPED]
# No Finding says that there is none of these.
_ABNORMAL = frozenset(MAPPED) - {Condition.NO_FINDING}


def auc_of(condition: Condition) -> str:
    """Return the name of the AUC of one condition."""
    return f"AUC, {condition}"


def precision_of(condition: Condition) -> str:
    """Return the name of the average precision of one condition."""
    return f"average precision, {condition}"


ALL_SCORES = (*SCORES, *map(auc_of, MAPPED), *map(precision_of, MAPPED))


def truth_of(cases: ExperimentCases) -> ConditionTable:
    """Return the labels of ``cases`` as 1, 0 and NaN, float64 [N, mapped conditions]."""
    return cases.truth_table.select(MAPPED)


def cell_statistics(cases: ExperimentCases, answers: Answers) -> RunStatistics:
    """Return every score of a cell. Raises ExperimentError where its answers are about other cases."""
    if answers.ids != cases.ids:
        raise ExperimentError(
            f"A cell answered {len(answers.ids)} images that are not the {len(cases)} test images.",
            "Remove its folder and run it again.",
        )
    truth = truth_of(cases)
    given = answers.probabilities[:, _COLUMNS].astype(np.float64)
    return RunStatistics({**_text_scores(truth, labels_said(truth, answers.texts)), **_ranking_scores(truth, given)})


def blind_statistics(cases: ExperimentCases, counts: LabelCounts) -> RunStatistics:
    """Return what can be had without looking: the prevalence of ``counts``, and the one text that fits them best."""
    truth = truth_of(cases)
    known = {condition: counts[condition] for condition in MAPPED}
    shares = prevalence_scores(
        [one.positive for one in known.values()], [one.known for one in known.values()], len(truth)
    )
    said = saying(best_constant_text(known), truth)
    return RunStatistics({**_text_scores(truth, said), **_ranking_scores(truth, shares)})


def labels_said(truth: ConditionTable, texts: Sequence[str]) -> ConditionTable:
    """Return what is read in the texts on the cases of ``truth``, closed under the hierarchy, of its conditions."""
    said = [with_implied(_read(text)) for text in texts]
    return table_of_findings(truth.ids, said, truth.groups).select(MAPPED)


def _read(text: str) -> tuple[Finding, ...]:
    """Return the findings of a text, with No Finding as if only the mapped conditions could be told of."""
    findings = label_report(text)
    abnormal = any(
        finding.condition in _ABNORMAL and finding.state in (State.POSITIVE, State.UNCERTAIN) for finding in findings
    )
    normal = State.POSITIVE if split_sentences(text) and not abnormal else State.BLANK
    rest = (finding for finding in findings if finding.condition is not Condition.NO_FINDING)
    return (*rest, Finding(Condition.NO_FINDING, normal))


def _text_scores(truth: ConditionTable, said: ConditionTable) -> dict[str, tuple[SumStatistic, ...]]:
    over = f"{len(MAPPED)} of {len(CONDITIONS)}"
    names = {f"micro over {over}": MICRO_TEXT_F1, f"macro over {over}": MACRO_TEXT_F1}
    return {
        names[measure.score.scope]: (measure.statistic,)
        for measure in f1_measures(truth, said, BlankTruth.UNKNOWN, RuleLabeler().version)
        if measure.score.metric == TEXT_F1.name
        and measure.score.scope in names
        and measure.score.convention is Convention.POSITIVE_ONLY
    }


def _ranking_scores(truth: ConditionTable, given: NDArray[np.float64]) -> Mapping[str, tuple[SumStatistic, ...]]:
    found: dict[str, tuple[SumStatistic, ...]] = {MICRO_AUC: (auc_statistic(given, truth.values),)}
    for place, condition in enumerate(MAPPED):
        labels = truth.values[:, place]
        if (labels == 1).any() and (labels == 0).any():
            found[auc_of(condition)] = (auc_statistic(given[:, place], labels),)
            found[precision_of(condition)] = (average_precision_statistic(given[:, place], labels),)
    for whole, part in ((MACRO_AUC, auc_of), (MACRO_PRECISION, precision_of)):
        found[whole] = tuple(found[part(condition)][0] for condition in MAPPED if part(condition) in found)
    return found
