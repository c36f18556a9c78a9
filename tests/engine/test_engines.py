"""The two engines with a real, random student: the same answers, and a worker that may die."""

import os
import queue
import signal
import sys
import time
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from kdistill_core.conditions import Condition
from kdistill_core.engine.client import EngineProcess, take_array
from kdistill_core.engine.local import LocalEngine
from kdistill_core.engine.messages import (
    Attribute,
    Attributed,
    Canceled,
    Declined,
    Explain,
    Explained,
    Failed,
    FindingsReady,
    Loaded,
    LoadModels,
    Progress,
    Stage,
    TextStreamed,
    WorkerDied,
)
from kdistill_core.records import ImageSource, SaliencyTarget, TargetKind
from kdistill_core.saliency import methods_for

TARGET = SaliencyTarget(TargetKind.CONDITION, Condition.EDEMA)


class Client:
    def __init__(self, kind, tmp_path):
        self.events = queue.Queue()
        options = {"log_path": tmp_path / "engine.log"} if kind is EngineProcess else {}
        self.engine = kind(self.events.put, **options)

    def ask(self, request, timeout_s=240):
        self.engine.submit(request)
        return self.answer(request.id, timeout_s)

    def answer(self, request_id, timeout_s=240):
        """Return the events of a request up to its last."""
        events = []
        while True:
            event = self.events.get(timeout=timeout_s)
            if event.id == request_id:
                events.append(event)
                if not isinstance(event, Progress | FindingsReady | TextStreamed):
                    return events

    def wait_for(self, kind, timeout_s=240):
        while not isinstance(event := self.events.get(timeout=timeout_s), kind):
            pass
        return event


# Starting a worker imports the model libraries, which takes seconds: one serves all tests that leave it alive.
@pytest.fixture(scope="module", params=[LocalEngine, EngineProcess])
def client(request, tmp_path_factory, student_folder):
    client = Client(request.param, tmp_path_factory.mktemp("log"))
    client.ask(LoadModels("load", student=str(student_folder), device="cpu"))
    yield client
    client.engine.close()


@pytest.fixture
def process(tmp_path, student_folder):
    client = Client(EngineProcess, tmp_path)
    client.engine.submit(LoadModels("load", student=str(student_folder), device="cpu"))
    yield client
    client.engine.close()


def case(image_file, id_="case", tokens=20):
    return Explain(id_, ImageSource(str(image_file)), max_new_tokens=tokens)


def test_both_engines_give_the_same_explanation_and_the_same_overlays(tmp_path, student_folder, image_file):
    answers = []
    for kind in (LocalEngine, EngineProcess):
        client = Client(kind, tmp_path)
        loading = client.ask(LoadModels("load", student=str(student_folder), device="cpu"))
        assert {event.stage for event in loading[:-1]} == {Stage.LOADING}
        explained = client.ask(case(image_file))[-1]
        assert isinstance(explained, Explained)
        overlays = []
        span = explained.explanation.student.tokens[3].span
        for method in methods_for(TargetKind.CONDITION):
            event = client.ask(Attribute("map", "case", TARGET, method))[-1]
            overlays.append((take_array(event.values), event.peak))
        event = client.ask(Attribute("word", "case", SaliencyTarget(TargetKind.WORD, span=span)))[-1]
        overlays.append((take_array(event.values), event.peak))
        client.engine.close()
        answers.append((loading[-1], without_time(explained.explanation), overlays))
    (loaded, one, one_overlays), (other_loaded, other, other_overlays) = answers
    assert one == other
    assert loaded == other_loaded
    assert isinstance(loaded, Loaded)
    assert (loaded.student, loaded.device, loaded.precision) == ("chatterbox", "cpu", "float32")
    assert loaded.methods == {kind.value: methods_for(kind) for kind in TargetKind}
    for (values, peak), (other_values, other_peak) in zip(one_overlays, other_overlays, strict=True):
        np.testing.assert_allclose(values, other_values, atol=1e-4)
        assert peak == pytest.approx(other_peak, abs=1)


def without_time(explanation):
    """The same explanation, with the time of its making left out."""
    timeless = replace(explanation.provenance, created="")
    student = replace(explanation.student, provenance=timeless)
    return replace(explanation, provenance=timeless, student=student)


def test_events_of_an_explanation_come_in_order(client, image_file):
    events = client.ask(case(image_file))
    kinds = [event.stage if isinstance(event, Progress) else type(event) for event in events]
    streamed = [kind for kind in kinds if kind is TextStreamed]
    assert kinds == [
        Stage.READING,
        Stage.LOOKING,
        FindingsReady,
        Stage.WRITING,
        *streamed,
        Stage.TEACHING,
        Explained,
    ]
    text = "".join(event.text for event in events if isinstance(event, TextStreamed))
    assert text == events[-1].explanation.student.text != ""


def test_generation_stops_when_it_is_canceled(client, image_file):
    client.engine.submit(case(image_file, tokens=400))
    client.wait_for(TextStreamed)
    client.engine.cancel("case")
    assert client.answer("case")[-1] == Canceled("case")
    assert isinstance(client.ask(case(image_file, "next"))[-1], Explained)


def test_faults_are_told_and_the_engine_goes_on(client, tmp_path, image_file):
    missing = client.ask(case(tmp_path / "absent.png"))[-1]
    assert isinstance(missing, Failed)
    assert "absent.png" in missing.problem
    gone = client.ask(Attribute("map", "never explained", TARGET))[-1]
    assert isinstance(gone, Failed)
    assert "gone" in gone.problem


def test_a_student_that_cannot_be_loaded_is_told_and_another_can_be(client, tmp_path, student_folder):
    wrong = client.ask(LoadModels("wrong", student=str(tmp_path)))[-1]
    assert isinstance(wrong, Failed)
    assert "config.json" in wrong.problem
    assert isinstance(client.ask(LoadModels("right", student=str(student_folder), device="cpu"))[-1], Loaded)


def test_a_picture_that_is_no_radiograph_is_declined(client, tmp_path):
    from PIL import Image

    path = tmp_path / "small.png"
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
    assert isinstance(client.ask(case(path))[-1], Declined)


def test_an_overlay_of_an_explanation_from_elsewhere_is_computed_again(client, image_file, tmp_path):
    explanation = client.ask(case(image_file))[-1].explanation
    first = client.ask(Attribute("map", "case", TARGET))[-1]
    again = client.ask(Attribute("map", "from a file", TARGET, explanation=explanation))[-1]
    np.testing.assert_array_equal(take_array(first.values), take_array(again.values))
    copy = tmp_path / "copy.png"
    copy.write_bytes(image_file.read_bytes() + b"changed")
    moved = replace(explanation, image=replace(explanation.image, source=ImageSource(str(copy))))
    changed = client.ask(Attribute("map", "changed", TARGET, explanation=moved))[-1]
    assert isinstance(changed, Failed)
    assert "has changed" in changed.problem


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_worker_killed_while_it_writes_costs_that_request_only(process, image_file):
    process.answer("load")
    explained = process.ask(case(image_file, "done"))[-1]
    before = take_array(process.ask(Attribute("map", "done", TARGET))[-1].values)
    process.engine.submit(case(image_file, "lost", tokens=400))
    process.wait_for(TextStreamed)
    os.kill(process.engine.process_id(), signal.SIGKILL)
    died = process.wait_for(WorkerDied)
    assert died.lost_requests == ("lost",)
    assert "killed" in died.problem
    # The case that was open stays explorable, and the next image is explained as before.
    after = take_array(process.ask(Attribute("map", "done", TARGET))[-1].values)
    np.testing.assert_allclose(after, before, atol=1e-6)
    again = process.ask(case(image_file, "again"))[-1]
    assert without_time(again.explanation) == without_time(explained.explanation)


def test_closing_while_models_load_is_quick_and_leaves_no_process(process):
    process.wait_for(Progress)
    pid = process.engine.process_id()
    began = time.monotonic()
    process.engine.close()
    assert time.monotonic() - began < 5
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_local_engine_can_be_closed_while_it_writes(tmp_path, student_folder, image_file):
    client = Client(LocalEngine, tmp_path)
    client.engine.submit(LoadModels("load", student=str(student_folder), device="cpu"))
    client.engine.submit(case(image_file, tokens=400))
    client.wait_for(TextStreamed)
    client.engine.close()
    client.engine.close()
    assert client.answer("case", timeout_s=1)[-1] == Canceled("case")


def test_running_out_of_memory_is_told_and_the_session_kept(tmp_path, student_folder, image_file, monkeypatch):
    import torch

    client = Client(LocalEngine, tmp_path)
    client.ask(LoadModels("load", student=str(student_folder), device="cpu"))
    explained = client.ask(case(image_file))[-1]

    def exhausted(*args, **kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    with monkeypatch.context() as patch:
        patch.setattr("kdistill_core.engine.attribution.attribute", exhausted)
        failed = client.ask(Attribute("map", "case", TARGET))[-1]
    assert isinstance(failed, Failed)
    assert "not enough memory" in failed.problem
    assert "GiB" not in failed.problem
    attributed = client.ask(Attribute("map", "case", TARGET))[-1]
    assert isinstance(attributed, Attributed)
    assert take_array(attributed.values).shape == (
        explained.explanation.image.rows,
        explained.explanation.image.columns,
    )
    client.engine.close()


def test_requests_and_events_carry_nothing_but_data(image_file):
    """What crosses the process boundary is read back equal, field by field."""
    request = case(image_file)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(request), type=Explain) == request
