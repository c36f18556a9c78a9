"""What a teacher writes at the first try for fixed contexts, and what the gate and the knowledge base say of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.teachers.likelihood import Advance, no_report
from kdistill_core.teacher.context import RationaleContext
from kdistill_core.teacher.drafts import Request, Writer, WriterIdentity
from kdistill_core.teacher.gate import GateVerdict, Judged
from kdistill_core.teacher.knowledge import KnowledgeBase

Judge = Callable[[str, RationaleContext, KnowledgeBase], Judged]
# The check that a draft fails which was never written.
WRITING = "writing"


@dataclass(frozen=True)
class WrittenDraft:
    """The first try for a context. fault: why nothing was written, empty where something was."""

    context: RationaleContext
    text: str
    fault: str = ""


@dataclass(frozen=True)
class DraftEvidence:
    """Every first try, in the order of the contexts, and who wrote it."""

    writer: WriterIdentity
    drafts: tuple[WrittenDraft, ...]


@dataclass(frozen=True)
class JudgedDraft:
    """A first try and the gate's judgment of it."""

    draft: WrittenDraft
    judged: Judged

    @property
    def failed_check(self) -> GateVerdict | None:
        """The first check that failed; None where the draft may stand."""
        return next((verdict for verdict in self.judged.verdicts if not verdict.passed), None)


def write_drafts(
    writer: Writer, contexts: Sequence[RationaleContext], seed: int, on_rows: Advance = no_report
) -> DraftEvidence:
    """Return one draft a context. Raises EvaluationError for a writer that leaves some out."""
    requests = [Request(context, 0, seed) for context in contexts]
    written: dict[Request, WrittenDraft] = {}
    for draft in writer.write(requests):
        written[draft.request] = WrittenDraft(draft.request.context, draft.text, draft.fault)
        on_rows(1)
    missing = sum(request not in written for request in requests)
    if missing:
        raise EvaluationError(
            f"{writer.identity.model_name} wrote nothing for {missing} of {len(requests)} contexts.",
            "See why in its log, and start again.",
        )
    return DraftEvidence(writer.identity, tuple(written[request] for request in requests))


def judge_drafts(evidence: DraftEvidence, judge: Judge, knowledge: KnowledgeBase) -> tuple[JudgedDraft, ...]:
    """Return every draft with what ``judge`` says of it; one that was not written is refused for that."""
    return tuple(
        JudgedDraft(
            draft,
            Judged((), (GateVerdict(WRITING, passed=False, reason=draft.fault),))
            if draft.fault
            else judge(draft.text, draft.context, knowledge),
        )
        for draft in evidence.drafts
    )
