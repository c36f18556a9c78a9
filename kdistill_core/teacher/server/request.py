"""What a server is asked: the body of one chat completion."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from kdistill_core.conditions import State
from kdistill_core.teacher.drafts import Request
from kdistill_core.teacher.parts import LABELS, parts_for
from kdistill_core.teacher.prompter import Prompter

# Characters a constrained part may have: twice the longest sentence of resources/rationales, which has 150.
PART_CHARACTERS = 300
_INT32 = 0x7FFFFFFF


@dataclass(frozen=True)
class ServerSettings:
    """How a server decodes.

    max_tokens: of a whole rationale. stop: texts that end it. constrain: ``regex`` asks vLLM (``structured_outputs``)
    for exactly the parts, one line each; a server without that cannot be used with it.
    """

    temperature: float = 0.7
    top_p: float = 0.9
    max_tokens: int = 480
    stop: tuple[str, ...] = ()
    constrain: Literal["none", "regex"] = "none"

    def __str__(self) -> str:
        said = f"temperature {self.temperature:g}, top-p {self.top_p:g}, at most {self.max_tokens} tokens"
        stop = f", stop {list(self.stop)!r}" if self.stop else ""
        return f"{said}{stop}, constrain {self.constrain}"


def answer_pattern(state: State) -> str:
    """Return the regular expression of a rationale of a finding in ``state``: its parts in order, one line each."""
    return r"\n".join(rf"{re.escape(LABELS[role])}: [^\n]{{1,{PART_CHARACTERS}}}\." for role in parts_for(state))


def completion_request(model: str, prompter: Prompter, settings: ServerSettings, request: Request) -> dict[str, Any]:
    """Return the body of the chat completion that writes ``request``; its seed is the request's draw, as an int32."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": message.role, "content": message.content} for message in prompter.messages(request)],
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "max_tokens": settings.max_tokens,
        "seed": request.draw & _INT32,
    }
    if settings.stop:
        body["stop"] = list(settings.stop)
    if settings.constrain == "regex":
        body["extra_body"] = {"structured_outputs": {"regex": answer_pattern(request.context.state)}}
    return body
