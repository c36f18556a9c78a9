"""What a noisy report says of each condition: asserted, negated, resolved, hedged or left out.

Built on the rules of :mod:`kdistill_core.labeling`, which know a resolution by its words but file it as a negation. The
experiment's end-to-end baseline reads by :data:`BASELINE_LABELER`; docs/soft-labels.md says what that does with what.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from kdistill_core.conditions import CONDITIONS, FINDING_CONDITIONS, STATE_CODES, Condition, State
from kdistill_core.labeling import Evidence, Reason, explain_labels
from kdistill_core.labeling.labelers import RuleLabeler
from kdistill_core.labeling.sentences import shown_sentences
from kdistill_core.records import Span

# The cues of labeling/cues.py that say a finding was there before and is not now.
_RESOLUTION = re.compile(
    r"\b(?:resolved|cleared|removed|gone|no longer)$|\b(?:resolution|clearance|clearing|removal) of$"
)


class Said(StrEnum):
    """What a report says of a condition; LEFT_OUT also where it is named as history alone."""

    ASSERTED = "asserted"
    NEGATED = "negated"
    RESOLVED = "resolved"
    HEDGED = "hedged"
    LEFT_OUT = "left out"


_SAID_OF = {
    State.POSITIVE: Said.ASSERTED,
    State.NEGATIVE: Said.NEGATED,
    State.UNCERTAIN: Said.HEDGED,
    State.BLANK: Said.LEFT_OUT,
}
STATE_OF = {
    Said.ASSERTED: State.POSITIVE,
    Said.NEGATED: State.NEGATIVE,
    Said.RESOLVED: State.NEGATIVE,
    Said.HEDGED: State.UNCERTAIN,
    Said.LEFT_OUT: State.BLANK,
}
# CheXpert's order; of two denials the one that tells more.
_RANK = {Said.LEFT_OUT: 0, Said.NEGATED: 1, Said.RESOLVED: 2, Said.HEDGED: 3, Said.ASSERTED: 4}
_ABSENT = frozenset({Said.NEGATED, Said.RESOLVED})
# Under this many denials a condition cannot be learned from what is said of it alone.
LEAST_DENIED = 20


@dataclass(frozen=True)
class ConditionReading:
    """What a report says of one condition.

    evidence: the sentences that decided it, ranges of the report's text; none where the condition is left out.
    contradicted: another sentence denies what this one asserts or leaves open.
    """

    condition: Condition
    said: Said
    evidence: tuple[Span, ...] = ()
    contradicted: bool = False


def read_report(text: str) -> tuple[ConditionReading, ...]:
    """Return what ``text`` says of the 14 conditions, in the order of ``CONDITIONS``.

    Sections that do not describe the image are passed over. A condition that is asserted in any section is asserted,
    one that is doubted in any is not denied (Irvin et al., AAAI 2019). No Finding is asserted where a report has
    sentences and no abnormality is asserted or hedged, negated where one is asserted, hedged where one is only hedged.
    """
    return _readings(text, _said(text))


def reading_codes(readings: Sequence[Sequence[ConditionReading]]) -> NDArray[np.float32]:
    """Return float32 [N, K] of 1 (asserted), 0 (negated or resolved), -1 (hedged) or NaN (left out)."""
    rows = [[_code(STATE_OF[reading.said]) for reading in of_report] for of_report in readings]
    return np.asarray(rows, dtype=np.float32).reshape(len(rows), len(CONDITIONS))


def blank_as_absent(codes: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return ``codes`` with the blanks of conditions that are hardly ever denied as 0, float32 [N, K].

    codes: [N, K] of 1, 0, -1 or NaN, of the whole training set. Where fewer than 20 deny a condition, a classifier that
    masks blanks would see positives alone.
    """
    rare = (codes == 0).sum(axis=0) < LEAST_DENIED
    return np.where(np.isnan(codes) & rare, 0, codes).astype(np.float32)


@dataclass(frozen=True)
class BaselineLabeler:
    """Labels reports for the experiment's baseline arms.

    resolved: what a finding counts as that has resolved.
    """

    name: str
    resolved: Said

    @property
    def version(self) -> str:
        """The version of the rules, which changes with every rule."""
        return RuleLabeler().version

    def codes(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return float32 [N, K] of 1, 0, -1 (uncertain) or NaN (blank), columns in the order of ``CONDITIONS``."""
        return reading_codes([self._read(text) for text in texts])

    def _read(self, text: str) -> tuple[ConditionReading, ...]:
        return _readings(
            text,
            {
                condition: [(self.resolved if kind is Said.RESOLVED else kind, span) for kind, span in mentions]
                for condition, mentions in _said(text).items()
            },
        )


# CheXpert's own labeler denies what has resolved, cleared, been removed or is no longer seen; so does the baseline.
BASELINE_LABELER = BaselineLabeler("rules", Said.NEGATED)
# An ablation, weaker than any published labeler: naming a finding that has gone counts as finding it.
NAIVE_LABELER = BaselineLabeler("rules, resolved read as present", Said.ASSERTED)


def _readings(text: str, said: Mapping[Condition, Sequence[tuple[Said, Span]]]) -> tuple[ConditionReading, ...]:
    readings = {condition: _reading(condition, said.get(condition, ())) for condition in FINDING_CONDITIONS}
    normal = tuple(span for _, span in said.get(Condition.NO_FINDING, ()))
    readings[Condition.NO_FINDING] = _no_finding(readings.values(), normal, empty=not shown_sentences(text))
    return tuple(readings[condition] for condition in CONDITIONS)


def _said(text: str) -> dict[Condition, list[tuple[Said, Span]]]:
    said: dict[Condition, list[tuple[Said, Span]]] = defaultdict(list)
    for mention in explain_labels(text):
        said[mention.condition].append((_kind(text, mention), mention.sentence))
    return said


def _kind(text: str, mention: Evidence) -> Said:
    if mention.reason is Reason.NEGATION and mention.cue is not None:
        cue = " ".join(text[mention.cue.start : mention.cue.end].lower().split())
        if _RESOLUTION.search(cue):
            return Said.RESOLVED
    return _SAID_OF[mention.state]


def _reading(condition: Condition, said: Sequence[tuple[Said, Span]]) -> ConditionReading:
    kinds = {kind for kind, _ in said} - {Said.LEFT_OUT}
    if not kinds:
        return ConditionReading(condition, Said.LEFT_OUT)
    decided = max(kinds, key=_RANK.__getitem__)
    evidence = tuple(dict.fromkeys(span for kind, span in said if kind is decided))
    return ConditionReading(condition, decided, evidence, decided not in _ABSENT and bool(kinds & _ABSENT))


def _no_finding(readings: Iterable[ConditionReading], normal: tuple[Span, ...], *, empty: bool) -> ConditionReading:
    of_findings = [reading for reading in readings if reading.condition is not Condition.SUPPORT_DEVICES]
    for said, counts_as in ((Said.ASSERTED, Said.NEGATED), (Said.HEDGED, Said.HEDGED)):
        spans = [span for reading in of_findings if reading.said is said for span in reading.evidence]
        if spans:
            return ConditionReading(Condition.NO_FINDING, counts_as, tuple(dict.fromkeys(spans)), bool(normal))
    if empty:
        return ConditionReading(Condition.NO_FINDING, Said.LEFT_OUT)
    return ConditionReading(Condition.NO_FINDING, Said.ASSERTED, tuple(dict.fromkeys(normal)))


def _code(state: State) -> float:
    code = STATE_CODES[state]
    return float("nan") if code is None else code
