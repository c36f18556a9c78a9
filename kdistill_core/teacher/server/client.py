"""Talking to one OpenAI-compatible server: deadlines, retries, and answers of bounded size."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self, TypeVar

from kdistill_core.teacher.server.address import ServerAddress
from kdistill_core.teacher.server.answer import Completion, ModelCard, read_completion, read_models
from kdistill_core.teacher.server.faults import ServerFaultError, TeacherServerError

INSTALL = "pip install 'kdistill[server]'"
# Bytes: a rationale with all that servers add has some 4 kB.
LARGEST_BODY = 1 << 20
_BUSY = frozenset({408, 409, 429})
_NOT_OFFERED = frozenset({404, 405, 501})
_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Backoff:
    """How a request is sent again.

    retries: how often. first_wait: seconds before the first retry, doubled before each further one, never above
    longest_wait; a server that asks for a longer wait is not asked again.
    """

    retries: int = 4
    first_wait: float = 1.0
    longest_wait: float = 60.0


class ServerClient:
    """An open connection pool to a server; to be entered, used and left in one event loop."""

    def __init__(
        self, address: ServerAddress, key: str, *, connections: int, request_seconds: float, backoff: Backoff
    ) -> None:
        """Raise TeacherServerError where the client library is not installed.

        key: may be empty. request_seconds: from sending a request to the last byte of its answer, each time it is sent.
        """
        if find_spec("openai") is None:
            raise TeacherServerError("The library that talks to servers (openai) is not installed.", f"Run: {INSTALL}")
        # Imported here: it takes a second, and who writes in process does not need it.
        import httpx2
        import openai

        self._openai = openai
        self._transport_errors = (openai.APIConnectionError, httpx2.HTTPError)
        self._connect_error = httpx2.ConnectError
        self._address = address
        self._request_seconds = request_seconds
        self._backoff = backoff
        # Omitted headers and not None: the library would fill them from OPENAI_* variables meant for another server.
        headers: dict[str, Any] = {"OpenAI-Organization": openai.Omit(), "OpenAI-Project": openai.Omit()}
        self._key_header: dict[str, Any] = {} if key else {"Authorization": openai.Omit()}
        self._client = openai.AsyncOpenAI(
            base_url=address.url,
            api_key=key or "none",
            max_retries=0,
            timeout=None,
            default_headers=headers,
            http_client=openai.DefaultAsyncHttpxClient(
                # Not of its single steps, which a server that trickles would pass: the whole request has a deadline.
                timeout=None,
                limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=connections),
                # A redirect could carry a report from this computer to another.
                follow_redirects=False,
                # What is for this computer never goes through a proxy.
                trust_env=not address.is_here,
            ),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def complete(self, request: dict[str, Any]) -> Completion:
        """Return what the server writes. Raises ServerFaultError, TeacherServerError where no request can succeed."""
        create: Any = self._client.chat.completions.with_streaming_response.create
        return await self._patiently(
            lambda: self._exchange(create(**request, extra_headers=self._key_header), read_completion)
        )

    async def models(self) -> tuple[ModelCard, ...] | None:
        """Return the models that the server lists, None where it offers no list. Raises as ``complete``."""
        listed: Any = self._client.models.with_streaming_response.list
        return await self._patiently(
            lambda: self._exchange(listed(extra_headers=self._key_header), read_models, _NOT_OFFERED)
        )

    async def _patiently(self, ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
        for attempt in range(self._backoff.retries + 1):
            try:
                # Leaving the block closes the connection, so an answer that comes late reaches nobody.
                async with asyncio.timeout(self._request_seconds):
                    return await ask()
            except TimeoutError:
                fault = ServerFaultError(
                    f"The server did not finish an answer within {self._request_seconds:g} s.", again=True
                )
            except ServerFaultError as error:
                fault = error
            if not fault.again or attempt == self._backoff.retries:
                break
            await asyncio.sleep(_wait(fault, attempt, self._backoff))
        raise fault

    async def _exchange(self, opened: Any, read: Callable[[bytes], Any], absent: frozenset[int] = frozenset()) -> Any:
        try:
            async with opened as response:
                body = bytearray()
                async for piece in response.iter_bytes():
                    body += piece
                    if len(body) > LARGEST_BODY:
                        raise ServerFaultError(f"The server's answer has more than {LARGEST_BODY} bytes.")
        except self._openai.APIStatusError as error:
            if error.status_code in absent:
                return None
            raise self._refusal(error.status_code, error.response.headers.get("retry-after")) from None
        except self._transport_errors as error:
            cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
            # Before anything was sent the system's own words can hold no report; later only the kind is told.
            what = (
                f"cannot be reached ({cause})"
                if isinstance(cause, self._connect_error)
                else f"broke off ({type(cause).__name__})"
            )
            raise ServerFaultError(f"The server {what}.", again=True) from None
        return read(bytes(body))

    def _refusal(self, status: int, retry_after: str | None) -> Exception:
        url = self._address.url
        if status in (401, 403):
            return TeacherServerError(
                f"The server {url} does not let this program in (status {status}).",
                "Put its key into the environment variable, see docs/teacher-server.md.",
            )
        if status == 404:
            return TeacherServerError(
                f"The server {url} knows no such model or address (status 404).",
                "Compare --server with its address, which often ends in /v1, and --server-model with what it lists.",
            )
        if status < 400:
            return TeacherServerError(
                f"The server {url} sends requests on to another address (status {status}), which is not followed.",
                "Give the address where it really is.",
            )
        if status not in _BUSY and status < 500:
            return ServerFaultError(f"The server refused the request (status {status}); its own log says why.")
        after = _seconds(retry_after)
        if after is not None and after > self._backoff.longest_wait:
            return ServerFaultError(f"The server is busy (status {status}) and asks to wait for {after:.0f} s.")
        return ServerFaultError(f"The server failed or is busy (status {status}).", again=True, after=after)


def _wait(fault: ServerFaultError, attempt: int, backoff: Backoff) -> float:
    """Return seconds to wait: what the server asks, or an exponential back-off; jitter keeps clients apart."""
    if fault.after is not None:
        return fault.after + random.uniform(0, backoff.first_wait)
    return float(min(backoff.longest_wait, backoff.first_wait * 2.0**attempt) * random.uniform(0.5, 1))


def _seconds(retry_after: str | None) -> float | None:
    """Return the seconds of a Retry-After header (RFC 9110, 10.2.3: a number or a date), None where it says nothing."""
    if retry_after is None:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            date = parsedate_to_datetime(retry_after)
        except ValueError:
            return None
        # A date without a zone is in UTC (RFC 9110, 5.6.7).
        seconds = (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None
