"""From radiographs and texts to the student's inputs, the same way in training and at inference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import BatchFeature, PreTrainedTokenizerBase, ProcessorMixin

from kdistill_core.imaging.model_input import ModelInput, preprocessing_sha256, to_model_input
from kdistill_core.records import Radiograph

# What pixels in [0, 1] are shifted and scaled by where nothing else is said.
PIXEL_MEAN, PIXEL_STD = 0.5, 0.25


class StudentProcessor(ProcessorMixin):
    """Radiographs to ``pixel_values``, texts to ``input_ids``.

    image_size: side of the model input in pixels. pixel_mean, pixel_std: what the [0, 1] pixels are shifted and scaled
    by.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        image_size: int = 160,
        pixel_mean: float = PIXEL_MEAN,
        pixel_std: float = PIXEL_STD,
    ) -> None:
        super().__init__(tokenizer)  # type: ignore[no-untyped-call]
        self.image_size = image_size
        self.pixel_mean = pixel_mean
        self.pixel_std = pixel_std

    def __call__(
        self, radiographs: Radiograph | Sequence[Radiograph] | None = None, text: str | Sequence[str] | None = None
    ) -> BatchFeature:
        """Return ``pixel_values`` float32 [B, 1, S, S] and, of beginnings of texts, ``input_ids`` int64 [B, T].

        Texts open with the begin token and are left open, for the student to go on from.
        """
        batch: dict[str, Tensor] = {}
        if radiographs is not None:
            images = [radiographs] if isinstance(radiographs, Radiograph) else radiographs
            batch["pixel_values"] = self.pixel_values(np.stack([self.model_input(image).pixels for image in images]))
        if text is not None:
            texts = [text] if isinstance(text, str) else text
            rows = [[self.tokenizer.bos_token_id, *self._ids(beginning)] for beginning in texts]
            batch["input_ids"], batch["attention_mask"] = self._padded(rows, left=True)
        return BatchFeature(batch)

    def model_input(self, radiograph: Radiograph) -> ModelInput:
        """Return the square the model sees of ``radiograph``, with the affine from image to model coordinates."""
        return to_model_input(radiograph, self.image_size)

    def pixel_values(self, pixels: NDArray[np.float32]) -> Tensor:
        """Return ``pixels`` float32 [B, S, S] in [0, 1] as the model's input float32 [B, 1, S, S]."""
        return (torch.from_numpy(pixels).unsqueeze(1) - self.pixel_mean) / self.pixel_std

    def targets(self, texts: Sequence[str], max_length: int) -> dict[str, Tensor]:
        """Return whole texts as ``input_ids``, ``attention_mask`` and ``labels`` int64 [B, T].

        T is at most ``max_length``. Each opens with the begin token, closes with the end token (unless cut off) and is
        padded on the right; padding is -100 in the labels.
        """
        rows = [
            [self.tokenizer.bos_token_id, *self._ids(text), self.tokenizer.eos_token_id][:max_length] for text in texts
        ]
        ids, mask = self._padded(rows, left=False)
        return {"input_ids": ids, "attention_mask": mask, "labels": ids.masked_fill(mask == 0, -100)}

    @property
    def preprocessing_sha256(self) -> str:
        """The hash that identifies how pixels get here; goes into every result's provenance."""
        return preprocessing_sha256(self.image_size)

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False)  # type: ignore[no-any-return]

    def _padded(self, rows: list[list[int]], *, left: bool) -> tuple[Tensor, Tensor]:
        longest = max(len(row) for row in rows)
        ids = torch.full((len(rows), longest), self.tokenizer.pad_token_id, dtype=torch.int64)
        mask = torch.zeros_like(ids)
        for index, row in enumerate(rows):
            at = slice(longest - len(row), None) if left else slice(0, len(row))
            ids[index, at] = torch.tensor(row)
            mask[index, at] = 1
        return ids, mask
