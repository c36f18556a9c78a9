"""Which saliency map lies over the image: the target that was clicked, the one under the pointer, and their maps."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from kdistill_core.engine.messages import Attribute, Failed, Loaded, Progress, WorkerDied
from kdistill_core.records import SaliencyMap, SaliencyTarget, TargetKind
from kdistill_viewer.state.case import Case, Phase, target_title, top_target
from kdistill_viewer.state.engine_link import Answer, EngineLink
from kdistill_viewer.state.jobs import Job, Jobs
from kdistill_viewer.state.notices import Notice, NoticeKind
from kdistill_viewer.state.session import Session
from kdistill_viewer.state.signal import Signal

# A map of a 3000 x 3000 radiograph takes 36 MB, so about a dozen of the largest stay at hand.
_CACHE_BYTES = 400 * 2**20


@dataclass(frozen=True)
class MapKey:
    """A map is the answer to one target of one explanation by one method."""

    explanation_id: str
    target: SaliencyTarget
    method: str


class Overlays:
    """The overlay of the case on screen.

    A click pins a target. Hovering previews one, and the pinned one comes back when the pointer leaves.
    """

    def __init__(self, engine: EngineLink, session: Session, jobs: Jobs) -> None:
        self.map_changed: Signal[SaliencyMap | None] = Signal()
        self.targets_changed: Signal[()] = Signal()  # what is pinned, previewed, or waited for
        self.methods_changed: Signal[()] = Signal()
        self.notice: Signal[Notice] = Signal()
        self.previewed: SaliencyTarget | None = None
        self.shown: SaliencyMap | None = None
        self.available: dict[str, tuple[str, ...]] = {}
        self._engine = engine
        self._session = session
        self._jobs = jobs
        self._maps: OrderedDict[MapKey, SaliencyMap] = OrderedDict()
        self._asked: tuple[str, MapKey] | None = None  # the request under way
        session.case_changed.connect(self._on_case)
        session.explained.connect(self._on_explained)
        session.phase_changed.connect(self._on_phase)
        engine.loaded.connect(self._on_loaded)

    @property
    def pinned(self) -> SaliencyTarget | None:
        return None if self._session.case is None else self._session.case.pinned

    @property
    def wanted(self) -> SaliencyTarget | None:
        """The target whose map is on screen or on its way."""
        return self.previewed if self.previewed is not None else self.pinned

    @property
    def waiting(self) -> bool:
        """Whether a map is being computed."""
        return self._asked is not None

    def pin(self, target: SaliencyTarget | None) -> None:
        """Show a target until another one is pinned; None takes the overlay away."""
        case = self._session.case
        if case is None:
            return
        case.pinned = target
        self.previewed = None
        self._show_wanted()

    def preview(self, target: SaliencyTarget | None) -> None:
        """Show a target while the pointer rests on it."""
        if target == self.previewed:
            return
        self.previewed = target
        self._show_wanted()

    def methods(self) -> tuple[str, ...]:
        """The methods that can explain the wanted target, the default first."""
        target = self.wanted
        kind = TargetKind.CONDITION if target is None else target.kind
        return self.available.get(kind.value, ())

    def method(self) -> str:
        """The method in use for the wanted target's kind; empty as long as the engine has not said which it has."""
        case, target, methods = self._session.case, self.wanted, self.methods()
        if case is None or not methods:
            return ""
        kind = TargetKind.CONDITION if target is None else target.kind
        chosen = case.methods.get(kind, methods[0])
        return chosen if chosen in methods else methods[0]

    def choose_method(self, method: str) -> None:
        """Explain the wanted target's kind by ``method`` from now on."""
        case, target = self._session.case, self.wanted
        if case is None or method == self.method():
            return
        case.methods[TargetKind.CONDITION if target is None else target.kind] = method
        self.methods_changed.emit()
        self._show_wanted()

    def maps_of(self, case: Case) -> tuple[SaliencyMap, ...]:
        """Every map of a case that is still at hand, the one on screen first: an export shows that one."""
        kept = [values for key, values in self._maps.items() if key.explanation_id == case.explanation_id]
        return tuple(sorted(kept, key=lambda values: values is not self.shown))

    def _show_wanted(self) -> None:
        self._drop_request()
        self.targets_changed.emit()
        self.methods_changed.emit()
        case, target = self._session.case, self.wanted
        if case is None or target is None or case.explanation_id is None or case.phase is Phase.EXPLAINING:
            self._show(None)
            return
        key = MapKey(case.explanation_id, target, self.method())
        known = self._maps.get(key)
        if known is None:
            self._ask(case, key)
        else:
            self._maps.move_to_end(key)
            self._show(known)

    def _ask(self, case: Case, key: MapKey) -> None:
        request_id = self._engine.ask(
            "attribute",
            lambda id_: Attribute(id=id_, explanation_id=key.explanation_id, target=key.target, method=key.method),
            lambda answer: self._on_answer(key, answer),
        )
        self._asked = (request_id, key)
        text = "Computing the overlay"
        if case.revealed:  # the name of a finding would give the model's reading away
            text = f"{text} of {target_title(key.target, case.text)}"
        self._jobs.start(Job(request_id, text, cancel=lambda: self._engine.cancel(request_id)))
        self.targets_changed.emit()

    def _drop_request(self) -> None:
        if self._asked is not None:
            request_id, _ = self._asked
            self._asked = None
            self._engine.abandon(request_id)
            self._jobs.finish(request_id)
            self.targets_changed.emit()

    def _on_answer(self, key: MapKey, answer: Answer) -> None:
        if self._asked is None or self._asked[1] != key:
            return
        request_id = self._asked[0]
        if isinstance(answer, Progress):
            self._jobs.update(request_id, answer.stage.value, answer.fraction)
            return
        self._asked = None
        self._jobs.finish(request_id)
        self.targets_changed.emit()
        if isinstance(answer, SaliencyMap):
            self._keep(key, answer)
            self._show(answer)
        elif isinstance(answer, Failed | WorkerDied):
            self.notice.emit(Notice(NoticeKind.PROBLEM, answer.problem, answer.advice, retry=self._show_wanted))

    def _keep(self, key: MapKey, values: SaliencyMap) -> None:
        self._maps[key] = values
        while len(self._maps) > 1 and sum(kept.values.nbytes for kept in self._maps.values()) > _CACHE_BYTES:
            self._maps.popitem(last=False)

    def _show(self, values: SaliencyMap | None) -> None:
        self.shown = values
        self.map_changed.emit(values)

    def _on_case(self, _case: Case | None) -> None:
        self._drop_request()
        self.previewed = None
        self.targets_changed.emit()
        self._show(None)

    def _on_explained(self, case: Case) -> None:
        if case is not self._session.case or case.radiograph is None:
            return
        if case.pinned is None or not _still_there(case.pinned, case.text):
            case.pinned = top_target(case.findings)
        self._show_wanted()

    def _on_phase(self, case: Case) -> None:
        # While an image is explained anew, an overlay of its former text would lie under the new one.
        if case is self._session.case and case.phase is Phase.EXPLAINING:
            self._drop_request()
            self.previewed = None
            self._show(None)

    def _on_loaded(self, event: Loaded) -> None:
        self.available = dict(event.methods)
        self.methods_changed.emit()


def _still_there(target: SaliencyTarget, text: str) -> bool:
    return target.span is None or target.span.end <= len(text)
