"""An evaluation from cases to scores: units, matching, thresholds, sections, what is said of what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from kdistill_core.condition_table import ConditionTable
from kdistill_core.conditions import Condition, State
from kdistill_core.datasets.contract import DataSet, Ledger
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.pages import render_page
from kdistill_core.evaluation.predictions import Predictions
from kdistill_core.evaluation.procedure import Evaluation, EvaluationSettings, evaluate
from kdistill_core.evaluation.scores import Convention, Score, Section, Unit
from kdistill_core.evaluation.sources import TableSource
from kdistill_core.labeling.labelers import RuleLabeler
from kdistill_core.records import Finding, ImageSource, Patient, Report, Study, StudyImage

KNOWN = (Condition.EDEMA, Condition.PLEURAL_EFFUSION)
EFFUSION, CLEAR = "There is a pleural effusion.", "There is no pleural effusion."


class Made:
    """A data set of 40 studies, two a patient, each with two frontal views and a lateral one, and a table on it."""

    def __init__(self, folder: Path) -> None:
        rng = np.random.default_rng(3)
        self.labels = (rng.random((40, 2)) < 0.5).astype(int)
        self.image_chances = np.clip(rng.random((80, 2)) * 0.7 + 0.3 * np.repeat(self.labels, 2, axis=0), 0, 1)
        self.file = folder / "image.png"
        self.file.touch()
        self.path = folder / "table.csv"

    def studies(self, _: Ledger) -> Iterator[Study]:
        for number, labels in enumerate(self.labels):
            views = ("PA", "AP", "LATERAL")
            images = tuple(StudyImage(f"i{number}-{view}", ImageSource(str(self.file)), view) for view in views)
            states = [State.POSITIVE if one else State.NEGATIVE for one in labels]
            yield Study(
                id=f"s{number}",
                patient=Patient(id=f"p{number // 2}"),
                images=images,
                report=Report("", {"findings": EFFUSION if labels[1] else CLEAR} if number % 4 else {}),
                findings=tuple(map(Finding, KNOWN, states)),
                split=("test", "test", "validation", "train")[number // 10],
            )

    @property
    def data_set(self) -> DataSet:
        return DataSet("made", "Made up <b>", self.file.parent, (), KNOWN, "by hand", "by number", self.studies)

    def table(self, **changes: object) -> TableSource:
        """Return predictions of every frontal image; texts say of all that there is an effusion."""
        ids = tuple(f"i{number}-{view}" for number in range(40) for view in ("PA", "AP"))
        table = ConditionTable(ids, KNOWN, self.image_chances)
        said = Predictions(ids, table, (EFFUSION,) * 80, lines=tuple(range(2, 82)))
        return TableSource(replace(said, **changes), self.path)  # type: ignore[arg-type]

    def run(self, source: TableSource | None = None, **settings: object) -> Evaluation:
        asked = EvaluationSettings(**({"resamples": 100} | settings))  # type: ignore[arg-type]
        return evaluate(source or self.table(), self.data_set, RuleLabeler(), asked)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


def one(evaluation: Evaluation, metric: str, scope: str, convention: Convention | None = None) -> Score:
    (found,) = [
        score
        for score in evaluation.result.scores
        if (score.metric, score.scope, score.convention) == (metric, scope, convention)
    ]
    return found


def test_images_are_scored_one_by_one_and_studies_by_the_mean_of_their_frontal_views(made):
    images = made.run()
    truth = np.repeat(made.labels[:20], 2, axis=0)
    score = one(images, "AUC", "Pleural Effusion")
    assert score.value == pytest.approx(roc_auc_score(truth[:, 1], made.image_chances[:40, 1]), abs=1e-12)
    assert (score.n, score.unit, images.result.data.patients) == (40, Unit.IMAGE, 10)
    frontal = next(row for row in images.result.data.filters if row.filter == "not-frontal")
    assert (frontal.images_in, frontal.images_left_out) == (60, 20)

    studies = made.run(unit=Unit.STUDY)
    mean = made.image_chances.reshape(40, 2, 2).mean(axis=1)[:20]
    score = one(studies, "AUC", "Pleural Effusion")
    assert score.value == pytest.approx(roc_auc_score(made.labels[:20, 1], mean[:, 1]), abs=1e-12)
    assert (score.n, score.unit) == (20, Unit.STUDY)


def test_texts_are_scored_where_there_is_a_reference_and_the_others_are_counted(made):
    result = made.run(unit=Unit.STUDY)
    reference = np.array([made.labels[n, 1] for n in range(20) if n % 4])
    score = one(result, "text F1", "Pleural Effusion", Convention.POSITIVE_ONLY)
    assert score.value == pytest.approx(f1_score(reference, np.ones(15)), abs=1e-12)
    assert (score.n, score.section) == (15, Section.FINDINGS)
    assert any("5 of 20 cases have no findings" in note for note in result.result.notes)


def test_labels_are_the_truth_of_texts_where_that_is_asked(made):
    score = one(made.run(unit=Unit.STUDY, section=Section.LABELS), "text F1", "Pleural Effusion",
                Convention.POSITIVE_ONLY)  # fmt: skip
    assert score.value == pytest.approx(f1_score(made.labels[:20, 1], np.ones(20)), abs=1e-12)
    assert (score.n, score.section) == (20, Section.LABELS)
    with pytest.raises(EvaluationError, match="has a report with impression"):
        made.run(section=Section.IMPRESSION)


def test_thresholds_come_from_validation_and_from_nowhere_else(made):
    thresholds = made.run(thresholds="youden").result.thresholds
    assert thresholds is not None
    assert "validation split of Made up <b>, 20 cases" in thresholds.chosen_on
    truth, chances = np.repeat(made.labels[20:30], 2, axis=0)[:, 1], made.image_chances[40:60, 1]

    def youden(threshold: float) -> float:
        called = chances >= threshold
        return called[truth == 1].mean() - called[truth == 0].mean()

    assert youden(thresholds.values[Condition.PLEURAL_EFFUSION]) == pytest.approx(max(map(youden, chances)))
    for split in ("validation", "all"):
        with pytest.raises(EvaluationError, match="cannot be chosen on the validation split"):
            made.run(thresholds="youden", split=split)


def test_a_condition_without_a_threshold_is_named(made):
    made.labels[20:30, 0] = 0  # nothing to choose a threshold for edema on
    result = made.run(thresholds="f1")
    assert any("No threshold could be chosen for Edema" in note for note in result.result.notes)
    assert one(result, "F1", "Edema").value is None
    assert one(result, "F1", "Pleural Effusion").value is not None


def test_a_table_without_thresholds_is_held_to_one_half_and_says_so(made):
    thresholds = made.run().result.thresholds
    assert thresholds is not None
    assert thresholds.rule.startswith("0.5")
    assert set(thresholds.values.values()) == {0.5}


def test_a_partial_table_is_refused_unless_that_is_allowed(made):
    source = made.table()
    some = source.table.rows(source.table.ids[:30])
    with pytest.raises(EvaluationError, match=r"table\.csv: 10 of 40 cases have no row, such as 'i15-PA'"):
        made.run(replace(source, table=some))
    allowed = made.run(replace(source, table=some, allow_missing=True)).result
    assert (allowed.data.cases, allowed.data.silent) == (30, 10)
    assert any("10 of 40 cases have no row" in note for note in allowed.notes)


def test_ids_that_match_nothing_name_file_line_ids_and_remedy(made):
    studies = Predictions(tuple(f"s{n}" for n in range(40)), None, (EFFUSION,) * 40, lines=tuple(range(2, 42)))
    with pytest.raises(EvaluationError, match=r"table\.csv, line 2: none of its 40 ids \('s0'.*--unit study"):
        made.run(TableSource(studies, made.path))
    assert made.run(TableSource(studies, made.path), unit=Unit.STUDY).result.data.cases == 20
    train = made.table().table.rows([f"i{n}-PA" for n in range(30, 40)])
    with pytest.raises(EvaluationError, match=r"of another split.*--split"):
        made.run(TableSource(train, made.path))
    strangers = replace(made.table().table, ids=("who", *made.table().table.ids[1:]), probabilities=None)
    with pytest.raises(EvaluationError, match=r"line 2: 1 of its 80 ids are not in the data set, such as 'who'"):
        made.run(TableSource(strangers, made.path))


def test_a_split_that_is_not_there_is_named_with_those_that_are(made):
    with pytest.raises(EvaluationError, match=r"no split 'dev'.*train \(10 studies\), validation \(10 studies\)"):
        made.run(split="dev")


def test_a_limit_is_said(made):
    result = made.run(limit=7).result
    assert (result.data.cases, result.data.surplus, result.data.limit) == (7, 33, 7)
    assert any("first 7" in note for note in result.notes)


def test_a_worse_model_loses_and_the_difference_is_paired(made):
    worse = made.table(probabilities=None, reports=(CLEAR,) * 80)
    noise = ConditionTable(made.table().table.ids, KNOWN, np.random.default_rng(9).random((80, 2)))
    asked = EvaluationSettings(resamples=200)
    result = evaluate(
        made.table(), made.data_set, RuleLabeler(), asked, opponent=made.table(probabilities=noise)
    ).result
    assert result.opponent is not None
    micro = next(d for d in result.opponent.differences if (d.metric, d.scope) == ("AUC", "micro"))
    truth = np.repeat(made.labels[:20], 2, axis=0).ravel()
    expected = roc_auc_score(truth, made.image_chances[:40].ravel()) - roc_auc_score(truth, noise.values[:40].ravel())
    assert micro.value == pytest.approx(expected, abs=1e-12)
    assert micro.interval is not None
    assert micro.interval.low > 0
    texts = evaluate(made.table(), made.data_set, RuleLabeler(), asked, opponent=worse).result.opponent
    assert texts is not None
    assert {d.metric for d in texts.differences} >= {"text F1", "contradiction rate", "ROUGE-L"}
    assert "AUC" not in {d.metric for d in texts.differences}


def test_what_a_data_set_is_called_is_text_on_the_page(made):
    result = made.run().result
    page = render_page(result, ())
    assert "Made up &lt;b&gt;" in page
    assert "Made up <b>" not in page
    assert page.count(result.notice) == 1
    assert str(made.file.parent) not in page
