"""What a server answered, held to its form before anything is believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from kdistill_core.teacher.server.faults import ServerFaultError

# Characters: some ten times the longest rationale; what is longer is no rationale.
LONGEST_TEXT = 20_000
_Form = TypeVar("_Form")


@dataclass(frozen=True)
class Completion:
    """A written text; ``cut_off``: it reached the most tokens it may have."""

    text: str
    cut_off: bool


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice]


class ModelCard(msgspec.Struct):
    """A model as a server lists it. meta: what llama.cpp says of the weights."""

    id: str
    root: str | None = None
    parent: str | None = None
    owned_by: str | None = None
    meta: dict[str, Any] | None = None


class _Models(msgspec.Struct):
    data: list[ModelCard]


def read_completion(body: bytes) -> Completion:
    """Return what a chat completion says. Raises ServerFaultError."""
    choices = _decoded(body, _Answer).choices
    if not choices:
        raise ServerFaultError("The server's answer holds no text (no choices).")
    content = choices[0].message.content
    if content is None:
        raise ServerFaultError("The server's answer holds no text (content is null).")
    text = content.strip()
    if not text:
        raise ServerFaultError("The server's answer is an empty text.")
    if len(text) > LONGEST_TEXT:
        raise ServerFaultError(f"The server's answer has {len(text)} characters, which no rationale has.")
    return Completion(text, choices[0].finish_reason == "length")


def read_models(body: bytes) -> tuple[ModelCard, ...]:
    """Return the models that a server lists. Raises ServerFaultError."""
    return tuple(_decoded(body, _Models).data)


def _decoded(body: bytes, form: type[_Form]) -> _Form:
    if body.lstrip()[:1] == b"<":
        raise ServerFaultError("The server answered with a web page.")
    try:
        return msgspec.json.decode(body, type=form)
    except msgspec.ValidationError:
        raise ServerFaultError("The server's answer has another form than an OpenAI-compatible one.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ServerFaultError("The server's answer is not JSON.") from None
