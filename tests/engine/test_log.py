"""The worker's log: a ring of limited size, and no reason to stop working."""

import os

from kdistill_core.engine import log


def drain(path, data):
    read, write = os.pipe()
    thread = log.drain_to_log(os.fdopen(read, "rb"), path)
    with os.fdopen(write, "wb") as pipe:
        pipe.write(data)
    thread.join(timeout=20)
    assert not thread.is_alive()


def test_lines_arrive_with_their_time(tmp_path):
    path = tmp_path / "new folder" / "engine.log"
    drain(path, b"one\ntw\xff\n")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line.split(" ", 2)[2] for line in lines] == ["one", "tw\N{REPLACEMENT CHARACTER}"]


def test_the_log_never_grows_beyond_its_ring(tmp_path, monkeypatch):
    monkeypatch.setattr(log, "_FILE_BYTES", 1000)
    drain(tmp_path / "engine.log", b"a line of some length\n" * 500)
    files = list(tmp_path.iterdir())
    assert len(files) == 3
    assert sum(file.stat().st_size for file in files) <= 3000


def test_a_folder_that_cannot_be_written_to_stops_nothing(tmp_path):
    (tmp_path / "taken").write_text("a file where the folder should be")
    drain(tmp_path / "taken" / "engine.log", b"line\n" * 100_000)
