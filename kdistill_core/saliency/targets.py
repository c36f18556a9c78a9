"""What is attributed to the image: the score of a condition, or of the tokens of a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from kdistill_core.records import TargetKind
from kdistill_core.student import StudentModel


@dataclass(frozen=True)
class ConditionTarget:
    """The uncalibrated logit of one condition; ``index`` counts the model's condition queries."""

    index: int

    kind = TargetKind.CONDITION

    def score(self, model: StudentModel, pixel_values: Tensor) -> Tensor:
        """Return the score of each image, float [B]; pixel_values: float [B, 1, S, S]."""
        logits = cast("Tensor", model.encode(pixel_values).condition_logits)
        return logits[:, self.index]


@dataclass(frozen=True, eq=False)
class TextTarget:
    """The summed log-probability of some tokens of a text, each given all before it (teacher forcing).

    input_ids: int64 [T], the prompt and what was generated.
    positions: of the tokens in ``input_ids``, each at least 1; they are a word's or a sentence's.
    """

    input_ids: Tensor
    positions: tuple[int, ...]
    kind: TargetKind = TargetKind.WORD

    def score(self, model: StudentModel, pixel_values: Tensor) -> Tensor:
        """Return the score of each image, float32 [B]; pixel_values: float [B, 1, S, S]."""
        # What follows the last token of the target has no influence on it.
        ids = self.input_ids[: max(self.positions) + 1].expand(pixel_values.shape[0], -1)
        logits: Tensor = model(pixel_values=pixel_values, input_ids=ids, use_cache=False).logits
        at = torch.tensor(self.positions, device=ids.device)
        # float32: a sum of log-probabilities over a vocabulary loses too much in half precision.
        log_probabilities = logits[:, at - 1].float().log_softmax(-1)
        return log_probabilities.gather(-1, ids[:, at].unsqueeze(-1)).sum((-1, -2))


Target = ConditionTarget | TextTarget
