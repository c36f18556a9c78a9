"""Text F1 against scikit-learn, torchmetrics and counts made by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import f1_score, precision_score, recall_score
from torchmetrics.functional.classification import multilabel_f1_score, multilabel_stat_scores

from kdistill_core.condition_table import ConditionTable, ConditionTableError
from kdistill_core.conditions import CONDITIONS, FIVE_CONDITIONS, Condition
from kdistill_core.evaluation.clinical_f1 import SUBSETS, BlankTruth, f1_measures, tally
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.measures import Measure, compute
from kdistill_core.evaluation.scores import Convention, Score

NAN = float("nan")
ONLY, BOTH = Convention.POSITIVE_ONLY, Convention.POSITIVE_AND_UNCERTAIN
C = Condition


def table(
    values: NDArray[np.float64] | list[list[float]], conditions: tuple[Condition, ...] = CONDITIONS
) -> ConditionTable:
    rows = np.asarray(values, dtype=np.float64)
    return ConditionTable(tuple(f"case {row}" for row in range(len(rows))), conditions, rows)


def random_labels(seed: int, cases: int = 60, conditions: tuple[Condition, ...] = CONDITIONS) -> ConditionTable:
    rng = np.random.default_rng(seed)
    return table(rng.choice([1.0, 0.0, -1.0, NAN], size=(cases, len(conditions)), p=[0.3, 0.3, 0.1, 0.3]), conditions)


def binary(labels: ConditionTable, conditions: tuple[Condition, ...], convention: Convention) -> NDArray[np.int64]:
    """The convention in other words: what the labels are after replacing uncertain and blank cells."""
    values = labels.select(conditions).values
    values = np.where(values == -1, 1.0 if convention is BOTH else 0.0, values)
    return np.nan_to_num(values, nan=0.0).astype(np.int64)


def measure(measures: tuple[Measure, ...], metric: str, scope: str, convention: Convention) -> Measure:
    found = [
        each
        for each in measures
        if (each.score.metric, each.score.scope, each.score.convention) == (metric, scope, convention)
    ]
    assert len(found) == 1
    return found[0]


def value(
    truth: ConditionTable,
    said: ConditionTable,
    scope: str,
    convention: Convention = ONLY,
    metric: str = "text F1",
    blank: BlankTruth = BlankTruth.NEGATIVE,
) -> float:
    return measure(f1_measures(truth, said, blank, "rules"), metric, scope, convention).value


@pytest.mark.parametrize("convention", list(Convention))
@pytest.mark.parametrize("subset", SUBSETS, ids=lambda subset: subset.name[:2].strip())
@pytest.mark.parametrize(("average", "word"), [("micro", "micro"), ("macro", "macro"), ("samples", "per case")])
def test_every_average_agrees_with_scikit_learn(convention, subset, average, word) -> None:
    truth, said = random_labels(0), random_labels(1)
    measures = f1_measures(truth, said, BlankTruth.NEGATIVE, "rules")
    expected = (binary(truth, subset.conditions, convention), binary(said, subset.conditions, convention))
    for metric, function in (("F1", f1_score), ("precision", precision_score), ("recall", recall_score)):
        ours = measure(measures, f"text {metric}", f"{word} over {subset.name}", convention).value
        assert ours == pytest.approx(function(*expected, average=average, zero_division=0), abs=1e-9)


@pytest.mark.parametrize("convention", list(Convention))
def test_micro_macro_and_every_condition_agree_with_torchmetrics(convention) -> None:
    truth, said = random_labels(2), random_labels(3)
    measures = f1_measures(truth, said, BlankTruth.NEGATIVE, "rules")
    target = torch.from_numpy(binary(truth, CONDITIONS, convention))
    predicted = torch.from_numpy(binary(said, CONDITIONS, convention))
    # Its F1 is in single precision, its counts are exact.
    hits, alarms, _, misses, _ = multilabel_stat_scores(predicted, target, len(CONDITIONS), average="none").double().T
    each = 2 * hits / (2 * hits + alarms + misses)
    micro = 2 * hits.sum() / (2 * hits.sum() + alarms.sum() + misses.sum())
    for scope, theirs in [
        *((condition.value, f1) for condition, f1 in zip(CONDITIONS, each, strict=True)),
        ("macro over 14", each.mean()),
        ("micro over 14", micro),
    ]:
        assert measure(measures, "text F1", scope, convention).value == pytest.approx(float(theirs), abs=1e-9)
    single = float(multilabel_f1_score(predicted, target, len(CONDITIONS), average="macro"))
    assert single == pytest.approx(float(each.mean()), abs=1e-6)


def test_the_conventions_differ_as_they_should_on_a_worked_example() -> None:
    """Edema in the truth: present, doubted, absent, not said. The texts: doubt it, assert it, doubt it, do not say it.

    Positive only: truth 1 0 0 0, said 0 1 0 0, so no hit, one false alarm, one miss: F1 0.
    Positive and uncertain: truth 1 1 0 0, said 1 1 1 0, so two hits, one false alarm: precision 2/3, recall 1, F1 4/5.
    """
    truth = table([[1.0], [-1.0], [0.0], [NAN]], (C.EDEMA,))
    said = table([[-1.0], [1.0], [-1.0], [NAN]], (C.EDEMA,))
    assert value(truth, said, "Edema", ONLY) == 0.0
    assert value(truth, said, "Edema", BOTH) == pytest.approx(4 / 5, abs=1e-12)
    assert value(truth, said, "Edema", BOTH, "text precision") == pytest.approx(2 / 3, abs=1e-12)
    assert value(truth, said, "Edema", BOTH, "text recall") == 1.0


def test_hedging_what_is_present_pays_only_where_uncertain_counts() -> None:
    truth, hedged = table([[1.0], [1.0]], (C.EDEMA,)), table([[-1.0], [1.0]], (C.EDEMA,))
    assert value(truth, hedged, "Edema", ONLY) == pytest.approx(2 / 3, abs=1e-12)
    assert value(truth, hedged, "Edema", BOTH) == 1.0


def test_hedging_what_is_absent_costs_only_where_uncertain_counts() -> None:
    truth, hedged = table([[1.0], [0.0]], (C.EDEMA,)), table([[1.0], [-1.0]], (C.EDEMA,))
    assert value(truth, hedged, "Edema", ONLY) == 1.0
    assert value(truth, hedged, "Edema", BOTH) == pytest.approx(2 / 3, abs=1e-12)


def test_a_blank_of_a_report_is_absent_and_a_blank_of_a_data_set_is_left_out() -> None:
    truth, said = table([[1.0], [NAN]], (C.EDEMA,)), table([[1.0], [1.0]], (C.EDEMA,))
    assert value(truth, said, "Edema", blank=BlankTruth.NEGATIVE) == pytest.approx(2 / 3, abs=1e-12)
    assert value(truth, said, "Edema", blank=BlankTruth.UNKNOWN) == 1.0
    score = measure(f1_measures(truth, said, BlankTruth.UNKNOWN, "rules"), "text F1", "Edema", ONLY).score
    assert (score.n, score.positive) == (1, 1)


def test_conditions_that_the_truth_never_labels_are_left_out_and_named() -> None:
    labels = random_labels(4).values
    labels[:, CONDITIONS.index(C.EDEMA)] = NAN
    truth, said = table(labels), random_labels(5)
    four = tuple(c for c in FIVE_CONDITIONS if c is not C.EDEMA)
    counted = tally(truth, said, ONLY, BlankTruth.UNKNOWN).select(FIVE_CONDITIONS)
    assert counted.conditions == four
    scope = "macro over 4 of 5"
    known = measure(f1_measures(truth, said, BlankTruth.UNKNOWN, "rules"), "text F1", scope, ONLY)
    rows = [~np.isnan(truth.column(condition)) for condition in four]
    expected = np.mean(
        [f1_score(truth.column(c)[row] == 1, said.column(c)[row] == 1) for c, row in zip(four, rows, strict=True)]
    )
    assert known.value == pytest.approx(expected, abs=1e-9)
    assert "never labels them: Edema" in known.score.note
    edema = measure(f1_measures(truth, said, BlankTruth.UNKNOWN, "rules"), "text F1", "Edema", ONLY)
    assert np.isnan(edema.value)
    assert "never labels" in edema.score.note


def test_shuffling_columns_and_rows_of_either_table_changes_no_score() -> None:
    truth, said = random_labels(6), random_labels(7)
    rng = np.random.default_rng(8)

    def shuffled(labels: ConditionTable) -> ConditionTable:
        conditions = tuple(CONDITIONS[k] for k in rng.permutation(len(CONDITIONS)))
        return labels.select(conditions).rows([labels.ids[row] for row in rng.permutation(len(labels))])

    plain = {key(each.score): each.value for each in f1_measures(truth, said, BlankTruth.NEGATIVE, "rules")}
    mixed = f1_measures(shuffled(truth), shuffled(said), BlankTruth.NEGATIVE, "rules")
    assert {key(each.score): each.value for each in mixed} == pytest.approx(plain, abs=1e-12, nan_ok=True)


def key(score: Score) -> tuple[str, str, str]:
    return score.metric, score.scope, str(score.convention)


def test_a_condition_neither_present_nor_said_counts_zero_in_macro_and_is_named() -> None:
    truth = table([[1.0, NAN]], (C.EDEMA, C.CARDIOMEGALY))
    each = measure(f1_measures(truth, truth, BlankTruth.NEGATIVE, "rules"), "text F1", "macro over 2 of 5", ONLY)
    assert each.value == f1_score([[1, 0]], [[1, 0]], average="macro", zero_division=0) == 0.5
    assert "counting 0 in macro: Cardiomegaly" in each.score.note
    undefined = measure(f1_measures(truth, truth, BlankTruth.NEGATIVE, "rules"), "text F1", "Cardiomegaly", ONLY)
    assert np.isnan(undefined.value)
    assert undefined.score.note.endswith("no case has it; no text names it")


def test_cases_in_which_neither_side_names_a_condition_are_counted_in_the_note() -> None:
    truth = table([[1.0], [NAN]], (C.EDEMA,))
    each = measure(f1_measures(truth, truth, BlankTruth.NEGATIVE, "rules"), "text F1", "per case over 1 of 5", ONLY)
    assert each.value == 0.5
    assert "1 cases in which neither side names a condition count 0" in each.score.note


def test_a_condition_that_the_texts_were_not_labeled_for_is_refused() -> None:
    with pytest.raises(ConditionTableError, match="Edema"):
        f1_measures(table([[1.0]], (C.EDEMA,)), table([[1.0]], (C.FRACTURE,)), BlankTruth.NEGATIVE, "rules")


def test_probabilities_are_no_labels() -> None:
    with pytest.raises(EvaluationError, match="Edema"):
        f1_measures(table([[1.0]], (C.EDEMA,)), table([[0.3]], (C.EDEMA,)), BlankTruth.NEGATIVE, "rules")


def test_intervals_follow_from_resampling_patients_one_by_one() -> None:
    truth, said = random_labels(9), random_labels(10)
    groups = tuple(f"patient {row // 3}" for row in range(len(truth)))
    truth = ConditionTable(truth.ids, truth.conditions, truth.values, groups)
    micro = measure(f1_measures(truth, said, BlankTruth.NEGATIVE, "rules"), "text F1", "micro over 14", ONLY)
    (score,) = compute([micro], groups, resamples=400, seed=3)
    rng = np.random.default_rng(3)
    target, predicted = binary(truth, CONDITIONS, ONLY), binary(said, CONDITIONS, ONLY)
    members = [np.arange(3 * patient, 3 * patient + 3) for patient in range(20)]
    drawn = []
    for _ in range(400):
        rows = np.concatenate([members[patient] for patient in rng.integers(20, size=20)])
        drawn.append(f1_score(target[rows], predicted[rows], average="micro"))
    assert score.interval is not None
    assert (score.interval.low, score.interval.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=1e-9)
    assert (score.interval.n, score.interval.groups, score.interval.resamples) == (60, 20, 400)
