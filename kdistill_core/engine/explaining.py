"""One radiograph to one explanation: findings, the student's rationale, the teacher's, and how they compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from kdistill_core.conditions import Condition, State
from kdistill_core.engine.cases import Case
from kdistill_core.engine.errors import DeclinedError
from kdistill_core.engine.messages import Stage
from kdistill_core.engine.models import Models
from kdistill_core.engine.sentences import tag_sentences
from kdistill_core.engine.writing import Writing, write_rationale
from kdistill_core.evaluation.agreement import compare
from kdistill_core.imaging.screening import screen
from kdistill_core.labeling import label_report
from kdistill_core.records import (
    Explanation,
    Finding,
    ImageSummary,
    Radiograph,
    Rationale,
    RationaleAuthor,
)
from kdistill_core.student.decisions import findings as decide
from kdistill_core.student.decisions import most_specific
from kdistill_core.student.modeling import ImageEncoding

_DECLINED_ADVICE = "This program explains frontal chest radiographs (PA or AP) only; open one of those."


def _ignore(*_: object) -> None:
    return


@dataclass(frozen=True)
class Watcher:
    """Who is told of each step of an explanation, and may end it by raising in ``check``."""

    on_stage: Callable[[Stage], None] = _ignore
    on_findings: Callable[[tuple[Finding, ...]], None] = _ignore
    on_text: Callable[[int, str], None] = _ignore
    check: Callable[[], None] = _ignore


def require_chest_radiograph(radiograph: Radiograph) -> None:
    """Raise DeclinedError for what is not a frontal chest radiograph, with the reason in plain words."""
    reason = screen(radiograph)
    if reason is not None:
        raise DeclinedError(reason, _DECLINED_ADVICE)


def explain_case(
    models: Models, radiograph: Radiograph, case: Case, watcher: Watcher, *, seed: int, max_new_tokens: int
) -> Explanation:
    """Return the explanation of ``case``, which was prepared from ``radiograph``."""
    watcher.check()
    watcher.on_stage(Stage.LOOKING)
    encoding = _look(models, case)
    findings = decide(models.student, cast("Tensor", encoding.condition_logits)[0].float())
    watcher.on_findings(findings)
    watcher.on_stage(Stage.WRITING)
    writing = write_rationale(
        models,
        encoding,
        seed=seed,
        max_new_tokens=max_new_tokens,
        on_text=watcher.on_text,
        check=watcher.check,
    )
    watcher.on_stage(Stage.TEACHING)
    written = {finding.condition: finding for finding in label_report(writing.text)}
    findings = tuple(_with_text(finding, written.get(finding.condition)) for finding in findings)
    provenance = models.provenance(seed)
    student = Rationale(
        text=writing.text,
        author=RationaleAuthor.STUDENT,
        sentences=tag_sentences(writing.text, models.library),
        tokens=writing.tokens,
        provenance=provenance,
        complete=writing.complete,
    )
    teacher = models.library.compose(most_specific(findings))
    watcher.check()
    return Explanation(
        image=_summary(radiograph),
        findings=findings,
        student=student,
        teacher=teacher,
        comparison=compare(student, teacher),
        provenance=provenance,
        warnings=_warnings(findings, written, writing),
    )


@torch.inference_mode()
def _look(models: Models, case: Case) -> ImageEncoding:
    return models.student.encode(case.pixel_values)


def _with_text(finding: Finding, written: Finding | None) -> Finding:
    """Add side, severity, place and evidence from the student's text where it says the same as the finding."""
    if written is None or written.state is not finding.state:
        return finding
    return replace(
        finding, side=written.side, severity=written.severity, place=written.place, evidence=written.evidence
    )


def _warnings(findings: tuple[Finding, ...], written: dict[Condition, Finding], writing: Writing) -> tuple[str, ...]:
    """Return where the student's findings and its text part ways, for the reader to know."""
    warnings = [] if writing.complete else ["The student's rationale ran into its length limit and is not complete."]
    asserted = {condition for condition, said in written.items() if said.state in (State.POSITIVE, State.UNCERTAIN)}
    warnings += [
        f"The findings hold {finding.condition}, but the written rationale does not assert it."
        for finding in most_specific(findings)
        if finding.condition not in asserted
    ]
    warnings += [
        f"The written rationale asserts {finding.condition}, which the findings do not hold."
        for finding in findings
        if finding.state is State.NEGATIVE and finding.condition in asserted
    ]
    return tuple(warnings)


def _summary(radiograph: Radiograph) -> ImageSummary:
    return ImageSummary(
        source=radiograph.source,
        sha256=radiograph.sha256,
        rows=radiograph.rows,
        columns=radiograph.columns,
        spacing=radiograph.spacing,
        modality=radiograph.modality,
        view_position=radiograph.view_position,
        study_uid=radiograph.study_uid,
    )
