"""Servers that misbehave, by a script on loopback: none is waited for endlessly, none is believed without need."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from kdistill_core.conditions import Condition, State
from kdistill_core.teacher.context import RationaleContext
from kdistill_core.teacher.drafts import Draft, Request
from kdistill_core.teacher.errors import KnowledgeError
from kdistill_core.teacher.prompts import load_prompt
from kdistill_core.teacher.server import client as server_client
from kdistill_core.teacher.server import writer as server_writer
from kdistill_core.teacher.server.address import read_address
from kdistill_core.teacher.server.client import Backoff
from kdistill_core.teacher.server.faults import TeacherServerError
from kdistill_core.teacher.server.request import ServerSettings
from kdistill_core.teacher.server.writer import AHEAD, KEY_VARIABLE, STOP_AFTER, ServerWriter, open_server_writer

PROMPT = load_prompt()
QUICK = Backoff(retries=2, first_wait=0.01, longest_wait=2)
EDEMA = RationaleContext(Condition.EDEMA, State.POSITIVE)
SECRET = "Mr Example of Ward 7 has edema."
REPORTED = RationaleContext(Condition.EDEMA, State.POSITIVE, sentence=SECRET)
MODELS = {"object": "list", "data": [{"id": "tiny", "object": "model", "created": 1, "owned_by": "us", "root": "/m"}]}
WRITTEN = "Finding: There is edema."


class Exchange:
    """One request as the server sees it. sent: how often this request, told by its seed, has come so far."""

    def __init__(self, handler: BaseHTTPRequestHandler, body: dict[str, Any], sent: int, closing: threading.Event):
        self.handler = handler
        self.body = body
        self.sent = sent
        self.closing = closing

    def reply(self, body: bytes | object, status: int = 200, **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.begin(len(data), status, **headers)
        self.handler.wfile.write(data)

    def begin(self, length: int, status: int = 200, **headers: str) -> None:
        self.handler.send_response(status)
        self.handler.send_header("Content-Type", "application/json")
        self.handler.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()

    def write(self, content: str | None = WRITTEN) -> None:
        self.reply({"choices": [{"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}]})


Script = Callable[[Exchange], None]


class Server:
    def __init__(self) -> None:
        self.url = ""
        self.seen: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.closing = threading.Event()
        self.lock = threading.Lock()


@contextmanager
def serving(script: Script, models: Script = lambda exchange: exchange.reply(MODELS)) -> Iterator[Server]:
    """Serve until the block ends; a client that leaves a connection open makes the end fail."""
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def handle(self) -> None:
            with suppress(ConnectionError):
                super().handle()

        def do_GET(self) -> None:
            server.headers.append({name.lower(): value for name, value in self.headers.items()})
            models(Exchange(self, {}, 1, server.closing))

        def do_POST(self) -> None:
            received = self.rfile.read(int(self.headers["Content-Length"]))
            if len(received) < int(self.headers["Content-Length"]):
                # The client has left while it was sending.
                self.close_connection = True
                return
            body = json.loads(received)
            with server.lock:
                server.seen.append(body)
                server.headers.append({name.lower(): value for name, value in self.headers.items()})
                sent = sum(body["seed"] == other["seed"] for other in server.seen)
                server.in_flight += 1
                server.most_in_flight = max(server.most_in_flight, server.in_flight)
            try:
                script(Exchange(self, body, sent, server.closing))
            except OSError:
                self.close_connection = True
            finally:
                with server.lock:
                    server.in_flight -= 1

        def log_message(self, *args: Any) -> None:
            pass

    class Listener(ThreadingHTTPServer):
        daemon_threads = False
        request_queue_size = 64

    with Listener(("127.0.0.1", 0), Handler) as listener:
        server.url = f"http://127.0.0.1:{listener.server_port}/v1"
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            listener.shutdown()
            thread.join()
            started = time.monotonic()
            listener.server_close()
            assert time.monotonic() - started < 8, "a connection was left open"


def requests(count: int, context: RationaleContext = EDEMA) -> list[Request]:
    return [Request(context, attempt, seed=3) for attempt in range(count)]


def opened(server: Server, **more: Any) -> ServerWriter:
    return open_server_writer(
        server.url, PROMPT, **{"backoff": QUICK, "request_seconds": 20.0, "concurrency": 4, **more}
    )


def drafts_of(script: Script, count: int = 1, **more: Any) -> tuple[list[Draft], Server]:
    with serving(script) as server:
        drafts = list(opened(server, **more).write(requests(count)))
    return drafts, server


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "teacher-server"]


@pytest.fixture(autouse=True)
def _nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    yield
    assert threads() == []


def test_each_request_is_answered_once_with_its_own_text() -> None:
    drafts, server = drafts_of(lambda exchange: exchange.write(f"Finding: {exchange.body['seed']}."), 50)
    assert sorted(draft.request.attempt for draft in drafts) == list(range(50))
    assert all(draft.text == f"Finding: {draft.request.draw % 2**31}." and not draft.fault for draft in drafts)
    assert len(server.seen) == 50


def test_the_request_says_what_the_prompt_and_the_settings_say() -> None:
    settings = ServerSettings(temperature=0.5, top_p=0.8, max_tokens=99, stop=("END",))
    _, server = drafts_of(Exchange.write, settings=settings)
    (body,) = server.seen
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert body["messages"][1]["content"].startswith("Condition: Edema, present")
    seed = body.pop("seed")
    assert 0 <= seed < 2**31
    del body["messages"]
    assert body == {"model": "tiny", "temperature": 0.5, "top_p": 0.8, "max_tokens": 99, "stop": ["END"]}


def test_drafts_come_as_they_finish() -> None:
    first = requests(2)[0].draw % 2**31

    def script(exchange: Exchange) -> None:
        if exchange.body["seed"] == first:
            time.sleep(0.3)
        exchange.write()

    drafts, _ = drafts_of(script, 2)
    assert [draft.request.attempt for draft in drafts] == [1, 0]


def test_a_server_that_fails_twice_is_asked_a_third_time() -> None:
    def script(exchange: Exchange) -> None:
        if exchange.sent < 3:
            exchange.reply({"error": SECRET}, 500)
        else:
            exchange.write()

    drafts, server = drafts_of(script)
    assert [(draft.text, draft.fault) for draft in drafts] == [(WRITTEN, "")]
    assert len(server.seen) == 3


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_a_busy_server_is_asked_a_bounded_number_of_times(status: int) -> None:
    drafts, server = drafts_of(lambda exchange: exchange.reply({"error": SECRET}, status))
    assert len(server.seen) == 1 + QUICK.retries
    assert str(status) in drafts[0].fault
    assert SECRET not in drafts[0].fault


@pytest.mark.parametrize("dated", [False, True])
def test_the_wait_that_a_server_asks_for_is_kept(dated: bool) -> None:
    times = []

    def script(exchange: Exchange) -> None:
        times.append(time.monotonic())
        if exchange.sent == 1:
            # A date has whole seconds: two from now is at least one from now.
            date = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
            exchange.reply({}, 429, Retry_After=date if dated else "1")
        else:
            exchange.write()

    drafts, _ = drafts_of(script)
    assert drafts[0].text == WRITTEN
    assert times[1] - times[0] >= 0.95


def test_a_server_that_asks_for_an_hour_is_not_waited_for() -> None:
    drafts, server = drafts_of(lambda exchange: exchange.reply({}, 429, Retry_After="3600"))
    assert "3600 s" in drafts[0].fault
    assert len(server.seen) == 1


def test_waits_double_with_jitter_up_to_the_longest() -> None:
    fault = server_client.ServerFaultError("", again=True)
    backoff = Backoff(first_wait=1, longest_wait=6)
    for attempt, longest in enumerate([1, 2, 4, 6, 6]):
        waits = {server_client._wait(fault, attempt, backoff) for _ in range(50)}
        assert len(waits) > 1
        assert all(longest / 2 <= wait <= longest for wait in waits)


@pytest.mark.parametrize("header", ["soon", "nan", "inf", "", "99 Foo 2020"])
def test_a_wait_that_cannot_be_read_is_none(header: str) -> None:
    assert server_client._seconds(header) is None


def test_a_server_that_hangs_is_given_up() -> None:
    started = time.monotonic()
    drafts, server = drafts_of(lambda exchange: exchange.closing.wait(30), request_seconds=1.0)
    assert "within 1 s" in drafts[0].fault
    assert len(server.seen) == 1 + QUICK.retries
    assert time.monotonic() - started < 20


def test_a_server_that_trickles_bytes_is_given_up() -> None:
    def script(exchange: Exchange) -> None:
        exchange.begin(10_000)
        while not exchange.closing.wait(0.03):
            exchange.handler.wfile.write(b" ")

    drafts, _ = drafts_of(script, request_seconds=1.0)
    assert "within 1 s" in drafts[0].fault


def test_an_answer_that_breaks_off_is_asked_for_again() -> None:
    def script(exchange: Exchange) -> None:
        if exchange.sent == 1:
            exchange.begin(1000)
            exchange.handler.wfile.write(b'{"choices": [{"mess')
            exchange.handler.close_connection = True
        else:
            exchange.write()

    drafts, server = drafts_of(script)
    assert [draft.text for draft in drafts] == [WRITTEN]
    assert len(server.seen) == 2


def test_an_answer_that_comes_after_its_retry_reaches_nobody() -> None:
    late = threading.Event()

    def script(exchange: Exchange) -> None:
        if exchange.sent == 1:
            time.sleep(1.2)
            try:
                exchange.write("late")
            finally:
                late.set()
        else:
            # The late answer is out before this one.
            late.wait(2)
            exchange.write("in time")

    drafts, _ = drafts_of(script, request_seconds=1.0, backoff=Backoff(retries=8, first_wait=0.01))
    assert [(draft.text, draft.fault) for draft in drafts] == [("in time", "")]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (f"<html><body>{SECRET}</body></html>".encode(), "web page"),
        (f"It is {SECRET}".encode(), "not JSON"),
        (b'{"choices": [', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"", "not JSON"),
        (b"[" * 200_000, "form"),
        (b'{"choices": [], "x": ' + b"[" * 200_000, "not JSON"),
        ([SECRET], "form"),
        ({"text": SECRET}, "form"),
        ({"choices": [{"text": SECRET}]}, "form"),
        ({"choices": []}, "no choices"),
        ({"choices": [{"message": {"content": None}}]}, "null"),
        ({"choices": [{"message": {"content": {"text": SECRET}}}]}, "form"),
        ({"choices": [{"message": {"content": " \n"}}]}, "empty"),
        ({"choices": [{"message": {"content": "a" * 100_000}}]}, "100000 characters"),
        ({"choices": [{"message": {"content": "a" * 10_000_000}}]}, "bytes"),
    ],
)
def test_nonsense_becomes_a_fault_that_says_what_it_was(answer: object, said: str) -> None:
    drafts, server = drafts_of(lambda exchange: exchange.reply(answer))
    assert drafts[0].text == ""
    assert said in drafts[0].fault
    assert SECRET not in drafts[0].fault
    assert len(server.seen) == 1, "nonsense is not asked for again: the same seed gives the same"


def test_a_request_that_is_refused_is_a_fault_and_the_rest_goes_on() -> None:
    bad = requests(3)[1].draw % 2**31

    def script(exchange: Exchange) -> None:
        if exchange.body["seed"] == bad:
            exchange.reply({"error": SECRET}, 400)
        else:
            exchange.write()

    drafts, server = drafts_of(script, 3)
    assert {draft.request.attempt: "400" in draft.fault for draft in drafts} == {0: False, 1: True, 2: False}
    assert len(server.seen) == 3


@pytest.mark.parametrize(("status", "said"), [(401, KEY_VARIABLE), (403, KEY_VARIABLE), (404, "--server-model")])
def test_a_server_that_lets_nobody_in_ends_the_run_at_once(status: int, said: str) -> None:
    with serving(lambda exchange: exchange.reply({"error": SECRET}, status)) as server:
        writer = opened(server)
        with pytest.raises(TeacherServerError, match=str(status)) as caught:
            list(writer.write(requests(100)))
    assert SECRET not in str(caught.value)
    assert len(server.seen) <= 4
    if status == 404:
        assert said in caught.value.advice


def test_a_redirect_is_not_followed() -> None:
    with (
        serving(Exchange.write) as other,
        serving(lambda exchange: exchange.reply({}, 307, Location=f"{other.url}/chat/completions")) as server,
    ):
        writer = opened(server)
        with pytest.raises(TeacherServerError, match="307"):
            list(writer.write(requests(1)))
    assert other.seen == []


def test_a_server_that_closes_ends_the_run_after_a_few_requests() -> None:
    with serving(Exchange.write) as server:
        writer = opened(server)
    drafts = []
    with pytest.raises(TeacherServerError, match="cannot be reached") as caught:
        drafts.extend(writer.write(requests(1000)))
    assert "run again" in caught.value.advice


def test_failures_between_successes_do_not_end_the_run() -> None:
    def script(exchange: Exchange) -> None:
        if len(server_seen := seen) % STOP_AFTER == 0:
            exchange.write()
        else:
            exchange.reply({"choices": []})
        server_seen.append(1)

    seen: list[int] = []
    drafts, _ = drafts_of(script, 3 * STOP_AFTER, concurrency=1)
    assert sum(not draft.fault for draft in drafts) == 3
    assert len(drafts) == 3 * STOP_AFTER


class CountedRequests(Sequence[Request]):
    """As many requests as a large data set has, counting how many were drawn."""

    def __init__(self) -> None:
        self.drawn = 0

    def __len__(self) -> int:
        return 230_000

    def __getitem__(self, index: Any) -> Any:
        self.drawn = max(self.drawn, index + 1)
        return Request(EDEMA, index, 3)


def test_no_more_is_under_way_than_was_asked_for() -> None:
    def script(exchange: Exchange) -> None:
        time.sleep(0.02)
        exchange.write()

    many = CountedRequests()
    with serving(script) as server:
        drafts = opened(server, concurrency=3).write(many)
        for yielded in range(1, 41):
            next(drafts)
            assert many.drawn <= yielded + 3 + AHEAD
        # A consumer that rests holds the server back.
        time.sleep(0.6)
        assert len(server.seen) <= 40 + 3 + AHEAD
        drafts.close()
    assert server.most_in_flight == 3


def test_closing_early_cancels_what_is_under_way() -> None:
    first = requests(1)[0].draw % 2**31

    def script(exchange: Exchange) -> None:
        if exchange.body["seed"] != first:
            exchange.closing.wait(10)
        exchange.write()

    with serving(script) as server:
        drafts = opened(server).write(requests(20))
        next(drafts)
        assert threads()
        started = time.monotonic()
        drafts.close()
        assert time.monotonic() - started < 5
        assert threads() == []


def test_an_error_of_the_input_reaches_the_caller() -> None:
    blank = Request(RationaleContext(Condition.EDEMA, State.BLANK), 0, 0)
    with serving(Exchange.write) as server, pytest.raises(KnowledgeError, match="Edema is blank"):
        list(opened(server).write([*requests(2), blank]))


def test_the_key_goes_to_the_server_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, " tell-nobody\n")
    caplog.set_level(logging.DEBUG)
    with serving(lambda exchange: exchange.reply({}, 401)) as server:
        writer = opened(server)
        with pytest.raises(TeacherServerError) as caught:
            list(writer.write(requests(1)))
    assert {headers["authorization"] for headers in server.headers} == {"Bearer tell-nobody"}
    assert "tell-nobody" not in caplog.text + str(caught.value) + repr(writer) + repr(writer.identity)


def test_reports_are_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(lambda exchange: exchange.reply({"choices": []})) as server:
        list(opened(server).write(requests(2, REPORTED)))
    assert any(SECRET in message["content"] for message in server.seen[0]["messages"])
    assert SECRET not in caplog.text


def test_what_is_meant_for_another_server_stays_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "elsewhere")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    drafts, server = drafts_of(Exchange.write)
    assert drafts[0].text == WRITTEN
    assert "elsewhere" not in json.dumps(server.headers)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://localhost:8000/v1", True),
        ("http://127.0.0.1:8000", True),
        ("http://127.8.9.1/v1/", True),
        ("http://[::1]:8000/v1", True),
        ("https://localhost.example/v1", False),
        ("https://127.0.0.1.example/v1", False),
        ("http://192.168.0.2:8000/v1", False),
        ("http://0.0.0.0:8000/v1", False),
        ("http://node17:8000/v1", False),
    ],
)
def test_only_loopback_is_this_computer(url: str, here: bool) -> None:
    address = read_address(url)
    assert address.is_here is here
    assert address.url.endswith("/v1")


@pytest.mark.parametrize(
    "url",
    ["", "localhost:8000", "ftp://host/v1", "http://", "http://h/v1?key=1", "http://127.0.0.1\\.evil.example/v1",
     "http://host:port/v1", "http://host:99999/v1", "http://[::1/v1", "file:///etc/passwd", "http://a b/v1"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(TeacherServerError, match="cannot be read"):
        read_address(url)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(TeacherServerError) as caught:
        read_address("https://me:hunter2@host.example/v1")
    assert "hunter2" not in str(caught.value)


def elsewhere(server: Server, monkeypatch: pytest.MonkeyPatch, **more: Any) -> ServerWriter:
    """Return a writer for ``server`` that takes it for another computer's."""
    monkeypatch.setattr("kdistill_core.teacher.server.address.ServerAddress.is_here", False)
    return opened(server, **more)


def test_reports_leave_this_computer_only_when_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    mixed = [*requests(3), *requests(1, REPORTED)]
    with serving(Exchange.write) as server:
        writer = elsewhere(server, monkeypatch)
        with pytest.raises(TeacherServerError, match="not on this computer") as caught:
            writer.write(mixed)
        assert server.seen == []
        assert SECRET not in str(caught.value)
        assert "--allow-remote-reports" in caught.value.advice
        assert len(list(writer.write(requests(3)))) == 3
        assert len(list(elsewhere(server, monkeypatch, allow_remote_reports=True).write(mixed))) == 4


def test_a_key_travels_encrypted_unless_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "tell-nobody")
    with serving(Exchange.write) as server:
        with pytest.raises(TeacherServerError, match="unencrypted"):
            elsewhere(server, monkeypatch)
        assert server.headers == []
        elsewhere(server, monkeypatch, allow_remote_reports=True)
        assert len(server.headers) == 1


def test_a_key_that_is_none_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "a\nb\u00e9c")
    with pytest.raises(TeacherServerError, match=KEY_VARIABLE) as caught:
        open_server_writer("http://127.0.0.1:9/v1", PROMPT)
    assert "b\u00e9c" not in str(caught.value)


def identity_sha256(entry: dict[str, Any], model: str = "") -> str:
    with serving(Exchange.write, lambda exchange: exchange.reply({"data": [entry]})) as server:
        return opened(server, model=model).identity.model_sha256


def test_the_identity_holds_what_lasts_and_not_what_changes() -> None:
    entry = {"id": "a", "root": "/m", "owned_by": "vllm", "meta": {"n_params": 7, "n_ctx": 1}}
    said = identity_sha256({**entry, "created": 1, "permission": [{"id": "x"}]})
    assert said == identity_sha256({**entry, "created": 2, "meta": {"n_params": 7, "n_ctx": 2}})
    others = [{**entry, "id": "b"}, {**entry, "root": "/n"}, {**entry, "meta": {"n_params": 8}}]
    assert len({said, *map(identity_sha256, others)}) == 4
    assert identity_sha256(entry, model="not listed") != said


def test_settings_are_part_of_the_identity() -> None:
    with serving(Exchange.write) as server:
        identities = [
            opened(server, settings=settings).identity
            for settings in (ServerSettings(), ServerSettings(stop=("x",)), ServerSettings(constrain="regex"))
        ]
    assert len({identity.settings for identity in identities}) == 3
    assert {(identity.model_name, identity.prompt_sha256) for identity in identities} == {("tiny", PROMPT.sha256)}


@pytest.mark.parametrize("names", [[], ["a", "b"]])
def test_a_server_without_one_model_asks_for_a_name(names: list[str]) -> None:
    listed = {"data": [{"id": name} for name in names]}
    with serving(Exchange.write, lambda exchange: exchange.reply(listed)) as server:
        with pytest.raises(TeacherServerError, match=f"lists {len(names)} models") as caught:
            opened(server)
        assert "--server-model" in caught.value.advice
        assert opened(server, model="a").identity.model_name == "a"


def test_a_server_without_a_list_of_models_needs_a_name() -> None:
    with serving(Exchange.write, lambda exchange: exchange.reply({}, 404)) as server:
        with pytest.raises(TeacherServerError, match="lists 0 models"):
            opened(server)
        assert opened(server, model="mine").identity.model_name == "mine"


@pytest.mark.parametrize("answer", [b"<html>", b"{}", b"no"])
def test_a_list_of_models_that_is_nonsense_is_told_of(answer: bytes) -> None:
    with serving(Exchange.write, lambda exchange: exchange.reply(answer)) as server:
        refused = pytest.raises(TeacherServerError, match="which models it has")
        with refused:
            opened(server, model="tiny")


def test_a_server_that_is_not_there_is_told_of() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/v1"
        with pytest.raises(TeacherServerError, match="cannot be reached"):
            open_server_writer(url, PROMPT, backoff=QUICK)


def test_the_missing_library_is_told_of_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_client, "find_spec", lambda name: None)
    with pytest.raises(TeacherServerError, match="openai") as caught:
        open_server_writer("http://127.0.0.1:9/v1", PROMPT)
    assert "pip install" in caught.value.advice


def test_a_constrained_answer_is_held_to_its_parts() -> None:
    good = "Finding: There is no edema.\nAgainst: The vessels are sharp."
    context = RationaleContext(Condition.EDEMA, State.NEGATIVE)
    for text, fault in ((good, False), ("Sure! " + good, True), ("Finding: There is no edema.", True)):
        with serving(lambda exchange, text=text: exchange.write(text)) as server:
            writer = opened(server, settings=ServerSettings(constrain="regex"))
            (draft,) = writer.write(requests(1, context))
        assert bool(draft.fault) is fault
        assert server.seen[0]["structured_outputs"]["regex"].startswith("Finding: ")


def test_impossible_settings_are_refused() -> None:
    for more in ({"concurrency": 0}, {"request_seconds": 0.0}, {"request_seconds": float("nan")}):
        with pytest.raises(TeacherServerError, match="at least one"):
            open_server_writer("http://127.0.0.1:9/v1", PROMPT, **more)


def test_the_stop_counts_over_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_writer, "STOP_AFTER", 3)
    with serving(lambda exchange: exchange.reply({"choices": []})) as server:
        writer = opened(server)
        assert len(list(writer.write(requests(2)))) == 2
        with pytest.raises(TeacherServerError, match="3 times in a row"):
            list(writer.write(requests(1)))
