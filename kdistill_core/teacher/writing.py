"""The teacher writes: each context once, judged by the gate, written again where it was refused, and stored."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import islice

import msgspec

from kdistill_core.teacher.context import RationaleContext
from kdistill_core.teacher.drafts import Draft, Request, Writer, rationale_key
from kdistill_core.teacher.errors import RationaleWritingError
from kdistill_core.teacher.gate import Judged
from kdistill_core.teacher.store import StoreWriter
from kdistill_core.teacher.stored_rationale import FAULT, Refusal, StoredRationale

# What the gate says of the labeled lines that were written for a context.
Judge = Callable[[str, RationaleContext], Judged]


@dataclass(frozen=True)
class WritingSettings:
    """How a run goes.

    seed: of all draws. attempts: drafts a context gets until one is accepted, and requests of one draft that may fail.
    chunk: requests handed to the writer at once, which bounds what waits in memory.
    """

    seed: int = 0
    attempts: int = 4
    chunk: int = 512


@dataclass
class Tally:
    """What became of the contexts of a run so far.

    contexts: different ones of this share. reused: stored before. accepted, refused: stored by this run. unwritten:
    those for which no draft came. first_tries, first_passes: drafts of a first attempt, and those that were accepted.
    reasons: refused drafts by the first check that failed. faults: requests that failed, by why.
    """

    contexts: int = 0
    reused: int = 0
    accepted: int = 0
    refused: int = 0
    unwritten: int = 0
    first_tries: int = 0
    first_passes: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def written(self) -> int:
        return self.accepted + self.refused

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.contexts + other.contexts,
            self.reused + other.reused,
            self.accepted + other.accepted,
            self.refused + other.refused,
            self.unwritten + other.unwritten,
            self.first_tries + other.first_tries,
            self.first_passes + other.first_passes,
            self.reasons + other.reasons,
            self.faults + other.faults,
        )


def write_rationales(
    contexts: Iterable[RationaleContext],
    writer: Writer,
    judge: Judge,
    store: StoreWriter,
    settings: WritingSettings | None = None,
    report: Callable[[Tally], None] | None = None,
) -> Tally:
    """Store a rationale, or all refusals, for each context of the store's share that has none yet.

    contexts: read lazily; one that comes again is passed over. report: called whenever something was stored.
    Raises RationaleWritingError for a writer that leaves drafts out, and what ``writer`` and ``store`` raise; what was
    finished before is stored.
    """
    run = _Run(writer, judge, store, settings or WritingSettings(), report)
    run.write(contexts)
    return run.tally


@dataclass(frozen=True)
class _Task:
    """A context on its way, and what has been refused of it."""

    context: RationaleContext
    key: str
    refusals: tuple[Refusal, ...] = ()

    @property
    def faults(self) -> int:
        return sum(refused.check == FAULT for refused in self.refusals)


class _Run:
    def __init__(
        self,
        writer: Writer,
        judge: Judge,
        store: StoreWriter,
        settings: WritingSettings,
        report: Callable[[Tally], None] | None,
    ) -> None:
        self._writer, self._judge, self._store, self._settings, self._report = writer, judge, store, settings, report
        self._identity = writer.identity
        # By attempt. A chunk is full before it is handed over, because a half-empty one takes as long.
        self._waiting: list[deque[_Task]] = [deque() for _ in range(settings.attempts)]
        self.tally = Tally()

    def write(self, contexts: Iterable[RationaleContext]) -> None:
        fresh = self._fresh(contexts)
        while tasks := list(islice(fresh, self._settings.chunk)):
            self._waiting[0].extend(tasks)
            for attempt, waiting in enumerate(self._waiting):
                while len(waiting) >= self._settings.chunk:
                    self._hand_over(attempt)
        for attempt, waiting in enumerate(self._waiting):
            while waiting:
                self._hand_over(attempt)

    def _fresh(self, contexts: Iterable[RationaleContext]) -> Iterator[_Task]:
        seen: set[str] = set()
        for context in contexts:
            key = rationale_key(self._identity, context, self._settings.seed)
            if key in seen or not self._store.share.holds(key):
                continue
            seen.add(key)
            self.tally.contexts += 1
            if key in self._store.known:
                self.tally.reused += 1
            else:
                yield _Task(context, key)

    def _hand_over(self, attempt: int) -> None:
        """Let a chunk of an attempt be written, the shortest contexts first, and see what becomes of each draft."""
        waiting = self._waiting[attempt]
        tasks = [waiting.popleft() for _ in range(min(len(waiting), self._settings.chunk))]
        tasks.sort(key=lambda task: len(msgspec.json.encode(task.context)))
        asked = {Request(task.context, attempt, self._settings.seed): task for task in tasks}
        for draft in self._writer.write(list(asked)):
            task = asked.pop(draft.request)
            if draft.fault:
                self._failed(task, draft)
            else:
                self._written(task, draft)
        if asked:
            raise RationaleWritingError(
                f"The writer {self._identity.model_name} left out {len(asked)} of {len(tasks)} drafts.",
                "Run the same command again; it goes on where it was.",
            )

    def _written(self, task: _Task, draft: Draft) -> None:
        attempt, judged = draft.request.attempt, self._judge(draft.text, task.context)
        if attempt == 0:
            self.tally.first_tries += 1
            self.tally.first_passes += judged.accepted
        if judged.accepted:
            self.tally.accepted += 1
            self._keep(task, judged)
            return
        refused = _refusal(draft, judged)
        self.tally.reasons[refused.check] += 1
        task = replace(task, refusals=(*task.refusals, refused))
        if attempt + 1 < self._settings.attempts:
            self._waiting[attempt + 1].append(task)
        else:
            self.tally.refused += 1
            self._keep(task, None)

    def _failed(self, task: _Task, draft: Draft) -> None:
        """Ask for the same draft again: a fault is no draft, and what is written may not depend on it."""
        attempt = draft.request.attempt
        self.tally.faults[draft.fault] += 1
        task = replace(task, refusals=(*task.refusals, Refusal(attempt, "", FAULT, draft.fault)))
        if task.faults < self._settings.attempts:
            self._waiting[attempt].append(task)
        else:
            self.tally.unwritten += 1
            self._store.leave_unwritten(task.key, draft.fault)

    def _keep(self, task: _Task, judged: Judged | None) -> None:
        self._store.add(
            StoredRationale(
                key=task.key,
                context=task.context,
                sentences=() if judged is None else judged.parts,
                refusals=task.refusals,
                writer=self._identity,
                seed=self._settings.seed,
                created=datetime.now(UTC).isoformat(timespec="seconds"),
                software_version=version("kdistill"),
            )
        )
        if self._report is not None:
            self._report(self.tally)


def _refusal(draft: Draft, judged: Judged) -> Refusal:
    failed = [verdict for verdict in judged.verdicts if not verdict.passed]
    first, others = failed[0], failed[1:]
    reasons = (first.reason, *(f"{verdict.check}: {verdict.reason}" for verdict in others))
    return Refusal(draft.request.attempt, draft.text, first.check, "; ".join(reasons))
