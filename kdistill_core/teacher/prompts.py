"""How a language model is asked for a rationale: versioned prompt files, and what a context becomes in them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from kdistill_core.conditions import State
from kdistill_core.records import SentenceRole
from kdistill_core.resources import resource
from kdistill_core.teacher.context import RationaleContext
from kdistill_core.teacher.errors import KnowledgeError
from kdistill_core.teacher.knowledge import KnowledgeBase
from kdistill_core.teacher.parts import LABELS, Part, labeled, parts_for

PROMPT_FILE = "prompts/rationale-v3.yaml"


@dataclass(frozen=True)
class Message:
    """One turn of a prompt; ``role`` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True)
class RationalePrompt:
    """A versioned prompt.

    states: how a state is worded. lines: what the user's turn says, line by line; a line whose ``{...}`` is unknown of
    a context is left out. Known are condition, state, side, severity, present, sentence, parts, and notes: statements
    of the knowledge base to write from. A prompt without notes asks for what the model knows by itself.
    """

    name: str
    system: str
    lines: tuple[str, ...]
    states: dict[State, str]

    @property
    def noted(self) -> bool:
        return any("{notes}" in line for line in self.lines)

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()


def load_prompt(path: Path | None = None) -> RationalePrompt:
    """Return a prompt file, by default the bundled one. Raises KnowledgeError."""
    path = path or resource(PROMPT_FILE)
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=RationalePrompt)
    except (OSError, msgspec.DecodeError) as error:
        raise KnowledgeError(
            f"The prompt {path} cannot be read: {error}", "Compare it with the bundled one."
        ) from error


def notes_for(context: RationaleContext, knowledge: KnowledgeBase, draw: int) -> tuple[Part, ...]:
    """Return what the knowledge base says for a rationale of ``context``: of each part one statement.

    draw: chooses among the signs, the counter-arguments and what settles the question, as far as they fit the finding;
    the argument is that of the sign.
    """
    known, rng = knowledge[context.condition], np.random.default_rng(draw)
    fitting = known.fitting(context.state, context.severity, context.side)
    sign = fitting.signs[rng.integers(len(fitting.signs))]
    said = {
        SentenceRole.ASSERTION: known.assertion(context.state, context.side, context.severity),
        SentenceRole.DEFINITION: known.definition.text,
        SentenceRole.SIGN: sign.text,
        SentenceRole.ARGUMENT: sign.argument,
        SentenceRole.AGAINST: fitting.against[rng.integers(len(fitting.against))].text,
        SentenceRole.SETTLES: fitting.settles[rng.integers(len(fitting.settles))].text,
    }
    return tuple(Part(role, said[role]) for role in parts_for(context.state))


def messages_for(prompt: RationalePrompt, context: RationaleContext, notes: Sequence[Part] = ()) -> tuple[Message, ...]:
    """Return the turns that ask for the rationale of ``context``, to be written from ``notes``."""
    known = {
        "condition": context.condition.value,
        "state": prompt.states[context.state],
        "side": "" if context.side is None else context.side.value,
        "severity": "" if context.severity is None else context.severity.value,
        "present": ", ".join(context.present),
        "sentence": context.sentence,
        "notes": labeled(notes),
        "parts": ", ".join(LABELS[role] for role in parts_for(context.state)),
    }
    given = {name: value for name, value in known.items() if value}
    lines = []
    for line in prompt.lines:
        try:
            lines.append(line.format_map(given))
        except KeyError:
            continue
    return (Message("system", prompt.system), Message("user", "\n".join(lines)))


def prompt_text(tokenizer: Any, messages: Sequence[Message]) -> str:
    """Return the text to continue: by the tokenizer's chat template, a plain dialog where it has none."""
    if not tokenizer.chat_template:
        return "\n".join([*(message.content for message in messages), ""])
    turns = [{"role": message.role, "content": message.content} for message in messages]
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
