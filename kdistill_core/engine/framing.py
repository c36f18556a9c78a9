"""Messages on a pipe: each is MessagePack behind its length, four bytes, big endian."""

from __future__ import annotations

import struct
from typing import BinaryIO, TypeVar

import msgspec

from kdistill_core.engine.errors import EngineError
from kdistill_core.engine.messages import AnyEvent, AnyRequest

# Explanations are tens of kilobytes and arrays do not travel here; more than this is not one of our messages.
LARGEST_FRAME = 64 * 1024 * 1024
Message = TypeVar("Message")

_LENGTH = struct.Struct(">I")

_encoder = msgspec.msgpack.Encoder()
_requests = msgspec.msgpack.Decoder(AnyRequest)
_events = msgspec.msgpack.Decoder(AnyEvent)


class FrameError(EngineError):
    """Bytes on the pipe that are not one of our messages."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"The program and its model process misunderstood each other: {detail}.")


def write_message(pipe: BinaryIO, message: AnyRequest | AnyEvent) -> None:
    """Write one message and flush. Raises OSError when the other side is gone."""
    body = _encoder.encode(message)
    if len(body) > LARGEST_FRAME:
        raise FrameError(f"a message of {len(body)} bytes is longer than {LARGEST_FRAME}")
    pipe.write(_LENGTH.pack(len(body)) + body)
    pipe.flush()


def read_request(pipe: BinaryIO) -> AnyRequest | None:
    """Return the next request, or None at the end of the pipe. Raises FrameError."""
    body = _read_frame(pipe)
    return None if body is None else _decode(body, _requests)


def read_event(pipe: BinaryIO) -> AnyEvent | None:
    """Return the next event, or None at the end of the pipe. Raises FrameError."""
    body = _read_frame(pipe)
    return None if body is None else _decode(body, _events)


def _decode(body: bytes, decoder: msgspec.msgpack.Decoder[Message]) -> Message:
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        # The text of the error quotes field names and types, never values.
        raise FrameError(f"a message is malformed ({error})") from error


def _read_frame(pipe: BinaryIO) -> bytes | None:
    head = _read_exactly(pipe, _LENGTH.size)
    if not head:
        return None
    if len(head) < _LENGTH.size:
        raise FrameError("the pipe ended inside a message")
    (length,) = _LENGTH.unpack(head)
    if length > LARGEST_FRAME:
        raise FrameError(f"a message claims {length} bytes, more than {LARGEST_FRAME}")
    body = _read_exactly(pipe, length)
    if len(body) < length:
        raise FrameError("the pipe ended inside a message")
    return body


def _read_exactly(pipe: BinaryIO, count: int) -> bytes:
    """Return ``count`` bytes, fewer only at the end of the pipe."""
    parts: list[bytes] = []
    while count > 0:
        part = pipe.read(count)
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
