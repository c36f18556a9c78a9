"""The models of a session: the student on its device, and the teacher's rationale library."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

import kdistill_core
from kdistill_core.engine.device import AUTO, Placement, choose_placement
from kdistill_core.engine.errors import EngineError
from kdistill_core.records import Provenance, RationaleAuthor
from kdistill_core.resources import resource
from kdistill_core.student import StudentModel, StudentProcessor
from kdistill_core.student.loading import load_student, weights_sha256
from kdistill_core.teacher.library import RationaleLibrary

DEMO_STUDENT = "models/student-demo"
_LIBRARY_FILE = "library.json"
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")


@dataclass(frozen=True, eq=False)
class Models:
    """What it takes to explain: loaded, placed and warmed up."""

    student: StudentModel
    processor: StudentProcessor
    library: RationaleLibrary
    placement: Placement
    student_name: str
    teacher_name: str
    weights_sha256: str

    def pixel_values(self, pixels: Tensor) -> Tensor:
        """Return ``pixels`` float32 [1, 1, S, S] as the processor makes them, on the student's device."""
        return pixels.to(self.placement.device, self.placement.dtype)

    def provenance(self, seed: int | None) -> Provenance:
        """Return what a result made now comes from."""
        return Provenance(
            model_name=self.student_name,
            # A checkpoint's only unforgeable version is its content.
            model_version=self.weights_sha256[:12],
            weights_sha256=self.weights_sha256,
            preprocessing_sha256=self.processor.preprocessing_sha256,
            seed=seed,
            software_version=kdistill_core.__version__,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            device=str(self.placement.device),
            precision=self.placement.precision,
        )


def load_models(
    student: Path | str | None = None,
    teacher: Path | str | None = None,
    *,
    device: str = AUTO,
    precision: str = AUTO,
) -> Models:
    """Load student and teacher from their folders, the bundled ones where None, and warm up.

    A teacher folder holds ``library.json``. Raises EngineError, StudentError, LibraryError or ResourceError, each
    naming the folder or file that is at fault.
    """
    placement = choose_placement(device, precision)
    folder = resource(DEMO_STUDENT) if student is None else Path(student)
    _check_weights(folder)
    model, processor = load_student(folder, dtype=placement.dtype)
    library = RationaleLibrary.load(None if teacher is None else Path(teacher) / _LIBRARY_FILE)
    model.to(placement.device)  # type: ignore[arg-type] # transformers' wrapper loses the signature of Module.to
    models = Models(
        student=model,
        processor=processor,
        library=library,
        placement=placement,
        student_name=folder.resolve().name,
        teacher_name=_name_of(library),
        weights_sha256=weights_sha256(folder),
    )
    _warm_up(models)
    return models


def _check_weights(folder: Path) -> None:
    """Tell the faults of a weights file apart that a loader would lump together, and name the file."""
    weights = sorted(folder.glob("*.safetensors"))
    pickled = sorted(path.name for pattern in _PICKLED for path in folder.glob(pattern))
    if folder.is_dir() and not weights and pickled:
        raise EngineError(
            f"The model folder {folder} holds its weights only in a pickled file ({pickled[0]}).",
            "Such a file can run any program when it is opened, so it is never read; save the model as safetensors.",
        )
    for path in weights:
        try:
            with safe_open(path, framework="pt"):
                continue
        except (SafetensorError, OSError) as error:
            raise EngineError(
                f"The weights file {path} is damaged or incomplete ({str(error).splitlines()[0]}).",
                "Copy the model folder again.",
            ) from error


def _name_of(library: RationaleLibrary) -> str:
    written = {e.provenance.model_name for e in library.entries if e.author is RationaleAuthor.LIBRARY}
    names = ", ".join(sorted(filter(None, written)))
    return f"rationale library ({names or 'knowledge base'})"


@torch.inference_mode()
def _warm_up(models: Models) -> None:
    """Run everything once, so that kernels and buffers are there when the first image comes."""
    size = models.processor.image_size
    pixels = models.pixel_values(torch.zeros(1, 1, size, size))
    start = models.processor(text="")["input_ids"].to(models.placement.device)
    models.student(pixel_values=pixels, input_ids=start)
