"""The teacher's language model: any transformers causal language model in a local folder, an adapter merged into it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer

from kdistill_core.teacher.errors import TeacherModelError
from kdistill_core.teacher.growing_cache import growing_cache
from kdistill_core.teacher.prompts import Message, prompt_text
from kdistill_core.teacher.smollm2 import NAME as SMOLLM2
from kdistill_core.teacher.smollm2 import smollm2_folder

# The teacher that came with the program, by its place among the resources.
BUNDLED_TEACHER = "models/teacher-demo"
_ADAPTER_CONFIG = "adapter_config.json"


class TeacherModel:
    """A causal language model with its tokenizer; loaded from a local folder only, never running remote code."""

    def __init__(self, folder: Path, model: Any, tokenizer: Any, adapter: Path | None = None) -> None:
        self.folder = folder
        self.adapter = adapter
        self.model = model
        self.tokenizer = tokenizer
        self._sha256 = ""

    @classmethod
    def load(
        cls, folder: Path | str, *, adapter: Path | None = None, device: str = "cpu", dtype: torch.dtype = torch.float32
    ) -> TeacherModel:
        """Return the model stored in ``folder`` as config, safetensors and tokenizer, its adapter merged into it.

        folder: of a model, of a LoRA adapter whose configuration names its base, or SmolLM2-135M-Instruct by its name.
        Raises TeacherModelError.
        """
        base = smollm2_folder() if str(folder) == SMOLLM2 else Path(folder)
        if adapter is None and (base / _ADAPTER_CONFIG).is_file():
            base, adapter = _base_of(base), base
        try:
            tokenizer = AutoTokenizer.from_pretrained(
                base, local_files_only=True, trust_remote_code=False, padding_side="left"
            )
            model: Any = AutoModelForCausalLM.from_pretrained(
                base, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype=dtype
            )
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise TeacherModelError(
                f"{base} holds no causal language model that can be loaded: {error}",
                "It needs config.json, a tokenizer and model.safetensors.",
            ) from error
        if adapter is not None:
            model = _with_adapter(model, adapter)
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        return cls(base, model.eval().to(device), tokenizer, adapter)

    @property
    def name(self) -> str:
        return self.folder.name if self.adapter is None else f"{self.folder.name} + {self.adapter.resolve().name}"

    @property
    def sha256(self) -> str:
        """SHA-256 of the weights: of the file where there is one, of all files' hashes in order otherwise."""
        if not self._sha256:
            hashes = []
            for folder in filter(None, (self.folder, self.adapter)):
                for path in sorted(folder.glob("*.safetensors")):
                    with path.open("rb") as file:
                        hashes.append(hashlib.file_digest(file, "sha256").hexdigest())
            self._sha256 = hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()
        return self._sha256

    @property
    def ends(self) -> tuple[int, ...]:
        """The tokens that end a text: the tokenizer's, and those that the model's configuration adds."""
        given = self.model.generation_config.eos_token_id
        ends = given if isinstance(given, list) else [given]
        found = dict.fromkeys(end for end in (self.tokenizer.eos_token_id, *ends) if end is not None)
        if not found:
            raise TeacherModelError(
                f"The tokenizer in {self.folder} has no end-of-text token.", "Give the instruction-tuned model."
            )
        return tuple(found)

    def prompt(self, messages: Sequence[Message]) -> str:
        """Return the text to continue."""
        return prompt_text(self.tokenizer, messages)

    def mean_hidden_state(self, text: str) -> NDArray[np.float32]:
        """Return the last hidden states of ``text``, averaged over its tokens: float32 [hidden size]."""
        tokens = self.tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"].to(self.model.device)
        with torch.inference_mode():
            states = self.model(input_ids=tokens, output_hidden_states=True).hidden_states[-1]
        return np.asarray(states[0].float().mean(dim=0).cpu().numpy())

    def inputs(self, prompts: Sequence[str]) -> dict[str, Any]:
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
            cache = growing_cache(self.model.config)
            with torch.inference_mode():
                self.model(input_ids=inputs["input_ids"][:1, :shared], past_key_values=cache, use_cache=True)
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


def _base_of(adapter: Path) -> Path:
    """Return the folder of the model that an adapter was trained on. Raises TeacherModelError."""
    try:
        base = str(json.loads((adapter / _ADAPTER_CONFIG).read_text(encoding="utf-8"))["base_model_name_or_path"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TeacherModelError(
            f"{adapter / _ADAPTER_CONFIG} does not name the model it was trained on ({error}).",
            "Copy the folder again.",
        ) from error
    if base == SMOLLM2:
        return smollm2_folder()
    if not Path(base).is_dir():
        raise TeacherModelError(
            f"The adapter {adapter} was trained on {base}, which is not a folder here.",
            "Give that model's folder, and the adapter with --adapter.",
        )
    return Path(base)


def _with_adapter(model: Any, adapter: Path) -> Any:
    """Return ``model`` with the adapter added into its weights. Raises TeacherModelError."""
    from peft import PeftModel

    if not (adapter / "adapter_model.safetensors").is_file():
        raise TeacherModelError(
            f"{adapter} holds no adapter_model.safetensors.", "Give the folder of a LoRA adapter; no other is read."
        )
    try:
        return PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise TeacherModelError(
            f"The adapter {adapter} does not fit its model ({str(error).splitlines()[0]}).",
            "Give the adapter that was trained on this model.",
        ) from error
