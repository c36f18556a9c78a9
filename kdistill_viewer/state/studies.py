"""The images that were opened in this sitting, by patient and study, and the files that could not be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

from kdistill_core.imaging.entries import ImageEntry, SkippedFile
from kdistill_core.records import ImageSource, Patient
from kdistill_viewer.state.background import Background
from kdistill_viewer.state.jobs import Job, Jobs
from kdistill_viewer.state.signal import Signal

FindImages = Callable[[list[Path]], Iterator[ImageEntry | SkippedFile]]

# Entries go to the window in batches: one repaint for each of ten thousand files would stop it.
_BATCH = 50


@dataclass(frozen=True)
class StudyImage:
    """One frame of one file of the list, with what its header says."""

    entry: ImageEntry
    source: ImageSource


class Studies:
    """What the studies panel lists. Opening files adds to it; nothing is listed twice."""

    def __init__(self, background: Background, jobs: Jobs, find_images: FindImages) -> None:
        self.images_added: Signal[tuple[StudyImage, ...]] = Signal()
        self.skipped_added: Signal[tuple[SkippedFile, ...]] = Signal()
        self.opened: Signal[StudyImage] = Signal()  # the first image of what was opened, new or known
        self.nothing_found: Signal[tuple[SkippedFile, ...]] = Signal()
        self.cleared: Signal[()] = Signal()
        self.images: list[StudyImage] = []
        self.skipped: list[SkippedFile] = []
        self._background = background
        self._jobs = jobs
        self._find_images = find_images
        self._scans: list[_Scan] = []

    def open(self, paths: list[Path]) -> None:
        """List the images of files and folders, looking through them in the background."""
        scan = _Scan(self, len(self._scans) + 1, paths)
        self._scans.append(scan)
        scan.start(self._background, self._jobs, self._find_images)

    def stop(self) -> None:
        """Let every search under way end at its next file."""
        for scan in self._scans:
            scan.stop()

    def clear(self) -> None:
        self.images.clear()
        self.skipped.clear()
        self.cleared.emit()

    def neighbor(self, source: ImageSource, step: int) -> StudyImage | None:
        """Return the image ``step`` places after (or, negative, before) another one in the list's order."""
        sources = [image.source for image in self.images]
        if source not in sources:
            return self.images[0] if self.images else None
        index = sources.index(source) + step
        return self.images[index] if 0 <= index < len(self.images) else None

    def add(self, found: list[ImageEntry | SkippedFile]) -> tuple[StudyImage, ...]:
        """List what was found; returns its images, including those that were listed before."""
        images = [image for item in found if isinstance(item, ImageEntry) for image in _frames(item)]
        skipped = [item for item in found if isinstance(item, SkippedFile)]
        known = {image.source for image in self.images}
        new_images = tuple(image for image in images if image.source not in known)
        new_skipped = tuple(item for item in skipped if item not in self.skipped)
        self.images.extend(new_images)
        self.skipped.extend(new_skipped)
        if new_images:
            self.images_added.emit(new_images)
        if new_skipped:
            self.skipped_added.emit(new_skipped)
        return tuple(images)


class _Scan:
    """One look through files and folders; it can be stopped between two files."""

    def __init__(self, studies: Studies, number: int, paths: list[Path]) -> None:
        self._studies = studies
        self._paths = paths
        self._job_id = f"scan-{number}"
        self._stop = Event()
        self._first: StudyImage | None = None
        self._skipped: list[SkippedFile] = []

    def stop(self) -> None:
        self._stop.set()

    def start(self, background: Background, jobs: Jobs, find_images: FindImages) -> None:
        def look() -> int:
            batch: list[ImageEntry | SkippedFile] = []
            count = 0
            for item in find_images(self._paths):
                if self._stop.is_set():
                    break
                batch.append(item)
                count += 1
                # The very first one goes at once, so that an image shows while the rest of a disc is looked at.
                if len(batch) >= _BATCH or count == 1:
                    self._hand_over(background, jobs, batch, count)
                    batch = []
            self._hand_over(background, jobs, batch, count)
            return count

        jobs.start(Job(self._job_id, "Looking for images", cancel=self.stop))
        background.run(
            look,
            done=lambda _count: self._end(),
            failed=lambda error: self._take([SkippedFile("", str(error))]),
            finished=lambda: jobs.finish(self._job_id),
            name="scan",
        )

    def _hand_over(self, background: Background, jobs: Jobs, batch: list[ImageEntry | SkippedFile], count: int) -> None:
        text = f"Looking for images: {count:,} files"
        background.post(lambda: jobs.update(self._job_id, text, None))
        background.post(lambda: self._take(batch))

    def _take(self, batch: list[ImageEntry | SkippedFile]) -> None:
        images = self._studies.add(batch)
        self._skipped.extend(item for item in batch if isinstance(item, SkippedFile))
        if self._first is None and images:
            self._first = images[0]
            self._studies.opened.emit(self._first)

    def _end(self) -> None:
        if self._first is None and not self._stop.is_set():
            self._studies.nothing_found.emit(tuple(self._skipped))


def _frames(entry: ImageEntry) -> list[StudyImage]:
    return [
        StudyImage(entry, replace(entry.source, frame=entry.source.frame + number))
        for number in range(max(entry.frames, 1))
    ]


def patient_title(patient: Patient) -> str:
    """Return how a patient is called in the window, which shows names; nothing else of the program does."""
    name = " ".join(part for part in patient.name.replace("^", " ").split() if part)
    if name and patient.id:
        return f"{name} ({patient.id})"
    return name or patient.id or "No patient named"


def study_title(entry: ImageEntry) -> str:
    """Return a study's date and description."""
    date = entry.study_date
    if len(date) == 8 and date.isdigit():
        date = f"{date[:4]}-{date[4:6]}-{date[6:]}"
    return " \N{MIDDLE DOT} ".join(part for part in (date, entry.study_description) if part) or "Undated study"


def image_title(image: StudyImage) -> str:
    """Return an image's view, modality and file name, and which frame of it this is."""
    entry = image.entry
    parts = [entry.view_position, entry.modality, Path(image.source.path).name]
    if entry.frames > 1:
        parts.append(f"frame {image.source.frame + 1} of {entry.frames}")
    return " \N{MIDDLE DOT} ".join(part for part in parts if part)


def skipped_line(item: SkippedFile) -> str:
    """Return why a file was passed over, with its name once."""
    name = Path(item.path).name or item.path
    return item.reason if not name or name in item.reason else f"{name}: {item.reason}"
