from __future__ import annotations

import json

import pytest

from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.teachers.contexts import evaluation_contexts
from kdistill_core.evaluation.teachers.learning_curve import read_learning_curve
from kdistill_core.evaluation.teachers.measured import MeasuredStore
from kdistill_core.evaluation.teachers.measuring import Materials, QualitySettings, measure_teacher
from kdistill_core.evaluation.teachers.pubmedqa import Question, QuestionSet
from kdistill_core.evaluation.teachers.quality_folder import measured_store, write_quality
from kdistill_core.evaluation.teachers.result import TeacherQuality
from kdistill_core.evaluation.teachers.scoring import score_teachers
from kdistill_core.evaluation.teachers.texts import SampledTexts, Text
from kdistill_core.serialization import from_json
from kdistill_core.teacher.gate import judge_draft
from tests.evaluation.teachers.conftest import ScriptedWriter, from_knowledge

SETTINGS = QualitySettings(resamples=200)


@pytest.fixture
def materials(knowledge):
    texts = SampledTexts("here", (Text("1", "some words"), Text("2", "other words and more")), 2)
    questions = tuple(Question(str(number), f"Is it {number}?", ("Yes.",), "yes") for number in range(4))
    return Materials(
        {"literature": texts, "general text": texts},
        QuestionSet(questions, published=False, available=4, commonest="yes"),
        evaluation_contexts(14, 0, knowledge),
    )


class Watched:
    """Remembers what was measured."""

    def __init__(self):
        self.begun = []

    def __call__(self, what, total):
        self.begun.append(what.partition(": ")[2])
        return lambda rows: None


def test_what_was_measured_once_is_not_measured_again(teacher, materials, knowledge, tmp_path):
    store, watch = MeasuredStore(tmp_path), Watched()
    writer = ScriptedWriter(lambda context: from_knowledge(context, knowledge))
    first = measure_teacher(teacher, writer, materials, SETTINGS, store, watch)
    # The two kinds of text are the same here, and still two measurements.
    assert watch.begun == ["perplexity, literature", "perplexity, general text", "PubMedQA", "rationales"]
    again = measure_teacher(teacher, writer, materials, SETTINGS, store, watch)
    assert again == first
    assert len(watch.begun) == 4
    assert writer.asked == 14


def test_a_run_that_was_stopped_goes_on_with_what_is_missing(teacher, materials, knowledge, tmp_path):
    def die(_context):
        raise KeyboardInterrupt

    store, watch = MeasuredStore(tmp_path), Watched()
    with pytest.raises(KeyboardInterrupt):
        measure_teacher(teacher, ScriptedWriter(die), materials, SETTINGS, store, watch)
    measure_teacher(teacher, ScriptedWriter(lambda _: "x"), materials, SETTINGS, store, watch)
    assert watch.begun[4:] == ["rationales"]


def test_other_settings_another_model_or_a_cut_off_file_are_measured_anew(teacher, tmp_path):
    store, computed = MeasuredStore(tmp_path), []

    def kept(**decided_by):
        return store.kept_or("numbers", decided_by, list[int], lambda: computed.append(1) or [1, 2])

    assert kept(model="a", n=1) == kept(n=1, model="a") == [1, 2]
    assert len(computed) == 1
    kept(model="b", n=1)
    kept(model="a", n=2)
    assert len(computed) == 3
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-2])
    assert kept(model="a", n=1) == [1, 2]
    assert len(computed) == 4


def test_the_folder_holds_scores_figures_and_a_page_that_says_what_it_is(teacher, materials, knowledge, tmp_path):
    log = tmp_path / "demo" / "checkpoint-20" / "trainer_state.json"
    log.parent.mkdir(parents=True)
    history = [{"step": 10, "loss": 3.0}, {"step": 20, "loss": 2.5}, {"step": 20, "eval_loss": 2.75, "epoch": 1}]
    log.write_text(json.dumps({"log_history": history, "global_step": 20}))
    out = tmp_path / "out"
    store = measured_store(out)
    nonsense = ScriptedWriter(lambda context: f"Sign: <b>{context.condition.value}</b> glows.")
    both = [
        measure_teacher(teacher, writer, materials, SETTINGS, store, Watched())
        for writer in (nonsense, ScriptedWriter(lambda context: from_knowledge(context, knowledge), "other"))
    ]
    quality = score_teachers(both, materials, SETTINGS, judge_draft, knowledge, [read_learning_curve(log)])
    page = write_quality(quality, out).read_text()
    assert from_json((out / "teachers.json").read_bytes(), TeacherQuality) == quality
    assert "Research software, not a medical device" in page
    assert "&lt;b&gt;Cardiomegaly&lt;/b&gt; glows." in page
    assert "<b>Cardiomegaly" not in page
    assert "https://" not in page
    assert {path.name for path in (out / "figures").iterdir()} == {
        "scores.svg", "pass-rates.svg", "learning-curves.svg",
    }  # fmt: skip
    assert page.count("data:image/svg+xml") == 3
    assert measured_store(out).folder == store.folder  # may be gone on with


def test_a_folder_of_something_else_is_not_written_into(tmp_path):
    (tmp_path / "thesis.doc").write_text("")
    with pytest.raises(EvaluationError, match="holds something else"):
        measured_store(tmp_path)


def test_a_learning_curve_is_read_off_the_trainers_log(tmp_path):
    log = tmp_path / "demo" / "checkpoint-20" / "trainer_state.json"
    log.parent.mkdir(parents=True)
    log.write_text(json.dumps({"log_history": [{"step": 5, "loss": 3.0}, {"step": 6, "eval_loss": 2.0, "x": 1}]}))
    curve = read_learning_curve(log.parent)
    assert curve.name == "demo"
    assert [(at.step, at.loss) for at in curve.training] == [(5, 3.0)]
    assert [(at.step, at.loss) for at in curve.held_out] == [(6, 2.0)]
    alone = tmp_path / "demo" / "log.json"
    alone.write_text(json.dumps([{"step": 5, "loss": 3.0}, {"step": 6, "eval_loss": 2.0}]))
    assert read_learning_curve(alone) == read_learning_curve(alone.parent) == curve
    log.write_text('{"log_history": []}')
    with pytest.raises(EvaluationError, match="holds no loss"):
        read_learning_curve(log)
    log.write_text("{")
    with pytest.raises(EvaluationError, match="no log of a training"):
        read_learning_curve(log)
    with pytest.raises(EvaluationError, match="cannot be read"):
        read_learning_curve(tmp_path / "absent.json")
