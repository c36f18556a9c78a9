"""Opening an image and having it explained: the case on screen, and every step from the file to both rationales."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from kdistill_core.engine.messages import (
    Canceled,
    Declined,
    Explain,
    Explained,
    Failed,
    FindingsReady,
    Progress,
    TextStreamed,
    WorkerDied,
)
from kdistill_core.errors import KDistillError
from kdistill_core.records import ImageSource, Radiograph
from kdistill_viewer.state.background import Background
from kdistill_viewer.state.case import Case, Phase
from kdistill_viewer.state.engine_link import Answer, EngineLink
from kdistill_viewer.state.jobs import Job, Jobs
from kdistill_viewer.state.notices import Notice, NoticeKind
from kdistill_viewer.state.signal import Signal

# Pixels of this many recent cases stay in memory (a full-size radiograph takes 30 to 70 MB); older ones are read
# again when they are opened again.
_RADIOGRAPHS_KEPT = 6

ReadRadiograph = Callable[[ImageSource], Radiograph]


class Session:
    """The cases of this sitting and the one on screen.

    Signals carry the case they are about, so that news of a case that is no longer on screen can be told apart.
    """

    def __init__(self, engine: EngineLink, background: Background, jobs: Jobs, read: ReadRadiograph) -> None:
        self.case_changed: Signal[Case | None] = Signal()  # another case is on screen, or none
        self.phase_changed: Signal[Case] = Signal()
        self.radiograph_ready: Signal[Case] = Signal()
        self.findings_ready: Signal[Case] = Signal()
        self.text_streamed: Signal[Case] = Signal()
        self.explained: Signal[Case] = Signal()
        self.notice: Signal[Notice] = Signal()
        self.notices_outdated: Signal[()] = Signal()  # the work that a notice was about has begun again
        self.case: Case | None = None
        self.read_first = False
        self.seed = 0
        self._engine = engine
        self._background = background
        self._jobs = jobs
        self._read = read
        self._cases: OrderedDict[ImageSource, Case] = OrderedDict()
        engine.loading.connect(self._on_loading)
        engine.loaded.connect(lambda _loaded: jobs.finish("load"))
        engine.died.connect(self._on_worker_died)

    def open(self, source: ImageSource) -> None:
        """Put an image on screen; a case that was read before comes back as it was left."""
        if self.case is not None and self.case.source == source and self.case.phase is not Phase.UNREADABLE:
            return
        self._leave_case()
        self.notices_outdated.emit()
        case = self._cases.setdefault(source, Case(source, revealed=not self.read_first))
        self._cases.move_to_end(source)
        self._forget_old_radiographs()
        self.case = case
        if case.radiograph is None:
            case.phase = Phase.OPENING
        self.case_changed.emit(case)
        if case.radiograph is None:
            self._start_reading(case)
        else:
            self.radiograph_ready.emit(case)
            self._continue(case)

    def explain(self) -> None:
        """Ask the student and the teacher about the case on screen, again if they were asked before."""
        case = self.case
        if case is None or case.radiograph is None or case.phase is Phase.EXPLAINING:
            return
        self.notices_outdated.emit()
        case.text, case.problem, case.advice = "", "", ""
        request_id = self._engine.ask(
            "explain",
            lambda id_: Explain(id=id_, source=case.source, seed=self.seed),
            lambda answer: self._on_answer(case, answer),
        )
        case.request_id = request_id
        self._jobs.start(Job(request_id, "Waiting for the model", cancel=lambda: self._engine.cancel(request_id)))
        self._enter(case, Phase.EXPLAINING)

    def close_cases(self) -> None:
        """Forget every case of this sitting; nothing is on screen then."""
        self._leave_case()
        self.notices_outdated.emit()
        self._cases.clear()
        self.case = None
        self.case_changed.emit(None)

    def reveal(self) -> None:
        """Show the model's reading after the reader has given theirs."""
        if self.case is not None and not self.case.revealed:
            self.case.revealed = True
            self.phase_changed.emit(self.case)

    def set_read_first(self, *, on: bool) -> None:
        """Hide the model's reading of cases opened from now on until the reader asks for it."""
        self.read_first = on

    def _leave_case(self) -> None:
        case = self.case
        if case is not None and case.request_id is not None:
            self._engine.abandon(case.request_id)
            self._end_early(case, Phase.READY)

    def _forget_old_radiographs(self) -> None:
        for case in list(self._cases.values())[:-_RADIOGRAPHS_KEPT]:
            case.radiograph = None

    def _start_reading(self, case: Case) -> None:
        job_id = f"read {case.source.path} {case.source.frame}"
        self._jobs.start(Job(job_id, "Reading the image"))
        self._background.run(
            lambda: self._read(case.source),
            done=lambda radiograph: self._on_read(case, radiograph),
            failed=lambda error: self._on_unreadable(case, error),
            finished=lambda: self._jobs.finish(job_id),
            name="read",
        )

    def _on_read(self, case: Case, radiograph: Radiograph) -> None:
        case.radiograph = radiograph
        if case.phase is Phase.OPENING:
            case.phase = Phase.EXPLAINED if case.explanation is not None else Phase.READY
        if case is self.case:
            self.radiograph_ready.emit(case)
            self._continue(case)

    def _continue(self, case: Case) -> None:
        """Take up a case where it was left: explained ones are shown, the others are explained now."""
        if case.explanation is not None and case.phase is not Phase.EXPLAINING:
            self._enter(case, Phase.EXPLAINED)
            self.explained.emit(case)
        elif case.phase is Phase.DECLINED:
            self.phase_changed.emit(case)
            self.notice.emit(Notice(NoticeKind.REFUSAL, case.problem, case.advice))
        else:
            self.explain()

    def _on_unreadable(self, case: Case, error: KDistillError) -> None:
        case.problem, case.advice = error.problem, error.advice
        self._enter(case, Phase.UNREADABLE)
        self._notify(case, Notice(NoticeKind.PROBLEM, error.problem, error.advice))

    def _on_answer(self, case: Case, answer: Answer) -> None:
        match answer:
            case Progress(stage=stage, fraction=fraction):
                if case.request_id is not None:
                    self._jobs.update(case.request_id, stage.value, fraction)
            case FindingsReady(findings=findings):
                case.findings = findings
                self.findings_ready.emit(case)
            case TextStreamed(start=start, text=text):
                case.text = case.text[:start] + text
                self.text_streamed.emit(case)
            case Explained(id=id_, explanation=explanation):
                case.explanation, case.explanation_id = explanation, id_
                case.findings, case.text = explanation.findings, explanation.student.text
                self._end(case, Phase.EXPLAINED)
                self.explained.emit(case)
            case Declined(reason=reason, advice=advice):
                case.problem, case.advice = reason, advice
                self._end(case, Phase.DECLINED)
                self._notify(case, Notice(NoticeKind.REFUSAL, reason, advice))
            case Canceled():
                self._end_early(case, Phase.CANCELED)
            case Failed(problem=problem, advice=advice) | WorkerDied(problem=problem, advice=advice):
                case.problem, case.advice = problem, advice
                self._end_early(case, Phase.FAILED)
                self._notify(case, Notice(NoticeKind.PROBLEM, problem, advice, retry=self.explain))

    def _notify(self, case: Case, notice: Notice) -> None:
        if case is self.case:
            self.notice.emit(notice)

    def _end_early(self, case: Case, phase: Phase) -> None:
        """End a request without a result: an earlier explanation comes back, else what was written so far stays."""
        if case.explanation is None:
            self._end(case, phase)
            return
        case.findings, case.text = case.explanation.findings, case.explanation.student.text
        self._end(case, Phase.EXPLAINED)
        self.explained.emit(case)

    def _end(self, case: Case, phase: Phase) -> None:
        if case.request_id is not None:
            self._jobs.finish(case.request_id)
        case.request_id = None
        self._enter(case, phase)

    def _enter(self, case: Case, phase: Phase) -> None:
        case.phase = phase
        self.phase_changed.emit(case)

    def _on_loading(self, answer: Progress | Canceled | Failed | WorkerDied) -> None:
        if isinstance(answer, Progress):
            self._jobs.start(Job("load", answer.stage.value, answer.fraction))
            return
        self._jobs.finish("load")
        if isinstance(answer, Failed | WorkerDied):
            self.notice.emit(Notice(NoticeKind.PROBLEM, answer.problem, answer.advice, retry=self._load_again))

    def _load_again(self) -> None:
        self.notices_outdated.emit()
        self._engine.load()
        if self.case is not None and self.case.explanation is None:
            self.explain()

    def _on_worker_died(self, event: WorkerDied) -> None:
        self.notice.emit(Notice(NoticeKind.PROBLEM, event.problem, event.advice))
