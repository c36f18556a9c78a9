"""Report labelers by name, so that a score can name its labeler and another one can take its place."""

from __future__ import annotations

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
_NOT_RULES = frozenset({"__init__", "chexbert", "chexbert_text", "chexbert_weights", "label_files", "labelers"})


class LabelingError(KDistillError):
    """Reports that cannot be labeled, or a labeler that cannot be had: with which file, and what to do."""


class LabelerName(StrEnum):
    """The labelers that can be asked for."""

    RULES = "rules"


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


def open_labeler(name: str) -> Labeler:
    """Return the labeler called ``name``. Raises LabelingError for an unknown name."""
    if name == LabelerName.RULES:
        return RuleLabeler()
    raise LabelingError(
        f"There is no labeler {name!r}.", f"Choose one of {', '.join(known.value for known in LabelerName)}."
    )


@lru_cache(maxsize=1)
def _rules_sha256() -> str:
    """Return a hash of the rules as they are written, so that a changed rule is another labeler."""
    digest = sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem not in _NOT_RULES:
            digest.update(path.name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()
