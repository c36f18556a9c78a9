"""Rationales that the teacher has written for a data set's studies, taken for the texts a student learns to write.

They lie in a store of `kdistill teacher write`. Where it has none of a finding, because the gate refused every draft or
the finding was not read there, the rationale library stands in, and that is counted.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kdistill_core.conditions import Condition
from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.targets import STUDENT_ROLES, Question, told
from kdistill_core.records import Finding, Provenance, Rationale, RationaleAuthor
from kdistill_core.teacher.entries import LibraryEntry, LibrarySentence
from kdistill_core.teacher.library import RationaleLibrary, compose_entries
from kdistill_core.teacher.store import RationaleStore
from kdistill_core.teacher.stored_rationale import StoredRationale
from kdistill_core.teacher.study_rationales import CASES, read_cases


@dataclass(frozen=True, eq=False)
class StoredRationales:
    """What was written for the findings of studies.

    keys: by study and condition. entries: the accepted ones, by key.
    """

    keys: Mapping[str, Mapping[Condition, str]]
    entries: Mapping[str, LibraryEntry]

    @classmethod
    def load(cls, folder: Path, studies: Collection[str]) -> StoredRationales:
        """Return the rationales in the store ``folder`` of ``studies``, by their ids.

        Raises RationaleStoreError for a store that is not whole, DistillationError for one that knows none of them.
        """
        wanted = set(studies)
        keys = {study: of_study for study, of_study in read_cases(folder / CASES) if study in wanted}
        if not keys:
            raise DistillationError(
                f"{folder} names rationales of none of the {len(wanted)} studies.",
                "Write them with `kdistill teacher write` of the same data set, all splits in one run.",
            )
        named = {key for of_study in keys.values() for key in of_study.values()}
        # One pass over the whole store: looking keys up reads it once for every few hundred of them.
        entries = {
            rationale.key: _entry(rationale)
            for rationale in RationaleStore(folder)
            if rationale.accepted and rationale.key in named
        }
        return cls(keys, entries)

    def question(self, study: str, findings: Sequence[Finding], library: RationaleLibrary) -> Question:
        """Return what to ask of a case of ``study``: its findings, and what is stored for them."""
        asked = told(findings)
        of_study = self.keys.get(study, {})
        keys = (
            of_study[finding.condition]
            for finding, _ in library.entries_of(asked)
            if finding.condition in of_study and self._fits(of_study[finding.condition], finding)
        )
        return Question(asked, tuple(keys))

    def _fits(self, key: str, finding: Finding) -> bool:
        """Return whether a usable rationale is stored under ``key`` and is one of ``finding`` in its state."""
        entry = self.entries.get(key)
        return entry is not None and entry.state is finding.state


def stored_answer(
    question: Question, entries: Mapping[str, LibraryEntry], library: RationaleLibrary, variants: int = 1
) -> tuple[Rationale, ...]:
    """Return the versions of a case's rationale: of ``entries`` where it has keys of them, else of ``library``.

    What was written for a case is one text; versions differ in what the library adds, and are as many as differ.
    """
    written = {entries[key].condition: entries[key] for key in question.keys}
    versions = []
    for variant in range(variants):
        parts = library.entries_of(question.findings, variant=variant)
        own = [(finding, written.get(finding.condition, entry)) for finding, entry in parts]
        versions.append(compose_entries(own, roles=STUDENT_ROLES))
    return tuple({rationale.text: rationale for rationale in versions}.values())


def share_stored(questions: Sequence[Question], library: RationaleLibrary) -> tuple[int, int]:
    """Return how many findings are spoken of in all cases, and for how many of them a rationale was stored."""
    counts = {findings: len(library.entries_of(findings)) for findings in {one.findings for one in questions}}
    return sum(counts[one.findings] for one in questions), sum(len(one.keys) for one in questions)


def _entry(rationale: StoredRationale) -> LibraryEntry:
    context, writer = rationale.context, rationale.writer
    return LibraryEntry(
        context.condition,
        context.state,
        0,
        RationaleAuthor.TEACHER,
        tuple(LibrarySentence(part.role, part.text, RationaleAuthor.TEACHER) for part in rationale.sentences),
        context.side,
        context.severity,
        provenance=Provenance(
            model_name=writer.model_name,
            weights_sha256=writer.model_sha256,
            prompt=writer.prompt,
            seed=rationale.seed,
            software_version=rationale.software_version,
            created=rationale.created,
        ),
        settings=writer.settings,
    )
