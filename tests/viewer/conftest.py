"""An engine without a model, an explanation without a student, and a watch for what a test leaves behind."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.shared_memory import SharedMemory

import numpy as np
import pytest

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.engine.messages import (
    AnyEvent,
    AnyRequest,
    Attribute,
    Attributed,
    Explain,
    Explained,
    FindingsReady,
    Loaded,
    LoadModels,
    Progress,
    SharedArray,
    Stage,
    TextStreamed,
)
from kdistill_core.records import (
    Comparison,
    Explanation,
    Finding,
    ImageSource,
    ImageSummary,
    Match,
    Patient,
    Provenance,
    Radiograph,
    Rationale,
    RationaleAuthor,
    Sentence,
    SentenceRole,
    Spacing,
    Span,
    Verdict,
)

ROWS, COLUMNS = 60, 40
STUDENT_TEXT = (
    "There is a moderate left pleural effusion. The left costophrenic angle is blunted. "
    "The heart is enlarged. No pneumothorax is seen."
)
TEACHER_TEXT = (
    "Fluid has collected in the pleural space. The costophrenic angle is blunted by a meniscus. "
    "The heart is of normal size. Rib fractures are looked for on the same side."
)
METHODS = {
    "condition": ("condition attention", "Grad-CAM"),
    "sentence": ("gradient x activation",),
    "word": ("gradient x activation",),
}


def sentences_of(text: str, said: list[tuple[Condition | None, State]]) -> tuple[Sentence, ...]:
    """Return the sentences of a text that ends each with a full stop, tagged with ``said`` in turn."""
    made, start = [], 0
    for condition, state in said:
        end = text.index(".", start) + 1
        made.append(Sentence(Span(start, end), condition, state, SentenceRole.ASSERTION))
        start = end + 1
    return tuple(made)


def make_findings() -> tuple[Finding, ...]:
    probabilities = {Condition.PLEURAL_EFFUSION: 0.91, Condition.CARDIOMEGALY: 0.55, Condition.LUNG_OPACITY: 0.48}
    states = {
        Condition.PLEURAL_EFFUSION: State.POSITIVE,
        Condition.CARDIOMEGALY: State.POSITIVE,
        Condition.LUNG_OPACITY: State.UNCERTAIN,
    }
    return tuple(
        Finding(
            condition,
            states.get(condition, State.NEGATIVE),
            probabilities.get(condition, 0.02 + 0.01 * number),
            threshold=0.5,
        )
        for number, condition in enumerate(CONDITIONS)
    )


def make_explanation(source: ImageSource) -> Explanation:
    effusion, heart = Condition.PLEURAL_EFFUSION, Condition.CARDIOMEGALY
    student = Rationale(
        STUDENT_TEXT,
        RationaleAuthor.STUDENT,
        sentences_of(
            STUDENT_TEXT,
            [
                (effusion, State.POSITIVE),
                (effusion, State.POSITIVE),
                (heart, State.POSITIVE),
                (Condition.PNEUMOTHORAX, State.NEGATIVE),
            ],
        ),
        provenance=Provenance(model_name="kdistill student-demo"),
    )
    teacher = Rationale(
        TEACHER_TEXT,
        RationaleAuthor.LIBRARY,
        sentences_of(
            TEACHER_TEXT,
            [
                (effusion, State.POSITIVE),
                (effusion, State.POSITIVE),
                (heart, State.NEGATIVE),
                (Condition.FRACTURE, State.BLANK),
            ],
        ),
        provenance=Provenance(model_name="SmolLM2-135M-Instruct"),
    )
    matches = (
        Match(Verdict.AGREED, effusion, 0, 0, 0.8),
        Match(Verdict.AGREED, effusion, 1, 1, 0.9),
        Match(Verdict.CONTRADICTED, heart, 2, 2, 0.7),
        Match(Verdict.ONLY_STUDENT, Condition.PNEUMOTHORAX, 3, None),
        Match(Verdict.ONLY_TEACHER, Condition.FRACTURE, None, 3),
    )
    return Explanation(
        image=ImageSummary(source, "0" * 64, ROWS, COLUMNS, Spacing()),
        findings=make_findings(),
        student=student,
        teacher=teacher,
        comparison=Comparison(matches, "by hand"),
        provenance=Provenance(model_name="kdistill student-demo"),
    )


def radiograph_of(source: ImageSource) -> Radiograph:
    pixels = np.linspace(0, 4000, ROWS * COLUMNS, dtype=np.float32).reshape(ROWS, COLUMNS)
    return Radiograph(
        pixels, source, "0" * 64, patient=Patient(id="P-17", name="Doe^Jane"), bits_stored=12, view_position="PA"
    )


def shared_array(values: np.ndarray) -> SharedArray:
    """Put an array where the engine puts its maps; whoever takes it frees it."""
    block = SharedMemory(create=True, size=values.nbytes)
    np.ndarray(values.shape, values.dtype, buffer=block.buf)[...] = values
    block.close()
    return SharedArray(block.name, values.dtype.str, values.shape)


@dataclass
class FakeEngine:
    """Notes requests; answers them by itself unless told to wait for the test to answer."""

    on_event: Callable[[AnyEvent], None]
    answers: bool = True
    requests: list[AnyRequest] = field(default_factory=list)
    canceled: list[str] = field(default_factory=list)
    closed: bool = False

    def submit(self, request: AnyRequest) -> None:
        self.requests.append(request)
        if self.answers:
            self.answer(request)

    def cancel(self, request_id: str) -> None:
        self.canceled.append(request_id)

    def close(self) -> None:
        self.closed = True

    def of(self, kind: type) -> list:
        return [request for request in self.requests if isinstance(request, kind)]

    def answer(self, request: AnyRequest) -> None:
        if isinstance(request, LoadModels):
            self.on_event(Loaded(request.id, "student-demo", "library", "cpu", "float32", METHODS))
        elif isinstance(request, Explain):
            self.stream(request)
            self.on_event(Explained(request.id, make_explanation(request.source)))
        elif isinstance(request, Attribute):
            self.attribute(request)

    def stream(self, request: Explain, text: str = STUDENT_TEXT) -> None:
        self.on_event(Progress(request.id, Stage.LOOKING))
        self.on_event(FindingsReady(request.id, make_findings()))
        self.on_event(Progress(request.id, Stage.WRITING, 0.1))
        for start in range(0, len(text), 20):
            self.on_event(TextStreamed(request.id, start, text[start : start + 20]))

    def attribute(self, request: Attribute, values: np.ndarray | None = None) -> None:
        if values is None:
            values = np.zeros((ROWS, COLUMNS), np.float32)
            values[40:50, 25:35] = 1.0
        self.on_event(
            Attributed(
                request.id,
                shared_array(values),
                request.target,
                request.method or METHODS[request.target.kind.value][0],
                (29.5, 44.5),
                Provenance(),
            )
        )


@dataclass
class Engines:
    """Starts fake engines the way the viewer starts workers; ``last`` is the running one."""

    answers: bool = True
    started: list[FakeEngine] = field(default_factory=list)

    def start(self, on_event: Callable[[AnyEvent], None]) -> FakeEngine:
        self.started.append(FakeEngine(on_event, self.answers))
        return self.last

    @property
    def last(self) -> FakeEngine:
        return self.started[-1]


@pytest.fixture
def engines() -> Engines:
    return Engines()


@pytest.fixture
def explanation() -> Explanation:
    return make_explanation(ImageSource("a.dcm"))


@pytest.fixture
def radiograph() -> Radiograph:
    return radiograph_of(ImageSource("a.dcm"))


@pytest.fixture
def make_radiograph() -> Callable[[ImageSource], Radiograph]:
    return radiograph_of


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a thread, a running timer or a window behind."""
    threads = set(threading.enumerate())
    windows = set(_windows())
    yield
    # tqdm, with which transformers shows that it saves a model, keeps its own thread for good.
    left = [thread for thread in threading.enumerate() if thread not in threads and thread.name != "tqdm_monitor"]
    for thread in left:
        thread.join(timeout=2.0)
    assert not [thread.name for thread in left if thread.is_alive()]
    if set(_windows()) - windows:
        gc.collect()  # takes long, and a window that was deleted is seldom held by a circle
    new_windows = [window for window in _windows() if window not in windows]
    assert not [type(window).__name__ for window in new_windows if window.isVisible()]
    assert not [timer for window in new_windows for timer in _running_timers(window)]


def _windows() -> list:
    from PySide6.QtWidgets import QApplication

    return QApplication.topLevelWidgets() if QApplication.instance() is not None else []


def _running_timers(window) -> list[str]:
    from PySide6.QtCore import QTimer

    return [timer.objectName() for timer in window.findChildren(QTimer) if timer.isActive()]
