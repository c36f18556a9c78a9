"""`kdistill label`: a table of reports to a table of labels."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from kdistill_core.cli.console import err, result, say
from kdistill_core.cli.options import DEFAULT_DEVICE, DeviceOption

if TYPE_CHECKING:
    from kdistill_core.labeling.label_runs import LabeledReport
    from kdistill_core.labeling.labelers import Labeler

_SECONDS_BETWEEN_LINES = 10.0  # of progress, where there is no terminal to draw a bar on
_LABELED, _EMPTY, _WITHOUT_SECTION = "labeled", "empty", "without section"


# The library's own names, LabelerName and Passage: importing them here would slow down the start of every command.
class LabelerChoice(StrEnum):
    """What reads the reports."""

    RULES = "rules"
    CHEXBERT = "chexbert"


class SectionChoice(StrEnum):
    """What of each report is read."""

    REPORT = "report"
    FINDINGS = "findings"
    IMPRESSION = "impression"


def label(
    reports: Annotated[
        Path, typer.Argument(metavar="REPORTS", help="CSV file with the columns id and report, plain or .gz.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="CSV file of labels to write.")],
    labeler: Annotated[
        LabelerChoice, typer.Option("--labeler", help="The built-in rules, or the CheXbert network.")
    ] = LabelerChoice.RULES,
    section: Annotated[
        SectionChoice, typer.Option("--section", help="The part of each report to label.")
    ] = SectionChoice.REPORT,
    weights: Annotated[
        Path | None, typer.Option("--weights", metavar="FILE", help="CheXbert's weights, chexbert.pth.")
    ] = None,
    vocabulary: Annotated[
        Path | None,
        typer.Option(
            "--vocabulary",
            metavar="PATH",
            help="vocab.txt of bert-base-uncased or its folder, where no installed package has it.",
        ),
    ] = None,
    device: DeviceOption = DEFAULT_DEVICE,
    evidence: Annotated[
        Path | None,
        typer.Option("--evidence", metavar="FILE", help="Write the passages the rules decided by, as JSON lines."),
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes that apply the rules side by side.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist already.")] = False,
) -> None:
    """Label reports for the 14 CheXpert conditions: 1 present, 0 absent, -1 uncertain, empty not mentioned.

    The table is written when all reports are labeled: a run that fails or is stopped leaves none.
    """
    from kdistill_core.labeling.label_files import count_reports, ignored_columns

    _check_options(labeler, weights, vocabulary, evidence, workers)
    _check_paths(reports, [path for path in (out, evidence) if path is not None], overwrite=overwrite)
    total = count_reports(reports)
    ignored = ignored_columns(reports)
    if ignored:
        say(f"Ignored columns: {', '.join(ignored)}.")
    if labeler is LabelerChoice.CHEXBERT and section is not SectionChoice.IMPRESSION:
        say("CheXbert was trained on impressions; --section impression labels those alone.")
    opened = _open(labeler, weights, vocabulary, device)
    say(f"Labeler: {opened.name} {opened.version}")
    if labeler is LabelerChoice.CHEXBERT:
        _say_if_unpublished(opened)

    started = time.monotonic()
    seen = _run(opened, reports, out, evidence, section, workers, total)
    say(_summary(seen, section, time.monotonic() - started))
    result(str(out))


def _check_options(
    labeler: LabelerChoice, weights: Path | None, vocabulary: Path | None, evidence: Path | None, workers: int
) -> None:
    if labeler is LabelerChoice.CHEXBERT:
        if weights is None:
            raise typer.BadParameter("CheXbert needs its weights, the file chexbert.pth.", param_hint="--weights")
        if evidence is not None:
            raise typer.BadParameter("A network names no passages; the rules do.", param_hint="--evidence")
        if workers > 1:
            raise typer.BadParameter("CheXbert uses all cores by itself.", param_hint="--workers")
    elif weights is not None or vocabulary is not None:
        hint = "--weights" if weights is not None else "--vocabulary"
        raise typer.BadParameter("The rules need none; --labeler chexbert does.", param_hint=hint)


def _check_paths(reports: Path, written: Sequence[Path], *, overwrite: bool) -> None:
    from kdistill_core.labeling.labelers import LabelingError

    resolved = [path.resolve() for path in (reports, *written)]
    if len(set(resolved)) < len(resolved):
        raise LabelingError("Reports, labels and evidence are not three different files.", "Give each its own name.")
    for path in written:
        if path.is_dir():
            raise LabelingError(f"{path} is a folder.", f"Give the file to write, such as {path / 'labels.csv'}.")
        if path.exists() and not overwrite:
            raise LabelingError(f"{path} exists already.", "Give another name, or --overwrite.")


def _open(name: LabelerChoice, weights: Path | None, vocabulary: Path | None, device: str) -> Labeler:
    from kdistill_core.labeling.labelers import open_labeler

    if name is LabelerChoice.RULES:
        return open_labeler(name)
    from kdistill_core.engine.device import choose_placement

    chosen = str(choose_placement(device).device)
    return open_labeler(name, weights=weights, vocabulary=vocabulary, device=chosen)


def _say_if_unpublished(labeler: Labeler) -> None:
    from kdistill_core.labeling.chexbert_weights import PUBLISHED_SHA256

    if labeler.version != PUBLISHED_SHA256:
        say(f"These are not the published weights ({PUBLISHED_SHA256[:12]}...): do not compare with published scores.")


def _run(
    labeler: Labeler, reports: Path, out: Path, evidence: Path | None, section: SectionChoice, workers: int, total: int
) -> Counter[str]:
    """Label and write; return how many reports there were, and how many of them had nothing to label."""
    from kdistill_core.labeling.label_files import LabelWriter, read_reports, write_evidence, written_whole
    from kdistill_core.labeling.label_runs import Passage, label_reports

    seen: Counter[str] = Counter()
    with ExitStack() as files, _progress(total) as progress:
        labels = LabelWriter(files.enter_context(written_whole(out)))
        passages = None if evidence is None else files.enter_context(written_whole(evidence))
        for report in label_reports(read_reports(reports), labeler, Passage(section), workers):
            labels.write(report.id, report.findings)
            if passages is not None:
                write_evidence(passages, report.id, report.text or "", report.findings)
            seen[_kind(report)] += 1
            progress(seen.total())
    return seen


def _kind(report: LabeledReport) -> str:
    if report.text is None:
        return _WITHOUT_SECTION
    return _LABELED if report.text.strip() else _EMPTY


def _summary(seen: Counter[str], section: SectionChoice, seconds: float) -> str:
    parts = [f"{seen[_LABELED]:,} of {seen.total():,} reports labeled in {seconds:.1f} s ({_rate(seen, seconds)})."]
    if seen[_EMPTY]:
        parts.append(f"{seen[_EMPTY]:,} are empty; all their labels are blank.")
    if seen[_WITHOUT_SECTION]:
        parts.append(f"{seen[_WITHOUT_SECTION]:,} have no {section}; all their labels are blank.")
    return " ".join(parts)


def _rate(seen: Counter[str], seconds: float) -> str:
    return f"{seen.total() / max(seconds, 1e-9):,.0f} a second"


class _Progress(Protocol):
    def __call__(self, done: int) -> None: ...


@contextmanager
def _progress(total: int) -> Iterator[_Progress]:
    """Show a bar with the rate on a terminal, a line every few seconds elsewhere."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    started = told = time.monotonic()
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal, transient=True) as bar:
        task = bar.add_task("Labeling", total=total, rate="")

        def progress(done: int) -> None:
            nonlocal told
            now = time.monotonic()
            rate = f"{done / max(now - started, 1e-9):,.0f} a second"
            bar.update(task, completed=done, rate=rate)
            if not err.is_terminal and now - told >= _SECONDS_BETWEEN_LINES:
                say(f"{done:,} of {total:,} reports, {rate}")
                told = now

        yield progress
