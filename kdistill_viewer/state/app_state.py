"""Everything the window shows and changes, put together once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kdistill_core.engine.messages import AnyEvent
from kdistill_core.imaging.entries import ImageEntry, SkippedFile
from kdistill_core.records import ImageSource, Radiograph
from kdistill_viewer.state.background import Background, Post
from kdistill_viewer.state.engine_link import Engine, EngineLink, ModelChoice, StartEngine
from kdistill_viewer.state.jobs import Jobs
from kdistill_viewer.state.overlays import Overlays
from kdistill_viewer.state.session import ReadRadiograph, Session
from kdistill_viewer.state.studies import FindImages, Studies


@dataclass(frozen=True)
class Services:
    """What the state stands on, so that tests can put something simpler in its place."""

    start_engine: StartEngine
    read: ReadRadiograph
    find_images: FindImages


class AppState:
    """The studies, the case on screen, its overlay, and the work under way."""

    def __init__(self, services: Services, post: Post, models: ModelChoice) -> None:
        self.jobs = Jobs()
        self.background = Background(post)
        self.engine = EngineLink(services.start_engine, post, models)
        self.studies = Studies(self.background, self.jobs, services.find_images)
        self.session = Session(self.engine, self.background, self.jobs, services.read)
        self.overlays = Overlays(self.engine, self.session, self.jobs)

    def close(self) -> bool:
        """End the engine and wait a moment for threads; True when none is left running."""
        self.studies.stop()
        self.engine.close()
        return self.background.join(timeout_s=1.0)


def real_services() -> Services:
    """Return the services of the program: the worker process and the readers of image files.

    Each is imported by its first use, in the thread that uses it.
    """
    return Services(start_engine=_start_worker, read=_read, find_images=_find)


def _start_worker(on_event: Callable[[AnyEvent], None]) -> Engine:
    from kdistill_core.engine.client import EngineProcess

    return EngineProcess(on_event)


def _read(source: ImageSource) -> Radiograph:
    from kdistill_core.imaging import read_radiograph

    return read_radiograph(source)


def _find(paths: list[Path]) -> Iterator[ImageEntry | SkippedFile]:
    from kdistill_core.imaging import find_images

    return find_images(paths)
