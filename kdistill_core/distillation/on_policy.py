"""On-policy distillation: the student writes, the teacher scores every word (Agarwal et al., ICLR 2024).

A student that only ever reads the teacher's texts never learns what to do after a word of its own that the teacher
would not have chosen. Here it samples the rationale of a batch's images, told the states of their findings. The
teacher, told the same findings and no pixel, says which token it would have put at every place of that text. Where the
two have one vocabulary its logits are compared, else its likeliest probabilities (universal logit distillation).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from kdistill_core.conditions import Condition, State
from kdistill_core.distillation.batches import draw_seed
from kdistill_core.distillation.losses.generation import IGNORED
from kdistill_core.distillation.objective import student_inputs
from kdistill_core.records import Finding
from kdistill_core.student.modeling import StudentModel
from kdistill_core.student.processing import StudentProcessor
from kdistill_core.teacher.context import contexts_of
from kdistill_core.teacher.knowledge import KnowledgeBase, load_knowledge
from kdistill_core.teacher.model import TeacherModel
from kdistill_core.teacher.prompts import Message, RationalePrompt, load_prompt, messages_for, notes_for

# Marks a batch whose texts are the student's own, so that they are no target of its own.
ON_POLICY = "on_policy"


@dataclass(frozen=True)
class OnPolicySettings:
    """Who scores, and how the student writes.

    teacher: folder of a causal language model, or of an adapter. prompt: file of a rationale prompt, by default the
    bundled one. likeliest: tokens of the teacher that are compared across vocabularies. new_tokens: longest text.
    """

    teacher: str
    prompt: Path | None = None
    likeliest: int = 32
    new_tokens: int = 96
    temperature: float = 1.0


@dataclass(frozen=True, eq=False)
class TeacherScores:
    """What scores texts: the teacher, and how it is told of a case.

    findings: what is told of the cases of each group, by the numbers in ``groups``.
    """

    teacher: TeacherModel
    processor: StudentProcessor
    settings: OnPolicySettings
    findings: Sequence[Sequence[Finding]]
    prompt: RationalePrompt
    knowledge: KnowledgeBase
    seed: int = 0

    @classmethod
    def load(
        cls, processor: StudentProcessor, settings: OnPolicySettings, findings: Sequence[Sequence[Finding]], seed: int
    ) -> TeacherScores:
        """Return the scoring by the teacher that ``settings`` name. Raises TeacherModelError, KnowledgeError."""
        device = "cuda" if torch.cuda.is_available() else "cpu"
        teacher = TeacherModel.load(settings.teacher, device=device)
        return cls(teacher, processor, settings, findings, load_prompt(settings.prompt), load_knowledge(), seed)

    @property
    def shares_vocabulary(self) -> bool:
        """Whether the teacher's tokens are the student's."""
        return bool(self.teacher.tokenizer.get_vocab() == self.processor.tokenizer.get_vocab())

    def written(self, student: StudentModel, batch: Mapping[str, Tensor], *numbers: int) -> dict[str, Tensor]:
        """Return ``batch`` with texts that ``student`` samples now; ``numbers`` settle the draw, with the seed."""
        tokenizer = self.processor.tokenizer
        begin = torch.full((len(batch["groups"]), 1), tokenizer.bos_token_id, device=batch["groups"].device)
        was_training = student.training
        student.eval()  # type: ignore[no-untyped-call]
        with torch.random.fork_rng(range(torch.cuda.device_count())), torch.no_grad():
            torch.manual_seed(draw_seed(self.seed, *numbers))
            writing: Any = student
            ids: Tensor = writing.generate(
                input_ids=begin,
                attention_mask=torch.ones_like(begin),
                **student_inputs(batch),
                condition_states=batch["condition_states"],
                do_sample=True,
                top_k=0,
                temperature=self.settings.temperature,
                max_new_tokens=self.settings.new_tokens,
            )
        student.train(was_training)
        # Beyond the first end there is padding.
        ended = (ids == tokenizer.eos_token_id).cumsum(1)
        mask = (ended - (ids == tokenizer.eos_token_id).long() == 0).long()
        labels = ids.masked_fill(mask == 0, IGNORED)
        own = {"input_ids": ids, "attention_mask": mask, "labels": labels, ON_POLICY: torch.tensor(1)}
        stored = ("teacher_token_ids", "teacher_token_probs")
        return {**{name: value for name, value in batch.items() if name not in stored}, **own}

    def scored(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return ``batch`` with what the teacher would have put at every place of its texts.

        That is ``teacher_logits`` float [B, T, V] where the vocabularies are one, else ``teacher_token_probs`` float32
        [B, U, k] by the teacher's own tokens.
        """
        rows = [self._score(int(group), row) for group, row in zip(batch["groups"], batch["labels"], strict=True)]
        name = "teacher_logits" if self.shares_vocabulary else "teacher_token_probs"
        length = batch["labels"].shape[1] if self.shares_vocabulary else 1 + max(len(row) for row in rows)
        padded = rows[0].new_zeros(len(rows), length, rows[0].shape[1])
        for place, row in enumerate(rows):
            # Logits stand where they predict from, stored probabilities where the predicted token is.
            start = 0 if self.shares_vocabulary else 1
            padded[place, start : start + len(row)] = row
        return {**batch, name: padded.to(batch["labels"].device)}

    def _score(self, group: int, labels: Tensor) -> Tensor:
        """Return the teacher's logits [tokens, V], or its likeliest probabilities [tokens, k], of one text."""
        student_tokens, tokenizer = self.processor.tokenizer, self.teacher.tokenizer
        told = labels[labels != IGNORED][1:].tolist()
        ended = bool(told) and told[-1] == student_tokens.eos_token_id
        if self.shares_vocabulary:
            ids = told
        else:
            text = student_tokens.decode(told, skip_special_tokens=True)
            ids = [
                *tokenizer(text, add_special_tokens=False)["input_ids"],
                *([tokenizer.eos_token_id] if ended else []),
            ]
        asked = tokenizer(self.teacher.prompt(self.messages(group)), add_special_tokens=False)["input_ids"]
        device = self.teacher.model.device
        with torch.no_grad():
            logits = self.teacher.model(
                input_ids=torch.tensor([[*asked, *ids]], device=device), logits_to_keep=len(ids) + 1
            ).logits[0, :-1]
        if self.shares_vocabulary:
            return cast("Tensor", logits.float())
        return torch.softmax(logits.float(), dim=-1).topk(min(self.settings.likeliest, logits.shape[-1])).values

    def messages(self, group: int) -> tuple[Message, ...]:
        """Return how the teacher is told of the findings of a group, one after another in one prompt."""
        findings = list(self.findings[group])
        if not {finding.condition for finding in findings} - {Condition.SUPPORT_DEVICES}:
            findings.append(Finding(Condition.NO_FINDING, State.POSITIVE))
        asked = [
            messages_for(
                self.prompt, context, notes_for(context, self.knowledge, self.seed) if self.prompt.noted else ()
            )
            for context in contexts_of(findings, self.knowledge)
        ]
        user = "\n\n".join(message.content for turns in asked for message in turns if message.role == "user")
        return (asked[0][0], Message("user", user))
