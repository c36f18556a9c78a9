"""`kdistill evaluate`: a model, or a table of what one said, scored on a data set."""

from __future__ import annotations

import os
import platform
import re
import shlex
import sys
import time
from datetime import UTC, datetime
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Self

import typer

from kdistill_core.cli.console import err, one_line, result, say, show_table
from kdistill_core.cli.label import LabelerChoice
from kdistill_core.cli.models import folder_of
from kdistill_core.cli.options import (
    DEFAULT_DEVICE,
    DEFAULT_PRECISION,
    DeviceOption,
    KindOption,
    LabelsOption,
    PrecisionOption,
    SeedOption,
    SplitOption,
)

if TYPE_CHECKING:
    from kdistill_core.datasets.contract import DataSet
    from kdistill_core.evaluation.evaluation_folder import RunRecord
    from kdistill_core.evaluation.procedure import Evaluation
    from kdistill_core.evaluation.result import EvaluationResult
    from kdistill_core.evaluation.scores import Section
    from kdistill_core.evaluation.sources import PredictionSource
    from kdistill_core.labeling.labelers import Labeler

_SECONDS_BETWEEN_LINES = 10.0  # of progress, where there is no terminal to draw a bar on
_SHOWN = 5
_PACKAGES = ("kdistill", "torch", "transformers", "numpy", "scipy", "sacrebleu", "rouge-score", "nltk", "pyarrow")
HEADER = ("score", "over", "convention", "value", "95 % interval", "n", "hardest baseline", "lead, 95 % interval")


# The library's own names: importing them here would slow down the start of every command.
class SectionChoice(StrEnum):
    """What of each reference report texts are scored against."""

    FINDINGS = "findings"
    IMPRESSION = "impression"
    BOTH = "findings-and-impression"
    REPORT = "report"
    LABELS = "labels"


class UnitChoice(StrEnum):
    """What one case is."""

    IMAGE = "image"
    STUDY = "study"


def _known_thresholds(text: str) -> str:
    if re.fullmatch(r"stored|youden|f1|(sensitivity|specificity)=(0?\.\d+|1(\.0*)?)", text) is None:
        raise typer.BadParameter(f"{text!r} is none of stored, youden, f1, sensitivity=0.9, specificity=0.9.")
    return text


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A student's folder, a bundled model's name, or a table of predictions (.parquet, .csv).",
        ),
    ],
    data: Annotated[Path, typer.Argument(metavar="DATASET", help="The folder of the data set.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write to.")],
    split: SplitOption = "test",
    kind: KindOption = "",
    labels: LabelsOption = "",
    section: Annotated[
        SectionChoice | None,
        typer.Option(
            "--section", help="What texts are scored against; by default the findings, or the labels without reports."
        ),
    ] = None,
    unit: Annotated[UnitChoice, typer.Option("--unit", help="What one case is.")] = UnitChoice.IMAGE,
    labeler: Annotated[
        LabelerChoice, typer.Option("--labeler", help="What reads the texts: the built-in rules, or CheXbert.")
    ] = LabelerChoice.RULES,
    weights: Annotated[
        Path | None, typer.Option("--weights", metavar="FILE", help="CheXbert's weights, chexbert.pth.")
    ] = None,
    vocabulary: Annotated[
        Path | None, typer.Option("--vocabulary", metavar="PATH", help="CheXbert's vocab.txt, where it is not found.")
    ] = None,
    thresholds: Annotated[
        str,
        typer.Option(
            "--thresholds",
            metavar="RULE",
            callback=_known_thresholds,
            help="stored, or chosen on the validation split: youden, f1, sensitivity=0.9, specificity=0.9.",
        ),
    ] = "stored",
    against: Annotated[
        str, typer.Option("--against", metavar="MODEL", help="A second model or table, compared on the same cases.")
    ] = "",
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Score the first so many cases only; the result says so.")
    ] = None,
    resamples: Annotated[int, typer.Option("--resamples", min=100, help="Resamples of the bootstrap.")] = 2000,
    seed: SeedOption = 0,
    device: DeviceOption = DEFAULT_DEVICE,
    precision: PrecisionOption = DEFAULT_PRECISION,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Images at once.")] = 32,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Score a table that lacks cases; the result says how many.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an evaluation that lies in DIR.")] = False,
) -> None:
    """Score a model on a data set: every score with its n, interval, convention and baselines.

    DIR gets scores.json, a page, figures, a table of cases and one of predictions. It is there whole or not at all; a
    run that was stopped goes on where it was.
    """
    from transformers.utils.logging import disable_progress_bar

    from kdistill_core.datasets.contract import ReadOptions
    from kdistill_core.datasets.registry import open_data_set
    from kdistill_core.engine.device import choose_placement
    from kdistill_core.evaluation.evaluation_folder import PAGE, work_folder, write_folder
    from kdistill_core.evaluation.predictions import is_predictions_file, read_predictions
    from kdistill_core.evaluation.procedure import EvaluationSettings
    from kdistill_core.evaluation.procedure import evaluate as run_evaluation
    from kdistill_core.evaluation.running import RunSettings, place_student
    from kdistill_core.evaluation.scores import Unit
    from kdistill_core.evaluation.sources import StudentSource, TableSource

    started = datetime.now(UTC)
    reader = _labeler(labeler, weights, vocabulary, device)
    work = work_folder(out, overwrite=overwrite)
    data_set = open_data_set(data, kind, ReadOptions(labels, reports=section is not SectionChoice.LABELS))
    settings = EvaluationSettings(split, Unit(unit.value), _section(section), limit, thresholds, resamples, seed)
    with _Progress() as progress:

        def source(name: str) -> PredictionSource:
            if is_predictions_file(Path(name)):
                return TableSource(read_predictions(Path(name)), Path(name), allow_missing)
            folder, placement = folder_of(name), choose_placement(device, precision)
            progress.stage(f"loading {folder.resolve().name} on {placement.device}, {placement.precision}")
            disable_progress_bar()  # the command shows its own
            student = place_student(folder, placement.device, placement.dtype)
            run = RunSettings(batch_size)
            return StudentSource(student, folder, work, data_set.name, run, on_progress=progress.count)

        evaluation = run_evaluation(
            source(model),
            data_set,
            reader,
            settings,
            opponent=source(against) if against else None,
            on_stage=progress.stage,
        )
        progress.stage("writing tables, figures and page")
        write_folder(evaluation, _run_record(evaluation, data_set, started), work, out)
    _show(evaluation.result)
    result(str(out / PAGE))


def _labeler(name: LabelerChoice, weights: Path | None, vocabulary: Path | None, device: str) -> Labeler:
    from kdistill_core.engine.device import choose_placement
    from kdistill_core.labeling.labelers import open_labeler

    if name is LabelerChoice.CHEXBERT:
        if weights is None:
            raise typer.BadParameter("CheXbert needs its weights, the file chexbert.pth.", param_hint="--weights")
        chosen = str(choose_placement(device).device)
        return open_labeler(name.value, weights=weights, vocabulary=vocabulary, device=chosen)
    if weights is not None or vocabulary is not None:
        hint = "--weights" if weights is not None else "--vocabulary"
        raise typer.BadParameter("The rules need none; --labeler chexbert does.", param_hint=hint)
    return open_labeler(name.value)


def _section(choice: SectionChoice | None) -> Section | None:
    from kdistill_core.evaluation.scores import Section

    if choice is None:
        return None
    return {
        SectionChoice.FINDINGS: Section.FINDINGS,
        SectionChoice.IMPRESSION: Section.IMPRESSION,
        SectionChoice.BOTH: Section.FINDINGS_AND_IMPRESSION,
        SectionChoice.REPORT: Section.REPORT,
        SectionChoice.LABELS: Section.LABELS,
    }[choice]


def _run_record(evaluation: Evaluation, data_set: DataSet, started: datetime) -> RunRecord:
    from kdistill_core.evaluation.evaluation_folder import RunRecord

    result = evaluation.result
    return RunRecord(
        command=shlex.join(["kdistill", *sys.argv[1:]]),
        started=started.isoformat(timespec="seconds"),
        seconds=round((datetime.now(UTC) - started).total_seconds(), 1),
        model=result.model,
        opponent=None if result.opponent is None else result.opponent.provenance,
        data_set=data_set.name,
        root=str(data_set.root),
        splits=evaluation.held.splits,
        filters=result.data.filters,
        versions={"python": platform.python_version()} | {name: metadata.version(name) for name in _PACKAGES},
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores",
    )


def _show(outcome: EvaluationResult) -> None:
    """Write the main scores to standard output, and what was left out beside them."""
    from kdistill_core.evaluation.summary import hardest_baseline, interval_text, main_scores, number_text

    rows = []
    for score in main_scores(outcome.scores):
        baseline = hardest_baseline(score)
        rows.append(
            (
                score.metric,
                score.scope,
                str(score.convention or ""),
                number_text(score.value),
                interval_text(score.interval),
                str(score.n),
                "" if baseline is None else f"{number_text(baseline.value)} ({baseline.name})",
                "" if baseline is None else interval_text(baseline.difference),
            )
        )
    data = outcome.data
    say(outcome.notice)
    say(
        f"{outcome.model.model_name} on {data.title}, {f'split {data.split}' if data.split else 'all splits'}: "
        f"{data.cases} cases (a case is one {data.unit}) of {data.patients} patients; texts against: {data.section}; "
        f"labeler: {data.labeler}."
    )
    show_table(HEADER, rows)
    for left_out in data.filters:
        if left_out.images_left_out or left_out.studies_left_out:
            say(
                f"Left out of {left_out.split or 'what has no split'}: {left_out.images_left_out} of "
                f"{left_out.images_in} images, {left_out.studies_left_out} of {left_out.studies_in} studies: "
                f"{left_out.sentence}"
            )
    for failure in data.failures[:_SHOWN]:
        say(f"Not predicted: {failure.id}: {one_line(failure.reason)}")
    if len(data.failures) > _SHOWN:
        say(f"Not predicted: {len(data.failures) - _SHOWN} more; the page names them.")
    for note in outcome.notes:
        say(f"Note: {note}")


class _Progress:
    """Names the stage and counts images: a bar on a terminal, a line every few seconds elsewhere."""

    def __init__(self) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        self._bar = Progress(*columns, TimeRemainingColumn(), console=err, disable=not err.is_terminal, transient=True)
        self._task = self._bar.add_task("", total=None)
        self._told = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()
        if kind is KeyboardInterrupt:
            say("Stopped. The same command goes on from here.")

    def stage(self, text: str) -> None:
        """Say what comes next."""
        self._bar.reset(self._task, description=text, total=None)
        if not err.is_terminal:
            say(f"{text} ...")

    def count(self, done: int, total: int) -> None:
        """Say how many images are done."""
        self._bar.update(self._task, completed=done, total=total)
        now = time.monotonic()
        if not err.is_terminal and (now - self._told >= _SECONDS_BETWEEN_LINES or done == total):
            say(f"{done:,} of {total:,} images")
            self._told = now
