"""A tiny teacher, one that finds every token equally likely, and a writer whose texts were written beforehand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch

from kdistill_core.teacher.context import RationaleContext
from kdistill_core.teacher.drafts import Draft, Request, WriterIdentity
from kdistill_core.teacher.knowledge import KnowledgeBase, load_knowledge
from kdistill_core.teacher.model import TeacherModel
from kdistill_core.teacher.parts import Part, labeled, parts_for


@pytest.fixture(scope="session")
def knowledge() -> KnowledgeBase:
    return load_knowledge()


@pytest.fixture
def teacher(tiny_folder: Path) -> TeacherModel:
    return TeacherModel.load(tiny_folder)


@pytest.fixture
def uniform(tiny_folder: Path) -> TeacherModel:
    """A teacher whose logits are all 0."""
    found = TeacherModel.load(tiny_folder)
    torch.nn.init.zeros_(found.model.lm_head.weight)
    return found


class ScriptedWriter:
    """Writes what a function says of each context, the last first, and counts what it was asked."""

    def __init__(self, say: Callable[[RationaleContext], str], model: str = "scripted") -> None:
        self.say = say
        self.asked = 0
        self.identity = WriterIdentity(model, f"{model}-sha", "prompt", "prompt-sha", "greedy")

    def write(self, requests: Sequence[Request]) -> Iterator[Draft]:
        for request in reversed(requests):
            self.asked += 1
            yield Draft(request, self.say(request.context))


def from_knowledge(context: RationaleContext, knowledge: KnowledgeBase) -> str:
    """Return a rationale in the knowledge base's own words, of the first sign that fits."""
    known = knowledge[context.condition]
    parts = []
    for role in parts_for(context.state):
        text = (
            known.assertion(context.state, context.side, context.severity)
            if role == "assertion"
            else known.of_role(role, known.fitting(context.state, context.severity, context.side))[0]
        )
        parts.append(Part(role, text))
    return labeled(parts)
