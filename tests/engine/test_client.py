"""The process boundary: a scripted performer in a real worker process, started, canceled, killed and closed."""

import os
import queue
import signal
import subprocess
import sys
import time
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import numpy as np
import pytest

from kdistill_core.conditions import Condition
from kdistill_core.engine import EngineError
from kdistill_core.engine.client import EngineProcess, take_array
from kdistill_core.engine.messages import (
    Attribute,
    Attributed,
    Canceled,
    Explain,
    Explained,
    Failed,
    Loaded,
    LoadModels,
    TextStreamed,
    WorkerDied,
)
from kdistill_core.records import ImageSource, SaliencyTarget, TargetKind

SCRIPT = Path(__file__).with_name("scripted_worker.py")
COMMAND = (sys.executable, "-W", "error", str(SCRIPT))
TARGET = SaliencyTarget(TargetKind.CONDITION, Condition.CARDIOMEGALY)
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


class Client:
    def __init__(self, tmp_path, command=COMMAND):
        self.events = queue.Queue()
        self.log = tmp_path / "log" / "engine.log"
        self.engine = EngineProcess(self.events.put, command=command, log_path=self.log)

    def wait_for(self, kind, timeout_s=60):
        end = time.monotonic() + timeout_s
        while True:
            event = self.events.get(timeout=max(end - time.monotonic(), 0.001))
            if isinstance(event, kind):
                return event


@pytest.fixture
def client(tmp_path):
    client = Client(tmp_path)
    yield client
    client.engine.close()


def explain(id_="case", words=3, path="image.png"):
    return Explain(id=id_, source=ImageSource(path), max_new_tokens=words)


def shared_blocks(pid):
    """Return the blocks that the worker of this process id has made and nobody has freed."""
    folder = Path("/dev/shm")
    return {path.name for path in folder.glob(f"kdistill_{pid}_*")} if folder.is_dir() else set()


def is_running(pid):
    status = Path(f"/proc/{pid}/stat")
    if not status.exists():
        return False
    return status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def wait_until(condition, timeout_s=30):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_nothing_starts_before_the_first_request(client):
    assert client.engine.process_id() is None


def test_streamed_text_arrives_in_order_and_prints_do_not_disturb_it(client):
    client.engine.submit(explain(words=5))
    pieces = [client.wait_for(TextStreamed) for _ in range(5)]
    explained = client.wait_for(Explained)
    assert [piece.start for piece in pieces] == [0, 5, 10, 15, 20]
    assert "".join(piece.text for piece in pieces) == explained.explanation.student.text


def test_an_array_arrives_once_and_its_memory_is_freed(client):
    client.engine.submit(explain())
    client.engine.submit(Attribute("map", "case", TARGET))
    event = client.wait_for(Attributed)
    if sys.platform.startswith("linux"):
        assert shared_blocks(client.engine.process_id()) == {event.values.name}
    values = take_array(event.values)
    expected = np.ones((3, 7), np.float32)
    expected[2, 6] = 0.5
    np.testing.assert_array_equal(values, expected)
    assert values.dtype == np.float32
    assert shared_blocks(client.engine.process_id()) == set()
    with pytest.raises(EngineError, match="no longer in memory"):
        take_array(event.values)


def test_arrays_that_nobody_took_are_freed_when_the_engine_is_closed_at_once(client):
    client.engine.submit(explain(words=1))
    client.wait_for(Explained)
    pid = client.engine.process_id()
    for index in range(20):
        client.engine.submit(Attribute(f"map {index}", "case", TARGET))
    client.engine.close()
    while not client.events.empty():
        event = client.events.get()
        if isinstance(event, Attributed):
            with pytest.raises(EngineError, match="no longer in memory"):
                take_array(event.values)
    assert not shared_blocks(pid)


@posix_only
def test_what_a_killed_worker_had_not_handed_over_is_freed_and_the_rest_can_still_be_taken(client):
    client.engine.submit(explain(words=1))
    client.engine.submit(Attribute("map", "case", TARGET))
    event = client.wait_for(Attributed)
    pid = client.engine.process_id()
    orphan = SharedMemory(name=f"kdistill_{pid}_orphan", create=True, size=16)
    orphan.close()
    resource_tracker.unregister(f"/{orphan.name}", "shared_memory")
    os.kill(pid, signal.SIGKILL)
    client.wait_for(WorkerDied)
    if sys.platform.startswith("linux"):
        assert shared_blocks(pid) == {event.values.name}
    assert take_array(event.values).shape == (3, 7)
    assert not shared_blocks(pid)


@posix_only
def test_a_killed_worker_is_reported_with_its_lost_requests_and_the_next_request_works(client):
    client.engine.submit(LoadModels("load", student="chosen"))
    client.wait_for(Loaded)
    client.engine.submit(explain("done", words=1))
    client.wait_for(Explained)
    client.engine.submit(explain("lost", words=1000))
    client.engine.submit(explain("waiting", words=1))
    client.wait_for(TextStreamed)
    first = client.engine.process_id()
    os.kill(first, signal.SIGKILL)
    died = client.wait_for(WorkerDied)
    assert died.lost_requests == ("lost", "waiting")
    assert "memory" in died.problem
    assert "next request" in died.advice
    # The explanation made in the first life is handed to the second, with the models that were chosen.
    client.engine.submit(Attribute("map", "done", TARGET))
    again = client.wait_for(Attributed)
    assert again.method == "chosen"
    assert take_array(again.values).max() == 1.0
    assert client.engine.process_id() != first


@posix_only
@pytest.mark.parametrize(
    ("number", "word"),
    [(signal.SIGSEGV, "crashed"), (signal.SIGTERM, "asked to stop"), (signal.SIGABRT, "internal fault")],
)
def test_each_way_to_die_has_its_own_plain_words(client, number, word):
    client.engine.submit(explain(words=1000))
    client.wait_for(TextStreamed)
    os.kill(client.engine.process_id(), number)
    assert word in client.wait_for(WorkerDied).problem


def test_canceling_stops_at_the_next_token(client):
    client.engine.submit(explain(words=100_000))
    client.wait_for(TextStreamed)
    client.engine.cancel("case")
    assert client.wait_for(Canceled, timeout_s=2).id == "case"
    client.engine.submit(explain("next", words=1))
    assert client.wait_for(Explained).id == "next"


def test_a_request_canceled_while_it_waits_is_never_started(client):
    client.engine.submit(explain("busy", words=30))
    client.engine.submit(explain("waiting", words=30))
    client.engine.cancel("waiting")
    client.wait_for(Explained)
    assert client.wait_for((TextStreamed, Canceled)) == Canceled("waiting")


@pytest.mark.parametrize(("path", "word"), [("memory", "not enough memory"), ("bug", "unexpected fault")])
def test_a_fault_while_working_fails_that_request_only(client, path, word):
    client.engine.submit(explain(path=path))
    assert word in client.wait_for(Failed).problem
    client.engine.submit(explain("next", words=1))
    assert client.wait_for(Explained).id == "next"


def test_the_log_names_the_place_of_a_fault_and_never_its_text(client):
    client.engine.submit(explain(path="bug"))
    client.wait_for(Failed)
    client.engine.close()
    text = client.log.read_text()
    assert "ZeroDivisionError" in text
    assert "scripted_worker.py" in text
    assert "patient" not in text


def test_closing_with_a_request_in_flight_ends_the_process_quickly(client):
    client.engine.submit(explain(words=100_000))
    client.wait_for(TextStreamed)
    pid = client.engine.process_id()
    began = time.monotonic()
    client.engine.close()
    assert time.monotonic() - began < 5
    assert not is_running(pid)
    with pytest.raises(EngineError, match="closed"):
        client.engine.submit(explain())
    client.engine.close()


@posix_only
def test_closing_ends_a_process_that_ignores_every_request_to_end(tmp_path, monkeypatch):
    monkeypatch.setattr("kdistill_core.engine.client._GRACE_S", (0.3, 0.3))
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
    client = Client(tmp_path, command=(sys.executable, "-c", deaf))
    client.engine.submit(explain())
    pid = client.engine.process_id()
    time.sleep(0.3)
    client.engine.close()
    assert not is_running(pid)


def test_a_program_that_cannot_be_started_is_an_error_in_plain_words(tmp_path):
    client = Client(tmp_path, command=(str(tmp_path / "absent"),))
    with pytest.raises(EngineError, match="cannot be started"):
        client.engine.submit(explain())
    client.engine.close()


@pytest.mark.parametrize("bytes_", [b"\x00\x00\x00\x05hello", b"\xff\xff\xff\xff", b"\x00\x00"])
def test_garbage_from_the_worker_is_reported_and_the_process_ended(tmp_path, monkeypatch, bytes_):
    monkeypatch.setattr("kdistill_core.engine.client._GRACE_S", (0.2, 0.2))
    code = f"import os, time; os.write(1, {bytes_!r}); os.close(1); time.sleep(600)"
    client = Client(tmp_path, command=(sys.executable, "-c", code))
    client.engine.submit(explain())
    died = client.wait_for(WorkerDied)
    assert "unreadable" in died.problem
    assert died.lost_requests == ("case",)
    client.engine.close()


@posix_only
def test_the_worker_ends_by_itself_when_its_parent_is_killed(tmp_path):
    program = f"""
import sys, time
from pathlib import Path
from kdistill_core.conditions import Condition
from kdistill_core.engine.client import EngineProcess
from kdistill_core.engine.messages import Attribute, Attributed, Explain, Explained
from kdistill_core.records import ImageSource, SaliencyTarget, TargetKind
def on_event(event):
    if isinstance(event, Attributed):
        print(engine.process_id(), flush=True)
engine = EngineProcess(on_event, command={COMMAND!r}, log_path=Path({str(tmp_path / "log")!r}))
engine.submit(Explain("case", ImageSource("x"), max_new_tokens=1))
engine.submit(Attribute("map", "case", SaliencyTarget(TargetKind.CONDITION, Condition.EDEMA)))
engine.submit(Explain("long", ImageSource("x"), max_new_tokens=100000))
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        worker = int(parent.stdout.readline())
        assert is_running(worker)
        if sys.platform.startswith("linux"):
            assert shared_blocks(worker)
        parent.kill()
        wait_until(lambda: not is_running(worker))
    wait_until(lambda: not shared_blocks(worker))


def test_the_client_never_imports_the_model_libraries():
    code = (
        "import sys, kdistill_core.engine.client, kdistill_core.engine.messages;"
        "print([m for m in ('torch', 'transformers', 'captum', 'safetensors') if m in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
