"""A whole data set's rationales, over one process or several: written, stored, and found again by study."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from kdistill_core.conditions import State
from kdistill_core.datasets.contract import DataSet
from kdistill_core.teacher.context import SPOKEN_STATES, RationaleContext
from kdistill_core.teacher.drafts import Writer, rationale_key
from kdistill_core.teacher.errors import RationaleWritingError
from kdistill_core.teacher.gate import judge_draft
from kdistill_core.teacher.knowledge import KnowledgeBase
from kdistill_core.teacher.merging import merge_parts
from kdistill_core.teacher.processes import Processes
from kdistill_core.teacher.store import RationaleStore
from kdistill_core.teacher.study_rationales import CASES, CaseWriter, ContextSource, case_table, study_contexts
from kdistill_core.teacher.writing import Tally, WritingSettings, write_rationales


@dataclass(frozen=True)
class Choice:
    """What of a data set is to be explained. limit: so many studies, the first; None for all. split: empty for all."""

    source: ContextSource = ContextSource.LABELS
    states: frozenset[State] = SPOKEN_STATES
    split: str = ""
    limit: int | None = None


@dataclass
class Studies:
    """How many studies were read, and how many of them had nothing to read findings from."""

    read: int = 0
    silent: int = 0


def write_data_set(
    data_set: DataSet,
    writer: Writer,
    knowledge: KnowledgeBase,
    out: Path,
    choice: Choice,
    settings: WritingSettings,
    processes: Processes | None = None,
    report: Callable[[Tally], None] | None = None,
) -> tuple[Tally, Studies]:
    """Write the rationales of ``data_set`` into the store ``out`` and, at the end of all, its table of cases.

    Every process reads all studies and writes its share. report: called with what became of this process's share so
    far. Returns what became of all shares. Raises RationaleWritingError, and what the writer, the store and the data
    set raise.
    """
    processes = processes or Processes()
    _refuse_different_writers(processes, writer)
    store, studies = RationaleStore(out), Studies()
    with ExitStack() as first_only:
        cases = (
            first_only.enter_context(case_table(out / CASES, writer.identity, settings.seed))
            if processes.is_first
            else None
        )
        with store.writing(processes.share) as shelf:
            contexts = _contexts(data_set, knowledge, choice, studies, _noting(cases, writer, settings.seed))
            judge = partial(judge_draft, knowledge=knowledge)
            tally = write_rationales(contexts, writer, judge, shelf, settings, report)
        # The table of cases appears behind this: when every process has stored what it wrote.
        tallies = processes.gather(tally)
    if processes.is_first:
        merge_parts(store)
    return sum(tallies, Tally()), studies


def _refuse_different_writers(processes: Processes, writer: Writer) -> None:
    """The shares are made by key, and the key by the writer: different ones would leave gaps between the shares."""
    different = set(processes.gather(writer.identity))
    if len(different) > 1:
        names = ", ".join(sorted({identity.model_name for identity in different}))
        raise RationaleWritingError(
            f"The processes write with {len(different)} different models or settings ({names}).",
            "Let all of them use the same model; servers have to serve it under the same name.",
        )


def _contexts(
    data_set: DataSet,
    knowledge: KnowledgeBase,
    choice: Choice,
    studies: Studies,
    note: Callable[[str, tuple[RationaleContext, ...]], None],
) -> Iterator[RationaleContext]:
    for study in islice(data_set.studies(choice.split), choice.limit):
        studies.read += 1
        contexts = study_contexts(study, knowledge, choice.source, choice.states)
        if contexts is None:
            studies.silent += 1
            continue
        note(study.id, contexts)
        yield from contexts


def _noting(cases: CaseWriter | None, writer: Writer, seed: int) -> Callable[[str, tuple[RationaleContext, ...]], None]:
    identity = writer.identity

    def note(study: str, contexts: tuple[RationaleContext, ...]) -> None:
        if cases is not None:
            cases.add(study, {context.condition: rationale_key(identity, context, seed) for context in contexts})

    return note
