"""Agreement over many cases against scikit-learn, published tables and hand-worked examples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from kdistill_core.condition_table import ConditionTable
from kdistill_core.conditions import CONDITIONS, Condition
from kdistill_core.evaluation.agreement import compare
from kdistill_core.evaluation.agreement_statistics import (
    CASES_CONTRADICTED,
    POOLED,
    agreement_scores,
    cohen_kappa,
    comparison_scores,
    gwet_ac1,
    observed_agreement,
    pabak,
)
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.scores import Convention, Score, Unit
from kdistill_core.labeling import split_sentences
from kdistill_core.records import Comparison, Rationale, RationaleAuthor, Sentence

C = Condition
NAN = float("nan")
ONLY, BOTH = Convention.POSITIVE_ONLY, Convention.POSITIVE_AND_UNCERTAIN


def counts(both: int, first: int, second: int, neither: int) -> np.ndarray:
    return np.array([both, first, second, neither], dtype=np.float64)


def table(rows: list[list[float]], conditions: tuple[Condition, ...], groups: tuple[str, ...] = ()) -> ConditionTable:
    values = np.asarray(rows, dtype=np.float64)
    return ConditionTable(tuple(f"case {row}" for row in range(len(values))), conditions, values, groups)


def scores(student: ConditionTable, teacher: ConditionTable, resamples: int = 20) -> dict[tuple, Score]:
    found = agreement_scores(student, teacher, unit=Unit.IMAGE, labeler="rules", resamples=resamples)
    return {(score.metric, score.scope, score.convention): score for score in found}


def test_the_paradox_of_kappa_as_published() -> None:
    """Feinstein and Cicchetti 1990: 85 of 100 agreed in both tables, kappa .70 when balanced and .32 when not."""
    balanced, skewed = counts(40, 9, 6, 45), counts(80, 10, 5, 5)
    assert observed_agreement(balanced) == observed_agreement(skewed) == 0.85
    assert round(float(cohen_kappa(balanced)), 2) == 0.70
    assert round(float(cohen_kappa(skewed)), 2) == 0.32
    # AC1 by hand: mean share .875, chance 2 * .875 * .125 = .21875, (.85 - .21875) / (1 - .21875).
    assert float(gwet_ac1(skewed)) == pytest.approx(0.63125 / 0.78125, abs=1e-12)
    assert float(pabak(skewed)) == pytest.approx(0.70, abs=1e-12)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40))
def test_kappa_agrees_with_scikit_learn(pairs) -> None:
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    ours = float(cohen_kappa(counts(*(int(n.sum()) for n in cells(first, second)))))
    if len(set(first) | set(second)) == 1:
        assert np.isnan(ours)
    else:
        assert ours == pytest.approx(cohen_kappa_score(first, second), abs=1e-9)


def cells(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, ...]:
    return first & second, first & ~second, ~first & second, ~first & ~second


@pytest.mark.parametrize("convention", list(Convention))
def test_scores_of_tables_agree_with_scikit_learn_per_condition_and_pooled(convention) -> None:
    rng = np.random.default_rng(0)
    student, teacher = (table(rng.choice([1.0, 0.0, -1.0, NAN], size=(80, 14)).tolist(), CONDITIONS) for _ in range(2))
    mixed = teacher.select(CONDITIONS[::-1]).rows(teacher.ids[::-1])
    found = scores(student, mixed)
    wanted = [1.0] if convention is ONLY else [1.0, -1.0]
    left, right = np.isin(student.values, wanted), np.isin(teacher.values, wanted)
    for at, condition in enumerate(CONDITIONS):
        expected = cohen_kappa_score(left[:, at], right[:, at])
        assert found["Cohen's kappa", condition.value, convention].value == pytest.approx(expected, abs=1e-9)
    pooled = found["Cohen's kappa", POOLED, convention]
    assert pooled.value == pytest.approx(cohen_kappa_score(left.ravel(), right.ravel()), abs=1e-9)
    assert (pooled.unit, pooled.labeler) == (Unit.IMAGE, "rules")


def test_who_says_what_is_counted_by_hand() -> None:
    """Edema: agreed, contradicted, uncertain against positive (agreed), uncertain against negative (contradicted),
    only the student, only the teacher, neither.
    """
    student = table([[1.0], [1.0], [-1.0], [-1.0], [0.0], [NAN], [NAN]], (C.EDEMA,))
    teacher = table([[1.0], [0.0], [1.0], [0.0], [NAN], [1.0], [NAN]], (C.EDEMA,))
    found = scores(student, teacher)
    shares = {
        metric: found[metric, scope, None].value
        for scope in ("Edema", POOLED)
        for metric in ("agreed", "contradicted", "only student", "only teacher")
    }
    assert shares == {"agreed": 2 / 6, "contradicted": 2 / 6, "only student": 1 / 6, "only teacher": 1 / 6}
    assert found["agreed", "Edema", None].n == 6
    assert found["contradicted", CASES_CONTRADICTED, None].value == pytest.approx(2 / 7)


def test_perfect_agreement_on_an_absent_condition_has_no_kappa_and_says_why() -> None:
    blank = table([[NAN], [0.0]], (C.FRACTURE,))
    kappa = scores(blank, blank)["Cohen's kappa", "Fracture", ONLY]
    assert kappa.value is None
    assert kappa.interval is None
    assert "undefined, since both sides say the same" in kappa.note
    assert scores(blank, blank)["Gwet's AC1", "Fracture", ONLY].value == 1.0


def test_intervals_are_drawn_by_patient() -> None:
    rng = np.random.default_rng(1)
    groups = tuple(f"patient {row // 2}" for row in range(40))
    student = table(rng.choice([1.0, 0.0], size=(40, 1)).tolist(), (C.EDEMA,), groups)
    teacher = table(rng.choice([1.0, 0.0], size=(40, 1)).tolist(), (C.EDEMA,))
    found = scores(student, teacher, resamples=300)["Cohen's kappa", "Edema", ONLY]
    draws, drawn = np.random.default_rng(0), []
    for _ in range(300):
        rows = np.concatenate([[2 * patient, 2 * patient + 1] for patient in draws.integers(20, size=20)])
        drawn.append(cohen_kappa_score(student.values[rows, 0], teacher.values[rows, 0]))
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=1e-9)
    assert found.interval.groups == 20


def compared(student: str, teacher: str) -> Comparison:
    def written(text: str) -> Rationale:
        return Rationale(text, RationaleAuthor.STUDENT, tuple(Sentence(span) for span in split_sentences(text)))

    return compare(written(student), written(teacher))


def test_comparisons_of_sentences_are_summed_over_cases() -> None:
    comparisons = [
        compared("There is a pleural effusion.", "There is a pleural effusion."),
        compared("There is a pleural effusion.", "There is no pleural effusion."),
        compared("There is a fracture.", "There is edema."),
    ]
    found = comparison_scores(comparisons, ["a", "b", "b"], unit=Unit.STUDY, resamples=20)
    by_name = {(score.metric, score.scope): score for score in found}
    assert by_name["agreed", "Pleural Effusion"].value == 0.5
    assert by_name["contradicted", "Pleural Effusion"].value == 0.5
    assert {metric: by_name[metric, POOLED].value for metric in ("agreed", "only student", "only teacher")} == {
        "agreed": 0.25,
        "only student": 0.25,
        "only teacher": 0.25,
    }
    assert by_name["agreed", POOLED].n == 4
    assert by_name["contradicted", CASES_CONTRADICTED].value == pytest.approx(1 / 3)
    assert by_name["agreed", "Pneumonia"].value is None
    assert all(score.unit is Unit.STUDY for score in found)


def test_a_patient_for_each_comparison_is_asked_for() -> None:
    with pytest.raises(EvaluationError, match="1 comparisons and 2 patients"):
        comparison_scores([Comparison()], ["a", "b"], unit=Unit.STUDY)
