"""How often each condition is labeled and present in a training set: what a model knows before it looks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.label_policy import UncertainPolicy
from kdistill_core.records import Finding
from kdistill_core.serialization import RecordError, from_json, to_json

FILE_NAME = "training-labels.json"


@dataclass(frozen=True)
class LabelCount:
    """Of a condition in a training set: all cases, those with a label of it (1, 0, -1), with a 1, with a -1."""

    cases: int = 0
    known: int = 0
    positive: int = 0
    uncertain: int = 0

    @property
    def with_blanks_absent(self) -> LabelCount:
        """The same where a blank means that the condition is absent, as it does in the labels of reports."""
        return replace(self, known=self.cases)


LabelCounts = dict[Condition, LabelCount]


def count_labels(cases: Iterable[Sequence[Finding]]) -> LabelCounts:
    """Return the counts over each case's findings, an entry for each of ``CONDITIONS``; blank is not known."""
    total = 0
    states = {state: dict.fromkeys(CONDITIONS, 0) for state in State}
    for findings in cases:
        total += 1
        for finding in findings:
            states[finding.state][finding.condition] += 1
    counts = {}
    for condition in CONDITIONS:
        positive, negative, uncertain = (
            states[state][condition] for state in (State.POSITIVE, State.NEGATIVE, State.UNCERTAIN)
        )
        counts[condition] = LabelCount(total, positive + negative + uncertain, positive, uncertain)
    return counts


def prevalence(counts: Mapping[Condition, LabelCount], uncertain: UncertainPolicy) -> dict[Condition, float]:
    """Return each condition's share of positives; 0 for one that is never labeled, as a blind model would say."""
    shares = {}
    for condition, count in counts.items():
        known = count.known - (count.uncertain if uncertain is UncertainPolicy.IGNORE else 0)
        positive = count.positive + (count.uncertain if uncertain is UncertainPolicy.ONES else 0)
        shares[condition] = positive / max(known, 1)
    return shares


def write_label_counts(folder: Path, counted: Mapping[str, LabelCounts]) -> None:
    """Write what was counted in each training set, by its name, into a model's folder."""
    (folder / FILE_NAME).write_bytes(to_json(counted) + b"\n")


def read_label_counts(folder: Path) -> dict[str, LabelCounts]:
    """Return the counts of each training set that are stored with a model; none where the model stores none.

    Raises EvaluationError for a file that holds something else.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        return {}
    try:
        return from_json(path.read_bytes(), dict[str, LabelCounts])
    except RecordError as error:
        raise EvaluationError(
            f"{path} does not hold label counts: {error.problem}", "Train the model again, or remove the file."
        ) from error
