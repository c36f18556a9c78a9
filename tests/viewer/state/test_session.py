"""Opening and explaining, without a window: what the case holds after each thing the engine may answer."""

import pytest

from kdistill_core.engine.messages import Canceled, Declined, Explain, Failed, LoadModels, TextStreamed, WorkerDied
from kdistill_core.errors import KDistillError
from kdistill_core.records import ImageSource
from kdistill_viewer.state.background import Background
from kdistill_viewer.state.case import Phase
from kdistill_viewer.state.engine_link import EngineLink, ModelChoice
from kdistill_viewer.state.jobs import Jobs
from kdistill_viewer.state.notices import NoticeKind
from kdistill_viewer.state.session import Session

A, B = ImageSource("a.dcm"), ImageSource("b.dcm")


class Immediately(Background):
    """Does background work at once, so that a test sees its result on the next line."""

    def __init__(self):
        super().__init__(lambda call: call())

    def run(self, work, *, done, failed, finished=None, name=""):
        try:
            done(work())
        except KDistillError as error:
            failed(error)
        finally:
            if finished is not None:
                finished()


class Bench:
    """A session on a fake engine, and everything it told."""

    def __init__(self, engines, read):
        self.engines = engines
        self.jobs = Jobs()
        self.link = EngineLink(engines.start, lambda call: call(), ModelChoice(student="models/x", device="cpu"))
        self.session = Session(self.link, Immediately(), self.jobs, read)
        self.notices = []
        self.session.notice.connect(self.notices.append)

    @property
    def case(self):
        return self.session.case

    @property
    def engine(self):
        return self.engines.last


@pytest.fixture
def bench(engines, make_radiograph):
    engines.answers = False
    return Bench(engines, make_radiograph)


def open_and_ask(bench, source=A):
    bench.session.open(source)
    return bench.engine.of(Explain)[-1]


def open_and_answer(bench):
    request = open_and_ask(bench)
    bench.engine.answer(request)


def test_opening_an_image_loads_the_chosen_models_and_asks_for_its_explanation(bench):
    request = open_and_ask(bench)
    assert request.source == A
    (load,) = bench.engine.of(LoadModels)
    assert (load.student, load.device) == ("models/x", "cpu")
    assert bench.case.phase is Phase.EXPLAINING


def test_pieces_of_text_add_up_to_the_rationale_and_a_correction_replaces_the_end(bench):
    request = open_and_ask(bench)
    for start, text in ((0, "There is an effus"), (17, "ion"), (12, "opacity.")):
        bench.engine.on_event(TextStreamed(request.id, start, text))
    assert bench.case.text == "There is an opacity."


def test_a_finished_explanation_is_kept_when_another_image_was_looked_at(bench):
    request = open_and_ask(bench)
    bench.engine.answer(request)
    explanation = bench.case.explanation
    open_and_ask(bench, B)
    bench.session.open(A)
    assert bench.case.explanation is explanation
    assert bench.case.phase is Phase.EXPLAINED
    assert len(bench.engine.of(Explain)) == 2


def test_leaving_an_image_that_is_being_explained_cancels_that_and_asks_again_on_return(bench):
    first = open_and_ask(bench)
    open_and_ask(bench, B)
    assert bench.engine.canceled == [first.id]
    bench.engine.on_event(TextStreamed(first.id, 0, "late news"))
    again = open_and_ask(bench)
    assert again.source == A
    assert again.id != first.id
    assert bench.case.text == ""


def test_what_is_no_chest_radiograph_is_refused_with_its_reason_and_no_retry(bench):
    request = open_and_ask(bench)
    bench.engine.on_event(Declined(request.id, "This is a hand.", "Open a chest."))
    (notice,) = bench.notices
    assert (notice.kind, notice.problem, notice.advice) == (NoticeKind.REFUSAL, "This is a hand.", "Open a chest.")
    assert notice.retry is None
    assert bench.case.phase is Phase.DECLINED
    assert bench.case.radiograph is not None


def test_canceling_keeps_what_was_written(bench):
    request = open_and_ask(bench)
    bench.engine.on_event(TextStreamed(request.id, 0, "There is"))
    bench.jobs.cancel_current()
    assert bench.engine.canceled == [request.id]
    bench.engine.on_event(Canceled(request.id))
    assert (bench.case.phase, bench.case.text) == (Phase.CANCELED, "There is")
    assert bench.jobs.current is None


def test_canceling_a_second_explanation_brings_the_first_one_back(bench):
    open_and_answer(bench)
    first = bench.case.explanation
    bench.session.explain()
    request = bench.engine.of(Explain)[-1]
    bench.engine.on_event(TextStreamed(request.id, 0, "Something el"))
    bench.engine.on_event(Canceled(request.id))
    assert bench.case.phase is Phase.EXPLAINED
    assert bench.case.text == first.student.text


@pytest.mark.parametrize("ends", ["failed", "died"])
def test_after_a_failure_the_case_is_open_and_retry_asks_again(bench, ends):
    request = open_and_ask(bench)
    event = (
        Failed(request.id, "It broke.", "Try again.")
        if ends == "failed"
        else WorkerDied("", "It broke.", "Try again.", (request.id,))
    )
    bench.engine.on_event(event)
    (notice,) = bench.notices
    assert (notice.kind, notice.problem, notice.advice) == (NoticeKind.PROBLEM, "It broke.", "Try again.")
    assert bench.case.phase is Phase.FAILED
    assert bench.case.radiograph is not None
    notice.retry()
    bench.engine.answer(bench.engine.of(Explain)[-1])
    assert bench.case.phase is Phase.EXPLAINED


def test_a_worker_that_dies_unasked_is_told_and_the_explanation_stays(bench):
    open_and_answer(bench)
    bench.engine.on_event(WorkerDied("", "Killed.", "Nothing to do.", ()))
    assert [notice.problem for notice in bench.notices] == ["Killed."]
    assert bench.case.phase is Phase.EXPLAINED


def test_models_that_cannot_be_loaded_are_told_and_retry_loads_them_again(bench):
    open_and_ask(bench)
    (load,) = bench.engine.of(LoadModels)
    bench.engine.on_event(Failed(load.id, "config.json is missing.", "Choose another folder."))
    (notice,) = bench.notices
    notice.retry()
    assert len(bench.engine.of(LoadModels)) == 2


def test_models_loaded_anew_by_the_client_are_heard_of(bench):
    heard = []
    bench.link.loaded.connect(heard.append)
    open_and_ask(bench)
    bench.engine.answer(LoadModels(id=""))
    assert [event.device for event in heard] == ["cpu"]


def test_a_file_that_cannot_be_read_is_told_and_can_be_opened_again(engines):
    def read(source):
        raise KDistillError("The file is cut short.", "Copy it again.")

    bench = Bench(engines, read)
    bench.session.open(A)
    assert (bench.case.phase, bench.case.problem) == (Phase.UNREADABLE, "The file is cut short.")
    bench.session.open(A)
    assert len(bench.notices) == 2
    assert not engines.started


def test_only_recent_radiographs_stay_in_memory_and_older_ones_are_read_again(engines, make_radiograph):
    reads = []

    def read(source):
        reads.append(source)
        return make_radiograph(source)

    bench = Bench(engines, read)
    sources = [ImageSource(f"{number}.dcm") for number in range(9)]
    for source in sources:
        bench.session.open(source)
    bench.session.open(sources[-2])
    assert len(reads) == 9
    bench.session.open(sources[0])
    assert len(reads) == 10
    assert bench.case.phase is Phase.EXPLAINED


def test_reading_first_hides_the_model_until_asked(bench):
    bench.session.set_read_first(on=True)
    open_and_answer(bench)
    assert not bench.case.revealed
    bench.session.reveal()
    assert bench.case.revealed
