"""A worker process with a scripted performer: the whole process boundary without any model behind it."""

import os
import time

import numpy as np

from kdistill_core.engine.messages import Attributed, Explained, Loaded, TextStreamed
from kdistill_core.engine.worker import serve
from kdistill_core.records import (
    Comparison,
    Explanation,
    ImageSummary,
    Provenance,
    Rationale,
    RationaleAuthor,
    Spacing,
)


def explanation_of(request):
    return Explanation(
        image=ImageSummary(request.source, "0" * 64, 4, 5, Spacing()),
        findings=(),
        student=Rationale("word " * request.max_new_tokens, RationaleAuthor.STUDENT),
        teacher=Rationale("", RationaleAuthor.KNOWLEDGE),
        comparison=Comparison(),
        provenance=Provenance(),
    )


class ScriptedPerformer:
    """Writes a word every hundredth of a second; the image's path can ask for a fault."""

    def __init__(self, outbox):
        self.outbox = outbox
        self.explained = set()
        self.student = "default"

    def load(self, request, emit, check):
        self.student = request.student or "default"
        emit(Loaded(request.id, self.student, "teacher", "cpu", "float32", {}))

    def explain(self, request, emit, check):
        print("a print that must not get between the messages", flush=True)
        os.write(1, b"nor must a write to the descriptor\n")
        faults = {"memory": MemoryError, "bug": ZeroDivisionError}
        if fault := faults.get(request.source.path):
            raise fault("with values of the patient in its text")
        for index in range(request.max_new_tokens):
            check()
            emit(TextStreamed(request.id, index * 5, "word "))
            time.sleep(0.01)
        self.explained.add(request.id)
        emit(Explained(request.id, explanation_of(request)))

    def attribute(self, request, emit, check):
        known = request.explanation_id in self.explained or request.explanation is not None
        values = np.full((3, 7), 1.0 if known else 0.0, np.float32)
        values[2, 6] = 0.5
        emit(Attributed(request.id, self.outbox.put(values), request.target, self.student, (0.0, 0.0), Provenance()))

    def free_memory(self):
        print("freeing memory")


if __name__ == "__main__":
    serve(ScriptedPerformer)
