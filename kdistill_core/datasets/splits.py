"""Splits by patient, the same in every run and in every part of a data set, without a file that could get lost."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum


class Split(StrEnum):
    """What a case is for."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True)
class Shares:
    """The shares of patients held out; the rest is for training."""

    validation: float = 0.1
    test: float = 0.18


def split_of(data_set: str, patient_id: str, shares: Shares | None = None) -> Split:
    """Return the split of a patient, from a hash of the data set's name and the patient's id alone."""
    shares = shares or Shares()
    digest = hashlib.sha256(f"{data_set}:{patient_id}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    if place < shares.test:
        return Split.TEST
    return Split.VALIDATION if place < shares.test + shares.validation else Split.TRAIN


def most_held_out(splits: Collection[str]) -> str:
    """Return the split of a study whose images are given several, empty for none that is known.

    What is held out for testing must never be trained on, whatever else a table says.
    """
    return next((split.value for split in (Split.TEST, Split.VALIDATION, Split.TRAIN) if split.value in splits), "")
