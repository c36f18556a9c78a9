"""`kdistill teacher evaluate`: teachers measured on the same texts, questions and contexts, side by side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdistill_core.cli.console import err, result, say, show_table
from kdistill_core.cli.options import DEFAULT_DEVICE, DEFAULT_PRECISION, DeviceOption, PrecisionOption, SeedOption

if TYPE_CHECKING:
    from rich.progress import Progress

    from kdistill_core.evaluation.teachers.measuring import Materials, QualitySettings, Watch
    from kdistill_core.evaluation.teachers.result import TeacherQuality
    from kdistill_core.teacher.knowledge import KnowledgeBase

# What the bundled base is called at the command line.
SMOLLM2 = "smollm2"


def evaluate(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help=f"Folder of a model or an adapter, or {SMOLLM2} for the base.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write to.")],
    adapter: Annotated[Path | None, typer.Option("--adapter", metavar="DIR", help="LoRA adapter of MODEL.")] = None,
    against: Annotated[
        list[str] | None,
        typer.Option("--against", metavar="BASE", help="Another teacher; scores are compared with the first of them."),
    ] = None,
    literature: Annotated[
        Path | None,
        typer.Option("--literature", metavar="PATH", help="A built corpus (its held-out documents) or literature."),
    ] = None,
    general: Annotated[
        Path | None, typer.Option("--general", metavar="PATH", help="Texts of any kind, to see what was forgotten.")
    ] = None,
    pubmedqa: Annotated[
        Path | None, typer.Option("--pubmedqa", metavar="FILE", help="PubMedQA's ori_pqal.json.")
    ] = None,
    documents: Annotated[int, typer.Option("--documents", min=2, help="Documents of each kind of text.")] = 200,
    first_tokens: Annotated[int, typer.Option("--tokens", min=2, help="First tokens of each document.")] = 256,
    questions: Annotated[
        int | None, typer.Option("--questions", min=2, help="Ask so many questions only; the result says so.")
    ] = None,
    contexts: Annotated[int, typer.Option("--contexts", min=0, help="Rationales to write; 0 writes none.")] = 168,
    log: Annotated[
        list[Path] | None,
        typer.Option("--log", metavar="FILE", help="A training's trainer_state.json or log.json, to be drawn."),
    ] = None,
    resamples: Annotated[int, typer.Option("--resamples", min=100, help="Resamples of the bootstrap.")] = 2000,
    seed: SeedOption = 0,
    device: DeviceOption = DEFAULT_DEVICE,
    precision: PrecisionOption = DEFAULT_PRECISION,
    batch_tokens: Annotated[int, typer.Option("--batch-tokens", min=1, help="Tokens computed at once.")] = 1024,
) -> None:
    """Measure teachers: perplexity, PubMedQA, gate pass rate, signs named and wrong, distinctness; with intervals.

    DIR gets teachers.json, a page and figures. What is measured of a model is kept there: a run that was stopped, or
    that is given one teacher more, measures only what is missing.
    """
    from transformers.utils.logging import disable_progress_bar

    from kdistill_core.engine.device import choose_placement
    from kdistill_core.evaluation.errors import EvaluationError
    from kdistill_core.evaluation.teachers.learning_curve import read_learning_curve
    from kdistill_core.evaluation.teachers.measuring import QualitySettings, measure_teacher
    from kdistill_core.evaluation.teachers.quality_folder import measured_store, write_quality
    from kdistill_core.evaluation.teachers.scoring import score_teachers
    from kdistill_core.teacher.gate import judge_draft
    from kdistill_core.teacher.knowledge import load_knowledge
    from kdistill_core.teacher.model import TeacherModel
    from kdistill_core.teacher.prompts import load_prompt
    from kdistill_core.teacher.smollm2 import smollm2_folder
    from kdistill_core.teacher.transformers_writer import TransformersWriter

    settings = QualitySettings(
        documents, first_tokens, questions, contexts=contexts, seed=seed, resamples=resamples, batch_tokens=batch_tokens
    )
    store, knowledge = measured_store(out), load_knowledge()
    curves = [read_learning_curve(path) for path in log or ()]
    materials = _materials(literature, general, pubmedqa, settings, knowledge)
    if not materials.texts and materials.questions is None and not materials.contexts:
        raise EvaluationError(
            "There is nothing to measure.", "Give --literature, --general or --pubmedqa, or --contexts above 0."
        )
    placement = choose_placement(device, precision)
    disable_progress_bar()  # the command shows its own
    asked: list[tuple[str, Path | None]] = [*((name, None) for name in against or ()), (model, adapter)]
    evidence = []
    with _progress() as bar:
        for name, own_adapter in asked:
            folder = smollm2_folder() if name == SMOLLM2 else Path(name)
            teacher = TeacherModel.load(
                folder, adapter=own_adapter, device=str(placement.device), dtype=placement.dtype
            )
            writer = TransformersWriter(teacher, load_prompt()) if materials.contexts else None
            evidence.append(measure_teacher(teacher, writer, materials, settings, store, _watch(bar)))
    quality = score_teachers(evidence, materials, settings, judge_draft, knowledge, curves)
    page = write_quality(quality, out)
    _show(quality)
    result(str(page))


def _materials(
    literature: Path | None,
    general: Path | None,
    pubmedqa: Path | None,
    settings: QualitySettings,
    knowledge: KnowledgeBase,
) -> Materials:
    from kdistill_core.evaluation.teachers.contexts import evaluation_contexts
    from kdistill_core.evaluation.teachers.measuring import Materials
    from kdistill_core.evaluation.teachers.pubmedqa import read_test_questions
    from kdistill_core.evaluation.teachers.texts import sample_texts

    given = {"literature": literature, "general text": general}
    return Materials(
        {
            kind: sample_texts(path, settings.documents, settings.seed)
            for kind, path in given.items()
            if path is not None
        },
        None if pubmedqa is None else read_test_questions(pubmedqa, settings.questions),
        evaluation_contexts(settings.contexts, settings.seed, knowledge),
    )


def _progress() -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
        transient=True,
    )


def _watch(bar: Progress) -> Watch:
    def watch(what: str, total: int) -> Callable[[int], None]:
        task = bar.add_task(what, total=total)
        if not err.is_terminal:
            say(f"{what}: {total}")
        return lambda rows: bar.advance(task, rows)

    return watch


def _show(quality: TeacherQuality) -> None:
    from kdistill_core.evaluation.summary import UNDEFINED, interval_text, number_text
    from kdistill_core.evaluation.teachers.summary import comparison_text, main_rows

    say(quality.notice)
    rows = [
        (
            row.metric,
            row.scope,
            teacher.name,
            UNDEFINED if score is None else number_text(score.score.value),
            UNDEFINED if score is None else interval_text(score.score.interval),
            str(row.n),
            "" if score is None or score.comparison is None else comparison_text(score.comparison),
        )
        for row in main_rows(quality)
        for teacher, score in zip(quality.teachers, row.scores, strict=True)
    ]
    show_table(
        ("measure", "over", "teacher", "value", "95 % interval", "n", f"beside {quality.teachers[0].name}"), rows
    )
    for note in quality.notes:
        say(f"Note: {note}")
