"""The teacher's language model: any transformers causal language model in a local folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM, AutoTokenizer, StoppingCriteria, StoppingCriteriaList

from kdistill_core.errors import Canceled
from kdistill_core.teacher.errors import TeacherModelError


@dataclass(frozen=True)
class Message:
    """One turn of a prompt; ``role`` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True)
class Sampling:
    """How a next token is drawn: temperature and nucleus; ``temperature`` 0 takes the most likely one."""

    temperature: float = 0.0
    top_p: float = 0.9


GREEDY = Sampling()


class TeacherModel:
    """A causal language model with its tokenizer; loaded from a local folder only, never running remote code."""

    def __init__(self, folder: Path, model: Any, tokenizer: Any) -> None:
        self.folder = folder
        self.model = model
        self.tokenizer = tokenizer
        self._sha256 = ""

    @classmethod
    def load(cls, folder: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> TeacherModel:
        """Return the model stored in ``folder`` as config, safetensors and tokenizer. Raises TeacherModelError."""
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, padding_side="left")
            model = AutoModelForCausalLM.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype=dtype
            )
        except (OSError, ValueError, KeyError) as error:
            raise TeacherModelError(
                f"{folder} holds no causal language model that can be loaded: {error}",
                "It needs config.json, a tokenizer and model.safetensors.",
            ) from error
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        return cls(folder, model.eval().to(device), tokenizer)

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def sha256(self) -> str:
        """SHA-256 of the weights: of the file where there is one, of all files' hashes in order of name otherwise."""
        if not self._sha256:
            hashes = []
            for path in sorted(self.folder.glob("*.safetensors")):
                with path.open("rb") as file:
                    hashes.append(hashlib.file_digest(file, "sha256").hexdigest())
            self._sha256 = hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()
        return self._sha256

    def prompt(self, messages: Sequence[Message], opening: str = "") -> str:
        """Return the text to continue: the chat template where the tokenizer has one, and the forced ``opening``."""
        if self.tokenizer.chat_template:
            turns = [{"role": message.role, "content": message.content} for message in messages]
            return str(self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)) + opening
        # A base model continues a plain dialog.
        return "\n".join([*(message.content for message in messages), opening])

    def write_sentences(
        self,
        prompts: Sequence[str],
        *,
        sampling: Sampling = GREEDY,
        seed: int = 0,
        max_tokens: int = 48,
        on_text: Callable[[str], None] | None = None,
        canceled: Callable[[], bool] | None = None,
    ) -> list[str]:
        """Continue each prompt until its sentence ends, and return what was written, openings excluded.

        on_text: called with the text of the first prompt as it grows. Raises Canceled as soon as ``canceled`` says so.
        """
        inputs = self._inputs(prompts)
        length = inputs["input_ids"].shape[1]
        watch = _Watch(self.tokenizer, length, on_text, canceled)
        torch.manual_seed(seed)
        sample: dict[str, Any] = {"do_sample": False}
        if sampling.temperature > 0:
            sample = {"do_sample": True, "temperature": sampling.temperature, "top_p": sampling.top_p}
        with torch.inference_mode():
            written = self.model.generate(
                **inputs,
                **sample,
                max_new_tokens=max_tokens,
                pad_token_id=self.tokenizer.pad_token_id,
                stopping_criteria=StoppingCriteriaList([watch]),
            )
        texts = self.tokenizer.batch_decode(written[:, length:], skip_special_tokens=True)
        return [str(text).strip() for text in texts]

    def mean_hidden_state(self, text: str) -> NDArray[np.float32]:
        """Return the last hidden states of ``text``, averaged over its tokens: float32 [hidden size]."""
        tokens = self.tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"].to(self.model.device)
        with torch.inference_mode():
            states = self.model(input_ids=tokens, output_hidden_states=True).hidden_states[-1]
        return np.asarray(states[0].float().mean(dim=0).cpu().numpy())

    def _inputs(self, prompts: Sequence[str]) -> dict[str, Any]:
        """Return tokens and mask, int64 [prompts, tokens]; what all prompts begin with is computed once and shared."""
        rows = [list(self.tokenizer(prompt, add_special_tokens=False)["input_ids"]) for prompt in prompts]
        shared = min(_common(rows), min(map(len, rows)) - 1)
        width = max(map(len, rows))
        tokens = torch.full((len(rows), width), self.tokenizer.pad_token_id)
        mask = torch.zeros_like(tokens)
        for index, row in enumerate(rows):
            # The padding stands between the shared beginning and the rest, where the mask hides it.
            tokens[index, :shared] = torch.tensor(row[:shared])
            tokens[index, width - len(row) + shared :] = torch.tensor(row[shared:])
            mask[index, :shared] = 1
            mask[index, width - len(row) + shared :] = 1
        device = self.model.device
        inputs: dict[str, Any] = {"input_ids": tokens.to(device), "attention_mask": mask.to(device)}
        if len(rows) > 1 and shared > 0:
            with torch.inference_mode():
                cache = self.model(input_ids=inputs["input_ids"][:1, :shared], use_cache=True).past_key_values
            cache.batch_repeat_interleave(len(rows))
            inputs["past_key_values"] = cache
        return inputs


def _common(rows: Sequence[Sequence[int]]) -> int:
    """Return how many first tokens all rows share."""
    count = 0
    for column in zip(*rows, strict=False):
        if len(set(column)) > 1:
            break
        count += 1
    return count


class _Watch(StoppingCriteria):
    """Stops each row at the end of its sentence, passes the first row on, and stops all when canceled."""

    def __init__(
        self,
        tokenizer: Any,
        start: int,
        on_text: Callable[[str], None] | None,
        canceled: Callable[[], bool] | None,
    ) -> None:
        self._tokenizer = tokenizer
        self._start = start
        self._on_text = on_text
        self._canceled = canceled

    def __call__(self, input_ids: torch.LongTensor, _scores: torch.FloatTensor, **_: Any) -> torch.Tensor:
        if self._canceled is not None and self._canceled():
            raise Canceled
        if self._on_text is not None:
            self._on_text(self._tokenizer.decode(input_ids[0, self._start :], skip_special_tokens=True))
        last = self._tokenizer.batch_decode(input_ids[:, -1:])
        ended = [any(mark in token for mark in ".?!\n") for token in last]
        return torch.tensor(ended, device=input_ids.device)
