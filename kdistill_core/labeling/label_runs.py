"""Many reports, one after another: a stream of reports in, a stream of findings out, in the same order."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from kdistill_core.conditions import CONDITIONS, State
from kdistill_core.labeling import sections
from kdistill_core.labeling.label_files import ReportRow
from kdistill_core.labeling.labelers import Labeler, LabelingError
from kdistill_core.records import Finding

# Reports at a time: enough for a network to put like lengths together, few enough to see progress.
_CHUNK = 256
_CHUNKS_AHEAD = 4  # a worker; so that memory does not grow with the table


class Passage(StrEnum):
    """The part of a report that is labeled."""

    REPORT = "report"
    FINDINGS = sections.FINDINGS
    IMPRESSION = sections.IMPRESSION


@dataclass(frozen=True)
class LabeledReport:
    """A report and its 14 findings. text: what was labeled; None where the report has no such section.

    Evidence counts characters of ``text``. All findings are blank where there is no text.
    """

    id: str
    text: str | None
    findings: tuple[Finding, ...]


def label_reports(
    reports: Iterable[ReportRow], labeler: Labeler, passage: Passage = Passage.REPORT, workers: int = 1
) -> Iterator[LabeledReport]:
    """Yield each report with its findings, in the order of ``reports``; memory does not grow with their number.

    workers: processes that label side by side; ``labeler`` is sent to each. Raises LabelingError where one dies.
    """
    chunks = _chunks((report.id, passage_of(report.text, passage)) for report in reports)
    if workers == 1:
        for chunk in chunks:
            yield from _label_chunk(labeler, chunk)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        pending: deque[Future[list[LabeledReport]]] = deque()
        try:
            for chunk in chunks:
                pending.append(pool.submit(_label_chunk, labeler, chunk))
                if len(pending) > workers * _CHUNKS_AHEAD:
                    yield from pending.popleft().result()
            while pending:
                yield from pending.popleft().result()
        except BrokenProcessPool as error:
            raise LabelingError("A process that labels has died.", "Free memory, or take one worker.") from error
        finally:
            pool.shutdown(cancel_futures=True)


def passage_of(text: str, passage: Passage) -> str | None:
    """Return the part of a report that is to be labeled, None where there is no such section."""
    return text if passage is Passage.REPORT else sections.report_sections(text).get(passage.value)


def _chunks(passages: Iterator[tuple[str, str | None]]) -> Iterator[list[tuple[str, str | None]]]:
    while chunk := list(islice(passages, _CHUNK)):
        yield chunk


def _label_chunk(labeler: Labeler, chunk: Sequence[tuple[str, str | None]]) -> list[LabeledReport]:
    """Label what holds a text; what holds none is blank, and no network is asked what it makes of nothing."""
    findings = iter(labeler.label([text for _, text in chunk if text and text.strip()]))
    blank = tuple(Finding(condition, State.BLANK) for condition in CONDITIONS)
    return [LabeledReport(name, text, next(findings) if text and text.strip() else blank) for name, text in chunk]
