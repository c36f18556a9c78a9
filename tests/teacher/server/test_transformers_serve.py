"""A real server, ``transformers serve`` with a tiny random model, offline and on loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdistill_core.conditions import FINDING_CONDITIONS, State
from kdistill_core.teacher.context import RationaleContext
from kdistill_core.teacher.drafts import Request
from kdistill_core.teacher.prompter import Prompter
from kdistill_core.teacher.prompts import load_prompt
from kdistill_core.teacher.server.request import ServerSettings
from kdistill_core.teacher.server.writer import open_server_writer

# Seconds until a server that does not answer has failed; on an idle core it takes ten.
START = 240
PROMPT = load_prompt()
SETTINGS = ServerSettings(temperature=0.0, max_tokens=12)


@pytest.fixture(scope="module")
def served(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that has the tiny model; the server ends with the module."""
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    home = tmp_path_factory.mktemp("hub")
    # It lists the models of the hub's cache, and fails where there is no such folder.
    (home / "hub").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = Path(sys.executable).with_name("transformers")
    log = home / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [command, "serve", tiny_folder, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"],
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + START
    while time.monotonic() < ends:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"no server after {START} s: {log.read_text()}")


def test_a_real_server_writes_each_request_as_the_model_itself_does(served: str, tiny_folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    requests = [Request(RationaleContext(name, State.POSITIVE), 0, 0) for name in FINDING_CONDITIONS]
    writer = open_server_writer(served, PROMPT, model=str(tiny_folder), concurrency=4, settings=SETTINGS)
    drafts = list(writer.write(requests))
    assert sorted(draft.request.context.condition for draft in drafts) == sorted(FINDING_CONDITIONS)
    assert [draft.fault for draft in drafts] == [""] * len(drafts)

    tokenizer = AutoTokenizer.from_pretrained(tiny_folder)
    model = AutoModelForCausalLM.from_pretrained(tiny_folder)
    for draft in drafts[:3]:
        turns = [{"role": turn.role, "content": turn.content} for turn in Prompter(PROMPT).messages(draft.request)]
        inputs = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        with torch.inference_mode():
            written = model.generate(**inputs, do_sample=False, max_new_tokens=12, pad_token_id=0)
        text = tokenizer.decode(written[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        assert draft.text == text.strip()


def test_a_real_server_that_is_pinned_to_another_model_refuses_the_request(served: str) -> None:
    writer = open_server_writer(served, PROMPT, model="no/such-model", settings=SETTINGS)
    (draft,) = writer.write([Request(RationaleContext(FINDING_CONDITIONS[0], State.POSITIVE), 0, 0)])
    assert draft.text == ""
    assert "400" in draft.fault


def test_a_real_server_that_cannot_constrain_does_not_pass_for_one_that_can(served: str, tiny_folder: Path) -> None:
    settings = ServerSettings(temperature=0.0, max_tokens=12, constrain="regex")
    writer = open_server_writer(served, PROMPT, model=str(tiny_folder), settings=settings)
    (draft,) = writer.write([Request(RationaleContext(FINDING_CONDITIONS[0], State.POSITIVE), 0, 0)])
    assert "422" in draft.fault
