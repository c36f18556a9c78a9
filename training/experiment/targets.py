"""What each arm's student is to learn of its training cases.

Everything follows from the reports, by the fixed labeler of the baseline arms and the teacher's reading in the others.
The truth enters where an arm says that it sees it, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.distillation.attributes import Attribute, attribute_labels
from kdistill_core.distillation.reading import blank_as_absent
from kdistill_core.distillation.soft_labels import SoftLabels, with_consequences
from kdistill_core.distillation.targets import Embed, TeacherTargets, teacher_targets, told
from kdistill_core.records import Finding
from kdistill_core.teacher.library import RationaleLibrary
from training.experiment.arms import Arm, Labels, Texts
from training.experiment.cases import ExperimentCases, as_array
from training.experiment.errors import ExperimentError
from training.experiment.library_tokens import LibraryTokens
from training.experiment.reports import codes_of

Codes = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ArmTargets:
    """labels: float32 [N, K] of 1, 0, -1 (uncertain) or NaN (blank). soft_labels: float32 [N, K] or None.

    attributes: float32 [N, A] of 1, 0 or NaN, the sides and severities that the teacher reads; None where it does not.
    """

    labels: Codes
    soft_labels: Codes | None
    teacher: TeacherTargets
    attributes: Codes | None = None


@dataclass(frozen=True)
class TeacherHelp:
    """What writes and embeds rationales. variants: versions of each. tokenizer: the student's, for token predictions.

    told_from: soft label from which on a finding that a report leaves out is told to the teacher. attributes: the sides
    and severities that it reads for.
    """

    library: RationaleLibrary
    embed: Embed | None
    tokenizer: PreTrainedTokenizerBase
    variants: int = 3
    told_from: float = 0.5
    attributes: tuple[Attribute, ...] = ()


def codes_read(cases: ExperimentCases) -> Codes:
    """Return what the teacher reads in the reports, float32 [N, K] of 1, 0, -1 (hedged) or NaN (left out).

    As it stands there; :func:`kdistill_core.distillation.soft_labels.with_consequences` adds what follows from it.
    """
    return codes_of([report.teacher for report in cases.reports])


def arm_targets(arm: Arm, cases: ExperimentCases, teacher: TeacherHelp, soft: SoftLabels | None) -> ArmTargets:
    """Return the targets of ``arm`` for its training cases. soft: needed by arms with soft labels alone.

    Raises ExperimentError where soft labels are missing.
    """
    if arm.labels is Labels.SOFT and soft is None:
        raise ExperimentError(f"The arm {arm.name} needs soft labels.", "Make them first; see softening.py.")
    labels, soft_labels = _labels(arm, cases, soft)
    if arm.texts is Texts.REPORT:
        return ArmTargets(labels, soft_labels, _report_targets(cases))
    known = cases.truth if arm.texts is Texts.TRUTH else tuple(report.findings for report in cases.reports)
    findings = known
    if arm.labels is Labels.SOFT and soft is not None:
        rows = zip(known, soft.targets, strict=True)
        findings = tuple(with_likely(found, likely, teacher.told_from) for found, likely in rows)
    embed = teacher.embed if arm.alignment else None
    targets = teacher_targets(findings, teacher.library, embed, teacher.variants)
    if arm.tokens:
        targets = _with_tokens(targets, findings, teacher)
    return ArmTargets(labels, soft_labels, targets, attribute_labels(known, labels, teacher.attributes))


def with_likely(findings: Sequence[Finding], likely: NDArray[np.floating], least: float) -> tuple[Finding, ...]:
    """Return ``findings`` with those asserted whose soft label [K] is ``least`` or more, of no side or severity.

    Soft labels are there for what a report leaves out or open only; No Finding follows from the others.
    """
    places = {condition: place for place, condition in enumerate(CONDITIONS)}
    return tuple(
        replace(finding, state=State.POSITIVE, side=None, severity=None)
        if finding.condition is not Condition.NO_FINDING and likely[places[finding.condition]] >= least
        else finding
        for finding in findings
    )


def empty_targets(count: int) -> TeacherTargets:
    """Return targets that say nothing, for classifiers alone."""
    states = np.zeros((count, len(CONDITIONS)), dtype=np.float32)
    return TeacherTargets((("",),) * count, states, states[:, :0], np.zeros(count, dtype=np.int64))


def report_texts(cases: ExperimentCases) -> tuple[str, ...]:
    """Return what the baseline arms learn to write."""
    return tuple(report.ordered for report in cases.reports)


def _labels(arm: Arm, cases: ExperimentCases, soft: SoftLabels | None) -> tuple[Codes, Codes | None]:
    match arm.labels:
        case Labels.NONE:
            return np.full((len(cases), len(CONDITIONS)), np.nan, dtype=np.float32), None
        case Labels.TRUTH:
            return as_array(cases), None
        case Labels.SOFT if soft is not None:
            return soft.codes, soft.targets
    if arm.reads_as_teacher:
        # The teacher knows which findings go together: reports seldom say what follows from what they say.
        return blank_as_absent(with_consequences(codes_read(cases))), None
    return blank_as_absent(codes_of([report.baseline for report in cases.reports])), None


def _report_targets(cases: ExperimentCases) -> TeacherTargets:
    """Return the reports as texts; their states are what each asserts, as specific as it does."""
    sets = [_asserted(report.findings) for report in cases.reports]
    numbers: dict[tuple[bool, ...], int] = {}
    groups = np.array([numbers.setdefault(tuple(one), len(numbers)) for one in sets], dtype=np.int64)
    texts = tuple((text,) for text in report_texts(cases))
    states = np.array(sets, dtype=np.float32).reshape(len(cases), len(CONDITIONS))
    return TeacherTargets(texts, states, np.zeros((len(cases), 0), dtype=np.float32), groups)


def _asserted(findings: Sequence[Finding]) -> list[bool]:
    specific = {finding.condition for finding in told(findings)}
    # As in a rationale: nothing abnormal is asserted. A hedge is neither.
    if not specific - {Condition.SUPPORT_DEVICES}:
        specific |= {
            finding.condition
            for finding in findings
            if finding.condition is Condition.NO_FINDING and finding.state is State.POSITIVE
        }
    return [condition in specific for condition in CONDITIONS]


def _with_tokens(
    targets: TeacherTargets, findings: Sequence[Sequence[Finding]], teacher: TeacherHelp
) -> TeacherTargets:
    predicts = LibraryTokens(teacher.library, teacher.tokenizer, teacher.variants)
    by_group = {int(group): found for group, found in zip(targets.groups, findings, strict=True)}
    predicted = {group: predicts.predict(found) for group, found in by_group.items()}
    return replace(targets, tokens=tuple(predicted[int(group)] for group in targets.groups))
