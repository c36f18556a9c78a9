"""A case's rationale by the teacher, put together from what it has written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kdistill_core.records import Finding, Provenance, Rationale, RationaleAuthor, Sentence, Span
from kdistill_core.teacher.library import RationaleLibrary
from kdistill_core.teacher.stored_rationale import StoredRationale


def library_rationale(library: RationaleLibrary, findings: Sequence[Finding], *, variant: int = 0) -> Rationale:
    """Return what the library says of ``findings``. Raises LibraryError."""
    return library.compose(findings, variant=variant)


def stored_rationale(written: Iterable[StoredRationale]) -> Rationale:
    """Return one rationale of those stored for a case's findings, in their order; refused ones say nothing.

    The provenance is that of the first that says something.
    """
    text = ""
    sentences: list[Sentence] = []
    provenance = Provenance()
    for rationale in written:
        if rationale.accepted and not text:
            provenance = Provenance(
                model_name=rationale.writer.model_name,
                weights_sha256=rationale.writer.model_sha256,
                prompt=rationale.writer.prompt,
                seed=rationale.seed,
                software_version=rationale.software_version,
                created=rationale.created,
            )
        for part in rationale.sentences:
            text = f"{text} {part.text}" if text else part.text
            span = Span(len(text) - len(part.text), len(text))
            sentences.append(Sentence(span, rationale.context.condition, rationale.context.state, part.role))
    return Rationale(text, RationaleAuthor.TEACHER, tuple(sentences), provenance=provenance)
