"""What the engine does with each request: models and recent cases kept at hand, events sent as the work goes on."""

from __future__ import annotations

import gc
from collections.abc import Callable

import torch

from kdistill_core.engine.arrays import ArrayOutbox
from kdistill_core.engine.attribution import attribute_case
from kdistill_core.engine.cases import Case, Recent, prepare_case
from kdistill_core.engine.errors import EngineError
from kdistill_core.engine.explaining import Watcher, explain_case, require_chest_radiograph
from kdistill_core.engine.messages import (
    AnyEvent,
    Attribute,
    Attributed,
    Explain,
    Explained,
    FindingsReady,
    Loaded,
    LoadModels,
    Progress,
    Stage,
    TextStreamed,
)
from kdistill_core.engine.models import Models, load_models
from kdistill_core.imaging import read_radiograph
from kdistill_core.records import Explanation, Radiograph, TargetKind
from kdistill_core.saliency import methods_for

# Explanations are small; a case holds the model's input and, for some files, a mask of the image's own size.
_KEPT_EXPLANATIONS = 256
_KEPT_CASES = 8

Emit = Callable[[AnyEvent], None]
Check = Callable[[], None]


class Session:
    """Carries out requests (the :class:`kdistill_core.engine.dispatch.Performer` with models behind it).

    Models are loaded by the first request that needs them: those asked for last, the bundled ones by default.
    """

    def __init__(self, outbox: ArrayOutbox) -> None:
        self._outbox = outbox
        self._wanted = LoadModels(id="")
        self._models: Models | None = None
        self._cases: Recent[Case] = Recent(_KEPT_CASES)
        self._explanations: Recent[Explanation] = Recent(_KEPT_EXPLANATIONS)

    def load(self, request: LoadModels, emit: Emit, check: Check) -> None:
        """Load the models asked for; the earlier ones are gone even where that fails."""
        self._wanted = request
        self._models = None
        self._cases.clear()
        self.free_memory()
        models = self._loaded(request.id, emit)
        check()
        emit(
            Loaded(
                id=request.id,
                student=models.student_name,
                teacher=models.teacher_name,
                device=str(models.placement.device),
                precision=models.placement.precision,
                methods={kind.value: methods_for(kind) for kind in TargetKind},
            )
        )

    def explain(self, request: Explain, emit: Emit, check: Check) -> None:
        models = self._loaded(request.id, emit)
        check()
        emit(Progress(request.id, Stage.READING))
        radiograph = read_radiograph(request.source)
        require_chest_radiograph(radiograph)
        check()
        case = prepare_case(models, radiograph)
        watcher = Watcher(
            on_stage=lambda stage: emit(Progress(request.id, stage)),
            on_findings=lambda findings: emit(FindingsReady(request.id, findings)),
            on_text=lambda start, text: emit(TextStreamed(request.id, start, text)),
            check=check,
        )
        explanation = explain_case(
            models, radiograph, case, watcher, seed=request.seed, max_new_tokens=request.max_new_tokens
        )
        self._cases.put(request.id, case)
        self._explanations.put(request.id, explanation)
        emit(Explained(request.id, explanation))

    def attribute(self, request: Attribute, emit: Emit, check: Check) -> None:
        models = self._loaded(request.id, emit)
        check()
        emit(Progress(request.id, Stage.ATTRIBUTING))
        explanation = request.explanation or self._explanations.get(request.explanation_id)
        if explanation is None:
            raise EngineError("The explanation that the overlay belongs to is gone.", "Explain the image again.")
        case = self._cases.get(request.explanation_id)
        if case is None:
            case = prepare_case(models, read_again(explanation))
            self._cases.put(request.explanation_id, case)
            self._explanations.put(request.explanation_id, explanation)
        check()
        overlay = attribute_case(models, case, explanation, request.target, request.method, check=check)
        emit(
            Attributed(
                id=request.id,
                values=self._outbox.put(overlay.values),
                target=overlay.target,
                method=overlay.method,
                peak=overlay.peak,
                provenance=overlay.provenance,
                note=overlay.note,
            )
        )

    def free_memory(self) -> None:
        """Give back what the device no longer needs."""
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        elif torch.backends.mps.is_available():
            torch.mps.empty_cache()

    def _loaded(self, request_id: str, emit: Emit) -> Models:
        if self._models is None:
            emit(Progress(request_id, Stage.LOADING))
            wanted = self._wanted
            self._models = load_models(wanted.student, wanted.teacher, device=wanted.device, precision=wanted.precision)
        return self._models


def read_again(explanation: Explanation) -> Radiograph:
    """Return the radiograph of an explanation. Raises ImagingError, or EngineError when the file has changed."""
    radiograph = read_radiograph(explanation.image.source)
    if radiograph.sha256 != explanation.image.sha256:
        raise EngineError(
            f"The file {explanation.image.source.path} has changed since it was explained.", "Explain it again."
        )
    return radiograph
