"""A real worker process whose student is a script: it writes slowly, so that it can be killed in mid-sentence."""

import time

import numpy as np

from kdistill_core.conditions import Condition, State
from kdistill_core.engine.messages import Attributed, Explained, FindingsReady, Loaded, Progress, Stage, TextStreamed
from kdistill_core.engine.worker import serve
from kdistill_core.records import (
    Comparison,
    Explanation,
    Finding,
    ImageSummary,
    Provenance,
    Rationale,
    RationaleAuthor,
    Sentence,
    Spacing,
    Span,
)

ROWS, COLUMNS = 60, 40
WORDS = 150


class SlowStudent:
    """Writes a word every hundredth of a second."""

    def __init__(self, outbox):
        self.outbox = outbox

    def load(self, request, emit, check):
        methods = dict.fromkeys(("condition", "sentence", "word"), ("scripted",))
        emit(Loaded(request.id, "script", "none", "cpu", "float32", methods))

    def explain(self, request, emit, check):
        findings = (Finding(Condition.EDEMA, State.POSITIVE, 0.9, 0.5),)
        emit(FindingsReady(request.id, findings))
        emit(Progress(request.id, Stage.WRITING))
        for index in range(WORDS):
            check()
            emit(TextStreamed(request.id, index * 5, "word "))
            time.sleep(0.01)
        text = "word " * WORDS
        student = Rationale(text, RationaleAuthor.STUDENT, (Sentence(Span(0, len(text) - 1)),))
        teacher = Rationale("Edema.", RationaleAuthor.KNOWLEDGE, (Sentence(Span(0, 6), Condition.EDEMA),))
        summary = ImageSummary(request.source, "0" * 64, ROWS, COLUMNS, Spacing())
        emit(Explained(request.id, Explanation(summary, findings, student, teacher, Comparison(), Provenance())))

    def attribute(self, request, emit, check):
        values = np.zeros((ROWS, COLUMNS), np.float32)
        values[10:20, 10:20] = 1.0
        block = self.outbox.put(values)
        emit(Attributed(request.id, block, request.target, "scripted", (15.0, 15.0), Provenance()))

    def free_memory(self):
        """Nothing is held."""


if __name__ == "__main__":
    serve(SlowStudent)
