"""The teacher's language model in this process writes rationales, many at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessorList

from kdistill_core.records import SentenceRole
from kdistill_core.teacher.decoding import DrawsByRow, KeepsParts, Vocabulary
from kdistill_core.teacher.drafts import Draft, Request, WriterIdentity
from kdistill_core.teacher.knowledge import KnowledgeBase
from kdistill_core.teacher.model import TeacherModel
from kdistill_core.teacher.parts import parts_for
from kdistill_core.teacher.prompter import Prompter
from kdistill_core.teacher.prompts import RationalePrompt


@dataclass(frozen=True)
class DecodingSettings:
    """How a rationale is decoded.

    temperature: 0 takes the likeliest token always. top_k: only so many likeliest tokens are drawn from. part_tokens:
    the most a part may have. batch: rows that are decoded together.
    """

    temperature: float = 0.7
    top_k: int = 40
    part_tokens: int = 64
    batch: int = 64

    def __str__(self) -> str:
        drawn = f"temperature {self.temperature:g}, top-k {self.top_k}" if self.temperature else "greedy"
        return f"{drawn}, at most {self.part_tokens} tokens a part"


class TransformersWriter:
    """Writes with a :class:`TeacherModel`; its parts and its end are forced, its draws are the request's own."""

    def __init__(
        self,
        model: TeacherModel,
        prompt: RationalePrompt,
        settings: DecodingSettings | None = None,
        knowledge: KnowledgeBase | None = None,
    ) -> None:
        """``knowledge``: what notes are taken from where the prompt asks for them, by default the bundled one."""
        self._model = model
        self._prompter = Prompter(prompt, knowledge)
        self._settings = settings or DecodingSettings()

    @property
    def identity(self) -> WriterIdentity:
        return WriterIdentity(
            self._model.name,
            self._model.sha256,
            self._prompter.prompt.name,
            self._prompter.prompt.sha256,
            f"{self._settings}{self._prompter.settings}",
        )

    def write(self, requests: Sequence[Request]) -> Iterator[Draft]:
        """Yield the draft of each request; rows of like length share a batch, so that little is padding."""
        prompts = [self._model.prompt(self._prompter.messages(request)) for request in requests]
        # By what is to be written first: a row that ends early is computed on until its batch has ended.
        order = sorted(
            range(len(requests)), key=lambda place: (len(parts_for(requests[place].context.state)), len(prompts[place]))
        )
        for start in range(0, len(order), self._settings.batch):
            places = order[start : start + self._settings.batch]
            texts = self._written([requests[place] for place in places], [prompts[place] for place in places])
            yield from (Draft(requests[place], text) for place, text in zip(places, texts, strict=True))

    def _written(self, requests: Sequence[Request], prompts: Sequence[str]) -> list[str]:
        roles: list[tuple[SentenceRole, ...]] = [parts_for(request.context.state) for request in requests]
        inputs = self._model.inputs(prompts)
        start = inputs["input_ids"].shape[1]
        tokenizer = self._model.tokenizer
        longest = max(sum(len(self._vocabulary.labels[role]) + 2 for role in parts) for parts in roles)
        config = GenerationConfig(
            do_sample=False,
            max_new_tokens=longest + max(map(len, roles)) * self._settings.part_tokens,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=list(self._vocabulary.ends),
        )
        processors = LogitsProcessorList(
            [
                KeepsParts(roles, start, self._vocabulary, self._settings.part_tokens),
                DrawsByRow([request.draw for request in requests], self._settings.temperature, self._settings.top_k),
            ]
        )
        with torch.inference_mode():
            written: Any = self._model.model.generate(**inputs, generation_config=config, logits_processor=processors)
        return [str(text).strip() for text in tokenizer.batch_decode(written[:, start:], skip_special_tokens=True)]

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return Vocabulary.of(self._model.tokenizer, self._model.ends)
