"""An evaluation of teachers as a folder: the scores, a page, its figures, and what was measured of each model."""

from __future__ import annotations

from pathlib import Path

from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.figures import FigureFile
from kdistill_core.evaluation.pages import data_url
from kdistill_core.evaluation.summary import interval_text, number_text
from kdistill_core.evaluation.teachers.figures import draw_teacher_figures
from kdistill_core.evaluation.teachers.measured import PARTIAL, MeasuredStore, write_whole
from kdistill_core.evaluation.teachers.result import TeacherQuality
from kdistill_core.evaluation.teachers.summary import comparison_text, differs, every_row, main_rows
from kdistill_core.html import page_template
from kdistill_core.serialization import to_json

SCORES, PAGE, FIGURES, MEASURED = "teachers.json", "index.html", "figures", "measured"
_ENTRIES = frozenset({SCORES, PAGE, FIGURES, MEASURED})
_SHOWN_SENTENCES = 40


def measured_store(out: Path) -> MeasuredStore:
    """Return where measurements are kept in ``out``, which may hold those of an earlier run.

    Raises EvaluationError where ``out`` holds something else.
    """
    if out.exists() and not (out.is_dir() and all(map(_is_ours, out.iterdir()))):
        raise EvaluationError(
            f"{out} is there already and holds something else than an evaluation of teachers.", "Choose another --out."
        )
    return MeasuredStore(out / MEASURED)


def _is_ours(path: Path) -> bool:
    return path.name in _ENTRIES or path.suffix == PARTIAL


def write_quality(result: TeacherQuality, out: Path) -> Path:
    """Write scores, figures and page into ``out`` and return the page; earlier ones are replaced, measurements kept."""
    figures = draw_teacher_figures(result)
    (out / FIGURES).mkdir(parents=True, exist_ok=True)
    for old in (out / FIGURES).glob("*.svg"):
        old.unlink()
    for figure in figures:
        (out / FIGURES / f"{figure.name}.svg").write_bytes(figure.svg)
    write_whole(out / SCORES, to_json(result) + b"\n")
    write_whole(out / PAGE, render_teachers(result, figures).encode("utf-8"))
    return out / PAGE


def render_teachers(result: TeacherQuality, figures: tuple[FigureFile, ...]) -> str:
    """Return the page as HTML; it needs no network."""
    return page_template("kdistill_core.evaluation", "teachers.html.j2").render(
        result=result,
        teachers=result.teachers,
        main=main_rows(result),
        every=every_row(result),
        figures=[{"title": figure.title, "text": figure.text, "url": data_url(figure.svg)} for figure in figures],
        number=number_text,
        interval=interval_text,
        comparison=comparison_text,
        proven=differs,
        shown=_SHOWN_SENTENCES,
        scores_file=SCORES,
        provenance=_provenance(result),
    )


def _provenance(result: TeacherQuality) -> list[tuple[str, str]]:
    rows = []
    for teacher in result.teachers:
        rows.append((teacher.name, f"{teacher.precision}; weights sha256 {teacher.model_sha256}"))
        if teacher.writer is not None:
            prompt = f"{teacher.writer.prompt} (sha256 {teacher.writer.prompt_sha256})"
            rows.append((f"{teacher.name}: prompt and decoding", f"{prompt}; {teacher.writer.settings}"))
    return [
        *rows,
        ("Scored with", f"K-Distill {result.software_version}"),
        ("Scored at", result.created),
    ]
