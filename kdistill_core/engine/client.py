"""The engine in a process of its own: started, talked to, watched and ended from here.

Nothing here imports torch; a program with a window uses this module and :mod:`kdistill_core.engine.messages` only.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

import kdistill_core
from kdistill_core.engine.arrays import discard_array, discard_arrays_of, take_array
from kdistill_core.engine.errors import EngineError
from kdistill_core.engine.exits import describe_exit
from kdistill_core.engine.framing import FrameError, read_event, write_message
from kdistill_core.engine.log import drain_to_log, log_file
from kdistill_core.engine.messages import (
    AnyEvent,
    AnyRequest,
    Attribute,
    Attributed,
    Cancel,
    Canceled,
    Declined,
    Explained,
    Failed,
    Loaded,
    LoadModels,
    Shutdown,
    WorkerDied,
)
from kdistill_core.records import Explanation

__all__ = ["EngineProcess", "discard_array", "take_array"]

# Explanations whose overlays can still be asked for after the worker was started anew.
_KEPT_EXPLANATIONS = 64
# How long a worker that was asked to end may take before it is ended by force: asked, then terminated, seconds.
_GRACE_S = (3.0, 2.0)
_FINAL_EVENTS = (Loaded, Explained, Attributed, Declined, Canceled, Failed)

OnEvent = Callable[[AnyEvent], None]


class EngineProcess:
    """Sends requests to a worker process and hands its events to ``on_event``, which is called from another thread.

    ``on_event`` must not raise. The worker is started by the first request and started anew by the first request
    after it died; the models that were asked for last are loaded again then. ``submit``, ``cancel`` and ``close`` may
    be called from any thread and, except for ``close``, return at once. After ``close`` returns ``on_event`` is not
    called any more.
    """

    def __init__(
        self, on_event: OnEvent, *, command: Sequence[str] | None = None, log_path: Path | None = None
    ) -> None:
        self._on_event = on_event
        self._command = tuple(command) if command is not None else worker_command()
        self._log_path = log_path if log_path is not None else log_file()
        self._lock = threading.RLock()
        self._worker: _Worker | None = None
        self._models: LoadModels | None = None
        self._explanations: OrderedDict[str, Explanation] = OrderedDict()
        self._closed = False

    def submit(self, request: AnyRequest) -> None:
        """Send a request. Raises EngineError when the engine is closed or no process can be started."""
        with self._lock:
            if self._closed:
                raise EngineError("The engine is closed.")
            if isinstance(request, Cancel) and (self._worker is None or self._worker.ended):
                return  # what it would cancel was reported lost
            if not self._send(request):
                self._send(request)  # it died just now; this starts the next one
            if isinstance(request, LoadModels):
                self._models = request

    def cancel(self, request_id: str) -> None:
        """Ask for a request to stop; it answers with ``Canceled``, or with its result where it was done already."""
        self.submit(Cancel(id=f"cancel {request_id}", target_id=request_id))

    def close(self) -> None:
        """End the worker: ask it, then terminate it, then kill it. Never hangs; later calls do nothing."""
        with self._lock:
            self._closed = True
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.end()

    def process_id(self) -> int | None:
        """Return the worker's process id, or None while there is no worker."""
        with self._lock:
            return None if self._worker is None or self._worker.ended else self._worker.process.pid

    def _send(self, request: AnyRequest) -> bool:
        worker = self._running_worker(request)
        if isinstance(request, Attribute):
            request = self._with_explanation(request, worker)
        return worker.send(request)

    def _running_worker(self, request: AnyRequest) -> _Worker:
        if self._worker is not None and not self._worker.ended:
            return self._worker
        self._worker = _Worker(self._command, self._log_path, self._receive)
        if self._models is not None and not isinstance(request, LoadModels):
            self._worker.send(msgspec.structs.replace(self._models, id=""))
        return self._worker

    def _with_explanation(self, request: Attribute, worker: _Worker) -> Attribute:
        if request.explanation is not None or request.explanation_id in worker.explained:
            return request
        return msgspec.structs.replace(request, explanation=self._explanations.get(request.explanation_id))

    def _receive(self, event: AnyEvent) -> None:
        """Take an event of the worker's reader thread."""
        with self._lock:
            if isinstance(event, Explained):
                self._explanations[event.id] = event.explanation
                self._explanations.move_to_end(event.id)
                while len(self._explanations) > _KEPT_EXPLANATIONS:
                    self._explanations.popitem(last=False)
            closed = self._closed
        if not closed:
            self._on_event(event)
        elif isinstance(event, Attributed):
            discard_array(event.values)


class _Worker:
    """One life of the worker process, with a thread that writes to it and one that reads from it."""

    def __init__(self, command: Sequence[str], log_path: Path, on_event: OnEvent) -> None:
        self._on_event = on_event
        self._lock = threading.Lock()
        self._outgoing: queue.SimpleQueue[AnyRequest | None] = queue.SimpleQueue()
        self._in_flight: list[str] = []
        self._ending = False
        self.ended = False
        self._handed_over: set[str] = set()  # names of arrays
        self.explained: set[str] = set()
        self.process = _start(command)
        self._threads = [
            drain_to_log(cast("BinaryIO", self.process.stderr), log_path),
            threading.Thread(target=self._write, name="engine-write", daemon=True),
            threading.Thread(target=self._read, name="engine-read", daemon=True),
        ]
        for thread in self._threads[1:]:
            thread.start()

    def send(self, request: AnyRequest) -> bool:
        """Queue a request; returns False when the process is known to be dead."""
        with self._lock:
            if self.ended:
                return False
            if not isinstance(request, Cancel | Shutdown):
                self._in_flight.append(request.id)
            self._outgoing.put(request)
        return True

    def end(self) -> None:
        self._ending = True
        self._outgoing.put(Shutdown(id=""))
        self._outgoing.put(None)
        _wait_or_end(self.process)
        for thread in self._threads:
            # The caller may be one of these threads: an event handler that closes the engine.
            if thread is not threading.current_thread():
                thread.join(timeout=_GRACE_S[0])

    def _write(self) -> None:
        """Write requests until told to stop. A broken pipe is left to the reader, which sees why."""
        pipe = cast("BinaryIO", self.process.stdin)
        broken = False
        while (request := self._outgoing.get()) is not None:
            try:
                if not broken:
                    write_message(pipe, request)
            except OSError:
                broken = True
        try:
            pipe.close()
        except OSError:
            return  # what was still buffered has nowhere to go

    def _read(self) -> None:
        understood = True
        with cast("BinaryIO", self.process.stdout) as pipe:
            try:
                while (event := read_event(pipe)) is not None:
                    self._note(event)
                    self._on_event(event)
            except FrameError:
                # Also met when the process died in the middle of a message: then its exit code says why.
                understood = self.process.poll() is not None or _ended_soon(self.process)
        self._report_end(understood=understood)

    def _note(self, event: AnyEvent) -> None:
        if isinstance(event, Explained):
            self.explained.add(event.id)
        elif isinstance(event, Attributed):
            self._handed_over.add(event.values.name)
        if isinstance(event, _FINAL_EVENTS):
            with self._lock:
                if event.id in self._in_flight:
                    self._in_flight.remove(event.id)

    def _report_end(self, *, understood: bool) -> None:
        _wait_or_end(self.process)
        discard_arrays_of(self.process.pid, self._handed_over)
        with self._lock:
            self.ended = True
            lost = tuple(id_ for id_ in self._in_flight if id_)
            self._in_flight.clear()
        self._outgoing.put(None)
        if not self._ending:
            problem, advice = describe_exit(self.process.returncode if understood else None)
            self._on_event(WorkerDied(id="", problem=problem, advice=advice, lost_requests=lost))


def worker_command() -> tuple[str, ...]:
    """Return the command line that starts a worker: this interpreter, without the current folder on its path."""
    python = Path(sys.executable)
    # pythonw.exe leaves its children without usable standard streams.
    console = python.with_name("python.exe")
    if python.name.lower() == "pythonw.exe" and console.exists():
        python = console
    return (str(python), "-P", "-m", "kdistill_core.engine.worker")


def worker_environment() -> dict[str, str]:
    """Return the worker's environment: this program's, with the network and telemetry of libraries switched off."""
    package_root = str(Path(kdistill_core.__file__).resolve().parents[1])
    inherited = os.environ.get("PYTHONPATH", "")
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, [package_root, inherited])),
        "PYTHONIOENCODING": "utf-8",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "DO_NOT_TRACK": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=worker_environment(),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        raise EngineError(
            f"The model process cannot be started ({error.strerror}).",
            "Check that the installation is complete with `kdistill doctor`.",
        ) from error


def _ended_soon(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(timeout=0.5)
    except subprocess.TimeoutExpired:
        return False
    return True


def _wait_or_end(process: subprocess.Popen[bytes]) -> None:
    """Wait for the process to end by itself, then make it. A killed process is always reaped."""
    for grace_s, force in zip(_GRACE_S, (process.terminate, process.kill), strict=True):
        try:
            process.wait(timeout=grace_s)
        except subprocess.TimeoutExpired:
            force()
        else:
            return
    process.wait()
