"""Report labelers by name, so that a score can name its labeler and another one can take its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import kdistill_core
from kdistill_core.errors import KDistillError
from kdistill_core.labeling.labeler import label_report
from kdistill_core.records import Finding

# Modules of this package that no label of the rules depends on.
_NOT_RULES = re.compile(r"__init__|labelers|label_files|label_runs|chexbert\w*")


class LabelingError(KDistillError):
    """Reports that cannot be labeled, or a labeler that cannot be had: with which file, and what to do."""


class LabelerName(StrEnum):
    """The labelers that can be asked for."""

    RULES = "rules"
    CHEXBERT = "chexbert"


class Labeler(Protocol):
    """Reads reports.

    version: what another must have to get the same labels: of the rules, the program's version and a hash of the
    rules; of a network, the SHA-256 of its weights.
    """

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def label(self, texts: Sequence[str]) -> list[tuple[Finding, ...]]:
        """Return the findings of each text, the 14 in the order of ``CONDITIONS``, the texts in theirs."""
        ...


@dataclass(frozen=True)
class RuleLabeler:
    """The built-in labeler; evidence spans are the sentences it decided by."""

    name: str = LabelerName.RULES.value

    @property
    def version(self) -> str:
        return f"{kdistill_core.__version__} (rules {_rules_sha256()[:12]})"

    def label(self, texts: Sequence[str]) -> list[tuple[Finding, ...]]:
        return [label_report(text) for text in texts]


def open_labeler(
    name: str, *, weights: Path | None = None, vocabulary: Path | None = None, device: str = "cpu"
) -> Labeler:
    """Return the labeler called ``name``: ``rules`` or ``chexbert``.

    weights, vocabulary, device: of CheXbert, see :func:`kdistill_core.labeling.chexbert.open_chexbert`; the rules need
    none. Torch is imported for CheXbert alone. Raises LabelingError for an unknown name and for files that will not do.
    """
    if name == LabelerName.RULES:
        return RuleLabeler()
    if name != LabelerName.CHEXBERT:
        known = ", ".join(labeler.value for labeler in LabelerName)
        raise LabelingError(f"There is no labeler {name!r}.", f"Choose one of {known}.")
    if weights is None:
        raise LabelingError("CheXbert needs its weights.", "Give the file chexbert.pth; docs/labeling.md says more.")
    from kdistill_core.labeling.chexbert import open_chexbert

    return open_chexbert(weights, vocabulary, device)


@lru_cache(maxsize=1)
def _rules_sha256() -> str:
    """Return a hash of the rules as they are written, so that a changed rule is another labeler."""
    digest = sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if not _NOT_RULES.fullmatch(path.stem):
            digest.update(path.name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()
