"""What each side of the distillation sees, as a batch.

The student's inputs are pixels; its targets are the teacher's rationale and labels. No word of a report is in a batch,
and nothing in it goes to the teacher, whose answers were taken before (:mod:`kdistill_core.distillation.targets`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from kdistill_core.conditions import STATE_CODES
from kdistill_core.datasets.cache import PixelCache
from kdistill_core.distillation.augmentation import Augmentation, augment, names_a_side
from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.targets import TeacherTargets, TokenPredictions
from kdistill_core.records import Finding
from kdistill_core.student.processing import StudentProcessor

# What the student receives; everything else in a batch is a target. Views and times only where there are several.
STUDENT_INPUTS = frozenset({"pixel_values", "view_ids", "view_times"})
# The teacher's rationale, fed shifted as causal language models are trained, and what else it says of a case.
TEACHER_TARGETS = frozenset(
    {
        "input_ids",
        "attention_mask",
        "labels",
        "condition_states",
        "teacher_embeddings",
        "groups",
        "finding_sets",
        "condition_embeddings_of_teacher",
        "concept_labels",
        "teacher_token_ids",
        "teacher_token_probs",
    }
)
LABELS = frozenset({"condition_labels", "soft_labels"})
# Which cases these are, as hashes: for whoever has to find a batch again.
BOOKKEEPING = frozenset({"case_keys"})
NO_VIEW = -1


def condition_codes(findings: Sequence[Finding]) -> list[float]:
    """Return one code per finding: 1, 0, -1 (uncertain) or NaN (blank)."""
    codes = (STATE_CODES[finding.state] for finding in findings)
    return [float("nan") if code is None else code for code in codes]


@dataclass(frozen=True, eq=False)
class View:
    """A further image of a case: pixels uint8 [S, S], its kind, and how many days before the current study it was."""

    pixels: NDArray[np.uint8]
    kind: int
    days: float = 0.0


@dataclass(frozen=True, eq=False)
class Example:
    """One training case: pixels uint8 [S, S], labels float32 [K], and what the teacher says of it.

    views: images beside the first. soft_labels: float32 [K]; finding_set: bool [K]; condition_embeddings: float32
    [K, D]; concepts: float32 [C]; tokens: the teacher's predictions for ``text``; each None where there is none.
    key: hash of the case's id. draw: the number of its draw, from which what is random about it comes.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.float32]
    text: str
    states: NDArray[np.float32]
    embedding: NDArray[np.float32]
    group: int
    views: tuple[View, ...] = ()
    soft_labels: NDArray[np.float32] | None = None
    finding_set: NDArray[np.bool_] | None = None
    condition_embeddings: NDArray[np.float32] | None = None
    concepts: NDArray[np.float32] | None = None
    tokens: TokenPredictions | None = None
    key: int = 0
    draw: int = 0


class DistillationDataset(Dataset[Example]):
    """Cases of one prepared set with the teacher's targets; ``variant_seed`` chooses which version of each is told.

    labels: float32 [N, K] of codes, by default those of the studies' findings. soft_labels: float32 [N, K], what a
    blank label is to be learned as, NaN where nobody knows. further_views: the images of a case beside its first, by
    its number; the student has to know several views then. Raises DistillationError for labels of another shape.
    """

    def __init__(
        self,
        cache: PixelCache,
        targets: TeacherTargets,
        variant_seed: int = 0,
        labels: NDArray[np.float32] | None = None,
        soft_labels: NDArray[np.float32] | None = None,
        further_views: Callable[[int], Sequence[View]] | None = None,
    ) -> None:
        codes = np.asarray([condition_codes(study.findings) for study in cache.studies], dtype=np.float32)
        for given in (labels, soft_labels):
            if given is not None and given.shape != codes.shape:
                raise DistillationError(
                    f"Labels have the shape {given.shape}, the cases' findings {codes.shape}.",
                    "Make them for the same cases and conditions, in the same order.",
                )
        self._labels = codes if labels is None else labels
        self._cache = cache
        self._targets = targets
        self._soft_labels = soft_labels
        self._further_views = further_views
        self._keys = [case_key(study.id) for study in cache.studies]
        self._variants = np.random.default_rng(variant_seed).integers(1 << 30, size=len(cache))

    def __len__(self) -> int:
        return len(self._cache)

    @property
    def labels(self) -> NDArray[np.float32]:
        """The labels of all cases, float32 [N, K] of 1, 0, -1 (uncertain) or NaN (blank)."""
        return self._labels

    def __getitem__(self, index: int) -> Example:
        told = self._targets
        version = int(self._variants[index]) % len(told.texts[index])
        return Example(
            pixels=self._cache.pixels[index],
            labels=self._labels[index],
            text=told.texts[index][version],
            states=told.states[index],
            embedding=told.embeddings[index],
            group=int(told.groups[index]),
            views=() if self._further_views is None else tuple(self._further_views(index)),
            soft_labels=None if self._soft_labels is None else self._soft_labels[index],
            finding_set=None if told.finding_sets is None else told.finding_sets[index],
            condition_embeddings=told.condition_embeddings_of(index),
            concepts=None if told.concepts is None else told.concepts[index],
            tokens=None if told.tokens is None else told.tokens[index][version],
            key=self._keys[index],
        )


def case_key(case: str) -> int:
    """Return 63 bits of the SHA-256 of a case's id: the same case always has the same key, which does not name it."""
    return int.from_bytes(hashlib.sha256(case.encode()).digest()[:8], "big") >> 1


def draw_seed(seed: int, *numbers: int) -> int:
    """Return the seed of one draw's own random numbers; those of different ``numbers`` and seeds are unrelated."""
    return int(np.random.SeedSequence([seed, *numbers]).generate_state(1, np.uint64)[0] >> np.uint64(1))


@dataclass(frozen=True)
class Collator:
    """Examples to a batch; ``augmentation`` None leaves the pixels as they are.

    What is random about an example follows from ``seed`` and the number of its draw: it is the same again after an
    interruption, in any batch and in any process.
    """

    processor: StudentProcessor
    max_text_length: int
    augmentation: Augmentation | None = None
    seed: int = 0

    def __call__(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Return the batch: the keys of the contract above that these examples have something for.

        Raises DistillationError where images are flipped though their text names a side.
        """
        texts = [example.text for example in examples]
        if self.augmentation is not None and self.augmentation.flip and (text := names_a_side(texts)) is not None:
            raise DistillationError(
                f"Images are to be flipped, but their texts name sides: {text!r}.",
                "Set the augmentation's flip to 0, or train on texts without sides.",
            )
        written = self.processor.targets(texts, self.max_text_length)
        return {
            **self._images(examples),
            **written,
            "condition_states": _stacked([example.states for example in examples]),
            "teacher_embeddings": _stacked([example.embedding for example in examples]),
            "groups": torch.tensor([example.group for example in examples]),
            "condition_labels": _stacked([example.labels for example in examples]),
            "case_keys": torch.tensor([example.key for example in examples]),
            **_optional("soft_labels", [example.soft_labels for example in examples]),
            **_optional("finding_sets", [example.finding_set for example in examples]),
            **_optional("condition_embeddings_of_teacher", [example.condition_embeddings for example in examples]),
            **_optional("concept_labels", [example.concepts for example in examples]),
            **_tokens([example.tokens for example in examples], written["labels"].shape[1], self.max_text_length),
        }

    def _images(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Return ``pixel_values``, and the kinds and times of views where an example has more than one."""
        shown = [(row, 0, View(example.pixels, 0)) for row, example in enumerate(examples)]
        shown += [(row, at, view) for row, each in enumerate(examples) for at, view in enumerate(each.views, start=1)]
        seeds = [draw_seed(self.seed, examples[row].draw, at) for row, at, _ in shown]
        values = self._pixel_values([view.pixels for *_, view in shown], seeds)
        if len(shown) == len(examples):
            return {"pixel_values": values}
        rows, columns = torch.tensor([(row, at) for row, at, _ in shown]).T
        size = (len(examples), int(columns.max()) + 1)
        every, kinds, days = values.new_zeros(*size, *values.shape[1:]), torch.full(size, NO_VIEW), torch.zeros(size)
        every[rows, columns] = values
        kinds[rows, columns] = torch.tensor([view.kind for *_, view in shown])
        days[rows, columns] = torch.tensor([view.days for *_, view in shown])
        return {"pixel_values": every, "view_ids": kinds, "view_times": days}

    def _pixel_values(self, images: Sequence[NDArray[np.uint8]], seeds: Sequence[int]) -> Tensor:
        pixels = torch.from_numpy(np.stack(images)).float() / 255
        if self.augmentation is not None:
            generators = [torch.Generator().manual_seed(seed) for seed in seeds]
            pixels = augment(pixels.unsqueeze(1), self.augmentation, generators).squeeze(1)
        return self.processor.pixel_values(pixels.numpy())


def _stacked(values: Sequence[NDArray[np.generic]]) -> Tensor:
    return torch.from_numpy(np.stack(values))


def _optional(name: str, values: Sequence[NDArray[np.generic] | None]) -> dict[str, Tensor]:
    """Return what every example has; what only some have would be a data set put together wrongly."""
    given = [value for value in values if value is not None]
    if not given:
        return {}
    if len(given) < len(values):
        raise DistillationError(
            f"Of {len(values)} cases in a batch {len(given)} have `{name}`.",
            "Make it for every set that is trained on, NaN where nothing is known.",
        )
    return {name: _stacked(given)}


def _tokens(predictions: Sequence[TokenPredictions | None], shortest: int, longest: int) -> dict[str, Tensor]:
    """Return the predictions of a batch; padded to the student's text, whose positions they share if its tokens are."""
    given = [prediction for prediction in predictions if prediction is not None]
    if not given:
        return {}
    length = max(shortest, min(longest, max(len(prediction.ids) for prediction in given)))
    size = (len(predictions), length, max(prediction.ids.shape[1] for prediction in given))
    ids, probabilities = torch.full(size, -1), torch.zeros(size)
    for row, prediction in enumerate(predictions):
        if prediction is not None:
            at = slice(0, len(prediction.ids[:length])), slice(0, prediction.ids.shape[1])
            ids[row][at] = torch.from_numpy(prediction.ids[:length].astype(np.int64))
            probabilities[row][at] = torch.from_numpy(prediction.probabilities[:length].astype(np.float32))
    return {"teacher_token_ids": ids, "teacher_token_probs": probabilities}
