"""The typed messages between a program and the engine, whether it runs in a worker process or in this one.

Requests go to the engine, events come back; each event names the request it belongs to. Arrays do not travel in
messages: :class:`SharedArray` names a shared-memory block that the receiver copies and releases.
Nothing here imports torch: the viewer reads this module.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from kdistill_core.records import Explanation, Finding, ImageSource, Provenance, SaliencyTarget


class Stage(StrEnum):
    """What the engine is busy with, in the order a first request meets them."""

    LOADING = "Loading the models"
    READING = "Reading the image"
    LOOKING = "Looking for findings"
    WRITING = "Writing the rationale"
    TEACHING = "Asking the teacher"
    ATTRIBUTING = "Computing the overlay"


class Request(msgspec.Struct, frozen=True, tag_field="type"):
    """``id`` is chosen by the caller and unique while the request is in flight."""

    id: str


class LoadModels(Request, frozen=True, tag="load"):
    """Load and warm up. ``student`` and ``teacher`` are folders; None means the bundled ones."""

    student: str | None = None
    teacher: str | None = None
    device: str = "auto"
    precision: str = "auto"


class Explain(Request, frozen=True, tag="explain"):
    """Explain one image: findings first, then the student's rationale token by token, then the teacher's."""

    source: ImageSource
    seed: int = 0
    max_new_tokens: int = 320


class Attribute(Request, frozen=True, tag="attribute"):
    """Compute a saliency map for a target of an explanation made earlier by request ``explanation_id``.

    ``explanation`` is for an engine that has not made it itself or has lost it: one that was just started, or an
    explanation that was read from a file. The client adds it where the engine needs it.
    """

    explanation_id: str
    target: SaliencyTarget
    method: str = ""  # empty: the default method for the target's kind
    explanation: Explanation | None = None


class Cancel(Request, frozen=True, tag="cancel"):
    """Stop request ``target_id`` at the next token or step; answered by ``Canceled`` for that request."""

    target_id: str


class Shutdown(Request, frozen=True, tag="shutdown"):
    """End the worker, whatever it is doing."""


AnyRequest = LoadModels | Explain | Attribute | Cancel | Shutdown


class Event(msgspec.Struct, frozen=True, tag_field="type"):
    """``id`` is that of the request it answers; empty for events about the worker itself."""

    id: str


class Loaded(Event, frozen=True, tag="loaded"):
    """The models are ready; names of both, and the device and precision that were chosen."""

    student: str
    teacher: str
    device: str
    precision: str
    methods: dict[str, tuple[str, ...]]  # saliency methods by target kind, the default first


class Progress(Event, frozen=True, tag="progress"):
    """What the engine is busy with, sent when a stage begins and as it goes on."""

    stage: Stage
    fraction: float | None = None  # None: no estimate


class FindingsReady(Event, frozen=True, tag="findings"):
    """The student's findings with calibrated probabilities, in the order of ``CONDITIONS``."""

    findings: tuple[Finding, ...]


class TextStreamed(Event, frozen=True, tag="text"):
    """A further piece of the student's rationale; ``start`` is its first character's offset."""

    start: int
    text: str


class Explained(Event, frozen=True, tag="explained"):
    """The whole explanation; its student text is what was streamed."""

    explanation: Explanation


class SharedArray(msgspec.Struct, frozen=True):
    """A C-contiguous array in a shared-memory block called ``name``; the receiver unlinks it."""

    name: str
    dtype: str
    shape: tuple[int, ...]


class Attributed(Event, frozen=True, tag="attributed"):
    """A saliency map, float32 [rows, columns] of the original image in [0, 1]; all zero where nothing counted."""

    values: SharedArray
    target: SaliencyTarget
    method: str
    peak: tuple[float, float]  # (-1, -1) for a map of zeros
    provenance: Provenance
    note: str = ""  # what has to be said of the map in plain words


class Declined(Event, frozen=True, tag="declined"):
    """The image is not a frontal chest radiograph as far as the program can tell; nothing was explained."""

    reason: str
    advice: str = ""


class Canceled(Event, frozen=True, tag="canceled"):
    """The request was canceled and will not be answered otherwise."""


class Failed(Event, frozen=True, tag="failed"):
    """The request could not be carried out; the engine stays ready for the next."""

    problem: str
    advice: str = ""


class WorkerDied(Event, frozen=True, tag="died"):
    """Made by the client, not the worker: the process ended by itself. A new one is started for the next request."""

    problem: str
    advice: str
    lost_requests: tuple[str, ...]


AnyEvent = (
    Loaded
    | Progress
    | FindingsReady
    | TextStreamed
    | Explained
    | Attributed
    | Declined
    | Canceled
    | Failed
    | WorkerDied
)
