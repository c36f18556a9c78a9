"""A student run over the images of a data set: in batches, on any device, resumable after a kill.

What was said of an image is appended to a log as soon as its batch is done; a run that finds the log goes on behind it.
An image that cannot be read costs that image alone and is named with the reason.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import kdistill_core
from kdistill_core.condition_table import ConditionTable
from kdistill_core.conditions import Condition
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.predictions import Origin, Predictions
from kdistill_core.evaluation.result import Failure
from kdistill_core.imaging import ImagingError, read_radiograph
from kdistill_core.records import Provenance, StudyImage
from kdistill_core.serialization import RecordError, from_json, to_json
from kdistill_core.student import StudentModel, StudentProcessor
from kdistill_core.student.loading import load_student, weights_sha256

LONGEST_TEXT = 320

OnProgress = Callable[[int, int], None]
Check = Callable[[], None]


@dataclass(frozen=True, eq=False)
class PlacedStudent:
    """A student ready to be asked. provenance: of everything it says from here on."""

    model: StudentModel
    processor: StudentProcessor
    provenance: Provenance

    @property
    def thresholds(self) -> dict[Condition, float]:
        """The thresholds that are stored with the model, by condition."""
        named = zip(self.model.config.conditions, self.model.config.thresholds or (), strict=True)
        return {Condition(name): float(threshold) for name, threshold in named}


@dataclass(frozen=True)
class Said:
    """What a student said of one image; probabilities in the order of its conditions."""

    id: str
    probabilities: tuple[float, ...]
    report: str


@dataclass(frozen=True)
class RunSettings:
    """How a student is run. batch_size: images at once; readers: threads that read images ahead of the student."""

    batch_size: int = 32
    readers: int = 2
    longest_text: int = LONGEST_TEXT


def place_student(folder: Path, device: torch.device, dtype: torch.dtype = torch.float32) -> PlacedStudent:
    """Return the student in ``folder`` on ``device``. Raises StudentError."""
    model, processor = load_student(folder, dtype=dtype)
    model.to(device)  # type: ignore[arg-type] # transformers' wrapper loses the signature of Module.to
    weights = weights_sha256(folder)
    provenance = Provenance(
        model_name=folder.resolve().name,
        model_version=weights[:12],
        weights_sha256=weights,
        preprocessing_sha256=processor.preprocessing_sha256,
        prompt="",
        seed=None,  # texts are decoded greedily: nothing is drawn
        software_version=kdistill_core.__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        device=str(device),
        precision=str(dtype).removeprefix("torch."),
    )
    return PlacedStudent(model, processor, provenance)


def run_student(
    student: PlacedStudent,
    images: Sequence[StudyImage],
    origin: Origin,
    folder: Path,
    settings: RunSettings | None = None,
    *,
    on_progress: OnProgress | None = None,
    check: Check | None = None,
) -> tuple[Predictions, tuple[Failure, ...]]:
    """Return what ``student`` says of ``images``, in their order, and the images of which it says nothing.

    origin: data set and split, for the result. folder: where the log is kept; one of an earlier run with the same
    student, images and settings is gone on from, and those that failed then are tried again. on_progress: called with
    what is done and the total. check: called before each batch; an exception it raises ends the run, whose log stays.
    Raises EvaluationError where no image could be read or the device runs out of memory.
    """
    settings = settings or RunSettings()
    log = _Log(folder / f"said-{_identity(student, images, settings)}.jsonl")
    said = log.read()
    failures: list[Failure] = []
    waiting = [image for image in images if image.id not in said]
    done = len(images) - len(waiting)
    if on_progress is not None:
        on_progress(done, len(images))
    for batch in _read_ahead(student.processor, waiting, settings):
        if check is not None:
            check()
        good = [(image, pixels) for image, pixels in batch if not isinstance(pixels, Failure)]
        failures += [pixels for _, pixels in batch if isinstance(pixels, Failure)]
        if good:
            inputs = np.stack([pixels for _, pixels in good])
            new = ask_student(student, [image.id for image, _ in good], inputs, settings.longest_text)
            log.append(new)
            said |= {one.id: one for one in new}
        done += len(batch)
        if on_progress is not None:
            on_progress(done, len(images))
    kept = [said[image.id] for image in images if image.id in said]
    if not kept:
        raise EvaluationError(
            f"None of the {len(images)} images could be read; the first: {failures[0].id}: {failures[0].reason}"
            if failures
            else "There is no image to predict.",
            "Check the folder of the data set with `kdistill data check`.",
        )
    return _predictions(student, kept, origin), tuple(failures)


def _predictions(student: PlacedStudent, said: Sequence[Said], origin: Origin) -> Predictions:
    ids = tuple(one.id for one in said)
    conditions = tuple(Condition(name) for name in student.model.config.conditions)
    values = np.asarray([one.probabilities for one in said], dtype=np.float64).reshape(len(ids), len(conditions))
    return Predictions(
        ids,
        ConditionTable(ids, conditions, values),
        tuple(one.report for one in said),
        Origin(student.provenance, origin.data_set, origin.split, student.thresholds),
    )


@torch.inference_mode()
def ask_student(
    student: PlacedStudent, ids: Sequence[str], pixels: NDArray[np.float32], longest_text: int = LONGEST_TEXT
) -> list[Said]:
    """Return what ``student`` says of model inputs ``pixels`` float32 [B, S, S] in [0, 1]; texts are decoded greedily.

    Raises EvaluationError where the device runs out of memory.
    """
    model, processor = student.model, student.processor
    try:
        encoding = model.encode(processor.pixel_values(pixels).to(model.device, model.dtype))
        logits = encoding.condition_logits.float()  # type: ignore[union-attr] # of an image it is always there
        probabilities = model.probabilities(logits).cpu().double().tolist()
        texts = model.generate(  # type: ignore[misc] # its annotation names a protocol that no model fulfills
            prefix_embeds=model.prefix(encoding), max_new_tokens=_longest(model, longest_text), do_sample=False
        )
    except torch.OutOfMemoryError as error:
        raise EvaluationError(
            f"The device {model.device} has no memory left for {len(ids)} images at once.",
            "Choose a smaller --batch-size; what was predicted so far is kept.",
        ) from error
    reports = processor.tokenizer.batch_decode(texts, skip_special_tokens=True)
    return [
        Said(name, tuple(row), report.strip()) for name, row, report in zip(ids, probabilities, reports, strict=True)
    ]


def _longest(model: StudentModel, wanted: int) -> int:
    room: int = model.config.text_config.max_position_embeddings  # type: ignore[union-attr] # set by now
    return min(wanted, room - model.config.prefix_length - 1)


_Read = tuple[StudyImage, "NDArray[np.float32] | Failure"]


def _read_ahead(
    processor: StudentProcessor, images: Sequence[StudyImage], settings: RunSettings
) -> Iterator[list[_Read]]:
    """Yield batches of model inputs; the next is read while the student is busy with the one at hand."""
    batches = [images[start : start + settings.batch_size] for start in range(0, len(images), settings.batch_size)]
    with ThreadPoolExecutor(settings.readers) as pool:

        def submit(batch: Sequence[StudyImage]) -> list[tuple[StudyImage, Future[NDArray[np.float32] | Failure]]]:
            return [(image, pool.submit(_read, processor, image)) for image in batch]

        ahead = submit(batches[0]) if batches else []
        try:
            for index in range(len(batches)):
                current, ahead = ahead, submit(batches[index + 1]) if index + 1 < len(batches) else []
                yield [(image, future.result()) for image, future in current]
        finally:
            for _, future in ahead:
                future.cancel()


def _read(processor: StudentProcessor, image: StudyImage) -> NDArray[np.float32] | Failure:
    try:
        return processor.model_input(read_radiograph(image.source)).pixels
    except ImagingError as error:
        return Failure(image.id, without_folder(str(error), image.source.path))
    except OSError as error:
        return Failure(image.id, f"{Path(image.source.path).name}: {error.strerror or type(error).__name__}")


def without_folder(text: str, path: str) -> str:
    """Return ``text`` with the file at ``path`` called by its name alone: folders are named after people."""
    return text.replace(path, Path(path).name)


def _identity(student: PlacedStudent, images: Sequence[StudyImage], settings: RunSettings) -> str:
    """Return what names the log: everything that what is said depends on. The batch size is no part of it."""
    provenance = student.provenance
    digest = hashlib.sha256()
    parts = (provenance.weights_sha256, provenance.preprocessing_sha256, provenance.software_version)
    for part in (*parts, provenance.device.partition(":")[0], provenance.precision, str(settings.longest_text)):
        digest.update(part.encode() + b"\0")
    digest.update(repr(student.thresholds).encode())  # they decide what is written
    for image in images:
        digest.update(f"{image.id}\0{image.source.path}\0{image.source.frame}\0".encode())
    return digest.hexdigest()[:16]


class _Log:
    """A line of JSON for each image; the last may have been cut off by a kill."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, Said]:
        """Return what is there, by image, and cut off what follows the last whole line."""
        if not self._path.is_file():
            return {}
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            with self._path.open("r+b") as stream:
                stream.truncate(len(whole))
        try:
            said = [from_json(line, Said) for line in whole.splitlines()]
        except RecordError as error:
            raise EvaluationError(
                f"The log {self._path} of an interrupted run is damaged.", "Delete it, or start with --overwrite."
            ) from error
        return {one.id: one for one in said}

    def append(self, said: Sequence[Said]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as stream:
            stream.write(b"".join(to_json(one, indent=0) + b"\n" for one in said))
            stream.flush()
            os.fsync(stream.fileno())
