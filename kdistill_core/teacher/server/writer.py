"""A language model behind an OpenAI-compatible server (vLLM, llama.cpp, ``transformers serve``) writes rationales."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import Any

import msgspec

from kdistill_core.teacher.drafts import Draft, Request, WriterIdentity
from kdistill_core.teacher.prompter import Prompter
from kdistill_core.teacher.prompts import RationalePrompt
from kdistill_core.teacher.server.address import ServerAddress, read_address, refuse_exposure
from kdistill_core.teacher.server.answer import ModelCard
from kdistill_core.teacher.server.client import Backoff, ServerClient
from kdistill_core.teacher.server.faults import ServerFaultError, TeacherServerError
from kdistill_core.teacher.server.loop import Job, finished
from kdistill_core.teacher.server.request import ServerSettings, answer_pattern, completion_request

KEY_VARIABLE = "KDISTILL_SERVER_KEY"
CONCURRENCY = 16
REQUEST_SECONDS = 120.0
# Requests beyond the concurrent ones: a server stays busy while a few answers are gated and stored.
AHEAD = 16
# Requests in a row without a usable text; each of them has been retried.
STOP_AFTER = 10
# Facts of llama.cpp's list that belong to the weights; the others change with how it was started.
_WEIGHT_FACTS = ("n_params", "n_vocab", "n_embd", "size")


class ServerWriter:
    """Writes by asking a server, many requests at a time; made by :func:`open_server_writer`."""

    def __init__(
        self,
        address: ServerAddress,
        connect: Callable[[], ServerClient],
        prompt: RationalePrompt,
        settings: ServerSettings,
        card: ModelCard,
        *,
        concurrency: int,
        allow_remote_reports: bool,
    ) -> None:
        self._address = address
        self._connect = connect
        self._prompter = Prompter(prompt)
        self._settings = settings
        self._card = card
        self._concurrency = concurrency
        self._allow_remote_reports = allow_remote_reports
        self._failed_in_a_row = 0

    @property
    def identity(self) -> WriterIdentity:
        prompt, settings = self._prompter.prompt, f"{self._settings}{self._prompter.settings}"
        return WriterIdentity(self._card.id, _facts_sha256(self._card), prompt.name, prompt.sha256, settings)

    def write(self, requests: Sequence[Request]) -> Iterator[Draft]:
        """Yield the draft of each request once, as they finish; a request without a usable answer has a fault.

        Closing the generator cancels what is under way. Raises TeacherServerError: at once where reports would leave
        this computer unasked; later where the server lets nobody in, or gave no usable answer ``STOP_AFTER`` times in a
        row.
        """
        if not (self._allow_remote_reports or self._address.is_here):
            refuse_exposure(self._address, reports=any(request.context.sentence for request in requests))
        return self._drafts(requests)

    def _drafts(self, requests: Sequence[Request]) -> Iterator[Draft]:
        client = self._connect()
        jobs = (self._job(client, request) for request in requests)
        with closing(finished(jobs, client, at_once=self._concurrency, ahead=AHEAD)) as drafts:
            for draft in drafts:
                self._failed_in_a_row = self._failed_in_a_row + 1 if draft.fault else 0
                if self._failed_in_a_row == STOP_AFTER:
                    self._failed_in_a_row = 0
                    raise TeacherServerError(
                        f"The server {self._address.url} gave no usable answer {STOP_AFTER} times in a row. "
                        f"The last time: {draft.fault}",
                        "Look at the server and its log, then run again: what was written is kept.",
                    )
                yield draft

    def _job(self, client: ServerClient, request: Request) -> Job[Draft]:
        return partial(
            self._draft, client, request, completion_request(self._card.id, self._prompter, self._settings, request)
        )

    async def _draft(self, client: ServerClient, request: Request, body: dict[str, Any]) -> Draft:
        try:
            written = await client.complete(body)
        except ServerFaultError as error:
            return Draft(request, "", error.fault)
        constrained = self._settings.constrain == "regex" and not written.cut_off
        if constrained and re.fullmatch(answer_pattern(request.context.state), written.text) is None:
            return Draft(request, "", "The server did not hold its answer to the parts, as it was asked to.")
        return Draft(request, written.text)


def open_server_writer(
    url: str,
    prompt: RationalePrompt,
    *,
    model: str = "",
    concurrency: int = CONCURRENCY,
    request_seconds: float = REQUEST_SECONDS,
    allow_remote_reports: bool = False,
    settings: ServerSettings | None = None,
    backoff: Backoff | None = None,
) -> ServerWriter:
    """Return a writer that asks the server at ``url``, having asked it which models it has.

    model: its name there; may be left out where the server has one only. concurrency: requests under way at a time.
    request_seconds: the deadline of each, every time it is sent. allow_remote_reports: whether sentences of reports may
    be sent to another computer, and a key over plain http. The key is read from the environment variable
    ``KDISTILL_SERVER_KEY``. Raises TeacherServerError.
    """
    if concurrency < 1 or not request_seconds > 0:
        raise TeacherServerError("A server is asked at least one request at a time and given more than 0 s for each.")
    address = read_address(url)
    key = _key()
    if key and not allow_remote_reports:
        refuse_exposure(address, key=True)
    connect = partial(
        ServerClient,
        address,
        key,
        connections=concurrency,
        request_seconds=request_seconds,
        backoff=backoff or Backoff(),
    )
    return ServerWriter(
        address,
        connect,
        prompt,
        settings or ServerSettings(),
        _card(address, connect(), model),
        concurrency=concurrency,
        allow_remote_reports=allow_remote_reports,
    )


def _key() -> str:
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise TeacherServerError(
            f"The key in {KEY_VARIABLE} holds characters that no key has.", "Set the variable again."
        )
    return key


def _card(address: ServerAddress, client: ServerClient, model: str) -> ModelCard:
    try:
        (cards,) = finished([client.models], client, at_once=1, ahead=0)
    except ServerFaultError as error:
        raise TeacherServerError(
            f"The server {address.url} did not say which models it has. {error.fault}",
            "Check that it is running and that the address is right; it often ends in /v1.",
        ) from None
    listed = {card.id: card for card in cards or ()}
    if model:
        # Some servers load on demand what they do not list; one that does not know the name says so when asked.
        return listed.get(model, ModelCard(model))
    if len(listed) != 1:
        raise TeacherServerError(
            f"The server {address.url} lists {len(listed)} models{': ' if listed else ''}{', '.join(sorted(listed))}.",
            "Name the one to ask with --server-model.",
        )
    return next(iter(listed.values()))


def _facts_sha256(card: ModelCard) -> str:
    """Return the hash of what a server says of a model, without what changes each time it is asked or started."""
    meta = card.meta or {}
    facts = [card.id, card.root, card.parent, card.owned_by, [meta.get(name) for name in _WEIGHT_FACTS]]
    return hashlib.sha256(msgspec.json.encode(facts)).hexdigest()
