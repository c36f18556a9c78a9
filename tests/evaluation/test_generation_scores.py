"""The one call that scores generated reports: what every score carries, baselines, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from kdistill_core.condition_table import ConditionTable, ConditionTableError, table_of_findings
from kdistill_core.conditions import CONDITIONS, Condition
from kdistill_core.evaluation.clinical_f1 import BlankTruth
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.generation_scores import (
    METRICS,
    Generated,
    default_blank_truth,
    score_generation,
)
from kdistill_core.evaluation.scores import Convention, Score, Section, Unit
from kdistill_core.labeling import label_report

REFERENCES = [
    "Small left pleural effusion. No pneumothorax.",
    "The lungs are clear.",
    "Possible pneumonia. The heart is enlarged.",
    "Large right pneumothorax.",
]
TEXTS = [
    "Left pleural effusion. No pneumothorax.",
    "The lungs are clear.",
    "Pneumonia. The heart is normal in size.",
    "Large left pneumothorax.",
]
CONSTANT = ["The lungs are clear."] * 4
PATIENTS = ("a", "a", "b", "c")


def labels(texts: list[str], groups: tuple[str, ...] = ()) -> ConditionTable:
    return table_of_findings([f"case {row}" for row in range(len(texts))], map(label_report, texts), groups)


def scored(**changes) -> dict[tuple, Score]:
    asked = {
        "texts": TEXTS,
        "references": REFERENCES,
        "section": Section.FINDINGS,
        "unit": Unit.STUDY,
        "labeler": "rules",
        "resamples": 50,
        "truth": labels(REFERENCES, PATIENTS),
        "said": labels(TEXTS),
    } | changes
    generated = Generated(asked.pop("said"), asked.pop("texts"))
    scores = score_generation(asked.pop("truth"), generated, **asked).scores
    found = {(score.metric, score.scope, score.convention): score for score in scores}
    assert len(found) == len(scores)
    return found


def test_every_score_says_what_one_must_know_to_read_it() -> None:
    for score in scored().values():
        assert (score.section, score.unit) == (Section.FINDINGS, Unit.STUDY)
        assert score.note
        if score.metric.startswith("text "):
            assert score.labeler == "rules"
            assert score.convention is not None
        if score.value is None:
            assert score.interval is None
        else:
            assert score.interval is not None
            assert (score.interval.n, score.interval.groups) == (4, 3)
            assert score.interval.value == score.value


def test_labels_that_a_labeler_read_give_the_f1_of_scikit_learn() -> None:
    said, truth = ((labels(side).values == 1).astype(int) for side in (TEXTS, REFERENCES))
    found = scored()["text F1", "micro over 14", Convention.POSITIVE_ONLY]
    assert found.value == pytest.approx(f1_score(truth, said, average="micro"), abs=1e-9)


def test_contradicted_states_and_sides_are_counted() -> None:
    found = scored()
    assert found["contradiction rate", "Cardiomegaly", None].value == 1.0
    assert found["contradiction rate", "cases with any", None].value == 0.25
    assert found["opposite side rate", "cases with any", None].value == 0.25


def test_the_order_of_the_labels_rows_and_columns_does_not_matter() -> None:
    said = labels(TEXTS)
    mixed = said.select(CONDITIONS[::-1]).rows(said.ids[::-1])
    assert scored(said=mixed) == scored()


def test_the_values_of_the_cases_are_in_the_order_of_the_truth() -> None:
    result = score_generation(
        labels(REFERENCES),
        Generated(labels(TEXTS), TEXTS),
        references=REFERENCES,
        section=Section.FINDINGS,
        unit=Unit.STUDY,
        labeler="rules",
        resamples=5,
    )
    assert result.cases["contradiction count"].tolist() == [0, 0, 1, 0]
    assert result.cases["opposite side count"].tolist() == [0, 0, 0, 1]
    assert result.cases["ROUGE-L"][1] == 1.0
    assert result.cases["text F1 over 14, positive only"].shape == (4,)


def test_a_model_compared_with_itself_differs_by_nothing() -> None:
    found = scored(baselines={"itself": Generated(labels(TEXTS), TEXTS)})
    for score in found.values():
        if score.value is None:
            assert score.baselines == ()
            continue
        (baseline,) = score.baselines
        assert (baseline.name, baseline.value) == ("itself", score.value)
        assert baseline.interval == score.interval
        assert baseline.difference is not None
        assert (baseline.difference.low, baseline.difference.high) == (0.0, 0.0)


def test_a_constant_text_is_compared_over_the_same_draws() -> None:
    key = ("text F1", "micro over 14", Convention.POSITIVE_ONLY)
    score = scored(baselines={"constant": Generated(labels(CONSTANT))})[key]
    (baseline,) = score.baselines
    assert baseline.value == scored(said=labels(CONSTANT), texts=CONSTANT)[key].value
    assert baseline.difference is not None
    assert baseline.difference.value == score.value - baseline.value


def test_a_baseline_without_texts_is_left_out_of_the_metrics_of_texts() -> None:
    found = scored(baselines={"constant": Generated(labels(CONSTANT))})
    assert found["ROUGE-L", "mean over cases", None].baselines == ()
    assert found["contradiction rate", "cases with any", None].baselines[0].name == "constant"


def test_without_references_metrics_of_texts_have_no_value_and_say_why() -> None:
    found = scored(references=None)
    for name in METRICS[2:]:
        score = found[name, "all", None]
        assert score.value is None
        assert score.note.startswith("no reference texts were given")
    assert found["text F1", "micro over 14", Convention.POSITIVE_ONLY].value is not None


def test_blanks_of_a_data_set_are_unknown_unless_said_otherwise() -> None:
    assert default_blank_truth(Section.LABELS) is BlankTruth.UNKNOWN
    assert all(default_blank_truth(section) is BlankTruth.NEGATIVE for section in Section if section != Section.LABELS)
    values = np.array([[1.0, np.nan], [np.nan, np.nan]])
    truth = ConditionTable(("case 0", "case 1"), (Condition.PLEURAL_EFFUSION, Condition.EDEMA), values)
    said = labels(["Pleural effusion.", "Pleural effusion."])
    settings = {"truth": truth, "said": said, "texts": None, "references": None, "section": Section.LABELS}
    unknown = scored(**settings)["text F1", "micro over 1 of 14", Convention.POSITIVE_ONLY]
    assert (unknown.value, unknown.n) == (1.0, 1)
    absent = scored(**settings, blank_truth=BlankTruth.NEGATIVE)[
        "text F1", "micro over 2 of 14", Convention.POSITIVE_ONLY
    ]
    assert (absent.value, absent.n) == (pytest.approx(2 / 3), 2)


def test_empty_texts_are_counted_in_the_note() -> None:
    note = scored(texts=["", *TEXTS[1:]])["ROUGE-L", "mean over cases", None].note
    assert note.endswith("1 texts and 0 references are empty")


@pytest.mark.parametrize(
    ("changes", "fault", "message"),
    [
        ({"texts": TEXTS[:3]}, EvaluationError, "3 texts and 4 references of 4 cases"),
        ({"metrics": ("CIDEr",)}, EvaluationError, "no text metric 'CIDEr'"),
        ({"said": labels(TEXTS[:3])}, ConditionTableError, "1 of 4 cases are not in the table"),
        ({"truth": labels([]), "said": labels([])}, EvaluationError, "no case to score"),
    ],
)
def test_what_does_not_fit_is_refused(changes, fault, message) -> None:
    with pytest.raises(fault, match=message):
        scored(**changes)
