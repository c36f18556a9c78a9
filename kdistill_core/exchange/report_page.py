"""The explanation as one self-contained page: no script, style or picture is fetched from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kdistill_core.exchange.pictures import COLOR_MAP, blended, color, data_url, displayed, overlay, reduced_size
from kdistill_core.exchange.presentation import (
    MARKS,
    MEANINGS,
    author_line,
    by_probability,
    image_line,
    method_line,
    probability_text,
    review_line,
    said_of,
    state_word,
    student_passages,
    target_line,
    teacher_passages,
)
from kdistill_core.html import page_template
from kdistill_core.imaging.identification import side_markers
from kdistill_core.records import Explanation, Finding, Radiograph, Rationale, SaliencyMap, TargetKind

_LONGEST_IMAGE = 1400
# An overlay is smooth: a third of the image's size looks the same and keeps the page small.
_LONGEST_OVERLAY = 480


def render_page(
    explanation: Explanation, radiograph: Radiograph, maps: Sequence[SaliencyMap], identity: str = ""
) -> str:
    """Return the page as HTML.

    identity: the line that names the patient; empty where the patient is withheld.
    """
    gray = displayed(radiograph, _LONGEST_IMAGE)
    return page_template("kdistill_core.exchange", "report.html.j2").render(
        explanation=explanation,
        identity=identity,
        image={
            "line": image_line(explanation.image),
            "url": data_url(gray),
            "rows": gray.shape[0],
            "columns": gray.shape[1],
            "sides": side_markers(radiograph),
        },
        overlays=[_overlay(saliency_map, explanation) for saliency_map in maps],
        color_bar=_color_bar(),
        color_map=COLOR_MAP,
        findings=[_finding(finding) for finding in by_probability(explanation.findings)],
        columns=[
            _column("student", explanation.student, student_passages(explanation)),
            _column("teacher", explanation.teacher, teacher_passages(explanation)),
        ],
        legend=[(verdict.name.lower(), MARKS[verdict], meaning) for verdict, meaning in MEANINGS.items()],
        provenance=_provenance(explanation),
    )


def _overlay(saliency_map: SaliencyMap, explanation: Explanation) -> dict[str, Any]:
    rows, columns = reduced_size(explanation.image.rows, explanation.image.columns, _LONGEST_OVERLAY)
    target = saliency_map.target
    return {
        "title": target_line(target, explanation.student),
        "method": method_line(saliency_map),
        "url": data_url(overlay(saliency_map.values, rows, columns)),
        "said": said_of(saliency_map),
        "condition": target.condition.value if target.kind is TargetKind.CONDITION and target.condition else "",
    }


def _color_bar() -> str:
    import numpy as np

    ramp = color(np.linspace(0, 1, 256, dtype=np.float32)[None, :])
    return data_url(blended(np.full((1, 256), 96, dtype=np.uint8), ramp))


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "condition": finding.condition.value,
        "state": finding.state.value,
        "word": state_word(finding),
        "probability": finding.probability,
        "probability_text": "–" if finding.probability is None else probability_text(finding.probability),
        "threshold": finding.threshold,
        "where": ", ".join(str(part) for part in (finding.side, finding.severity, finding.place) if part),
    }


def _column(side: str, rationale: Rationale, passages: Sequence[Any]) -> dict[str, Any]:
    return {
        "side": side,
        "author": author_line(rationale),
        "review": review_line(rationale),
        "complete": rationale.complete,
        "passages": passages,
    }


def _provenance(explanation: Explanation) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = [("Image sha256", explanation.image.sha256)]
    for who, provenance in (("Student", explanation.provenance), ("Teacher", explanation.teacher.provenance)):
        rows += [
            (f"{who} model", " ".join(part for part in (provenance.model_name, provenance.model_version) if part)),
            (f"{who} weights sha256", provenance.weights_sha256),
            (f"{who} preprocessing sha256", provenance.preprocessing_sha256),
            (f"{who} prompt", provenance.prompt),
            (f"{who} seed", "" if provenance.seed is None else str(provenance.seed)),
            (f"{who} device", " ".join(part for part in (provenance.device, provenance.precision) if part)),
            (f"{who} software", provenance.software_version),
            (f"{who} time", provenance.created),
        ]
    rows.append(("Comparison", explanation.comparison.method))
    return [(name, value) for name, value in rows if value]
