"""Let the teacher write the rationale library, gate every sentence, and store embeddings beside it.

    python -m training.write_rationales

Writes resources/rationales/library.json, rejections.json and embeddings.safetensors. The same seed gives the same
library. A run that was interrupted goes on from its journal; give another journal, or delete it, to start over.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec
import torch
from jsonargparse import auto_cli

from kdistill_core.conditions import State
from kdistill_core.records import Provenance, RationaleAuthor, SentenceRole
from kdistill_core.serialization import to_json
from kdistill_core.teacher.embedding import store_embeddings
from kdistill_core.teacher.gate import GateVerdict, first_reason, judge_rationale
from kdistill_core.teacher.knowledge import KnowledgeBase, load_knowledge
from kdistill_core.teacher.library import LibraryEntry, LibrarySentence, RationaleLibrary, knowledge_entries
from kdistill_core.teacher.model import TeacherModel
from kdistill_core.teacher.smollm2 import smollm2_folder
from kdistill_core.teacher.writing import Candidate, judge, load_prompt, statements_of, write_statements


@dataclass(frozen=True)
class RoleRate:
    """How many statements of a role passed the gate at the first try, and in all."""

    role: SentenceRole
    statements: int
    first_try: int
    accepted: int


@dataclass(frozen=True)
class Summary:
    """What became of every sentence the language model wrote."""

    model_name: str
    weights_sha256: str
    prompt: str
    seed: int
    attempts: int
    written: int
    rates: tuple[RoleRate, ...]
    reasons: dict[str, int]
    rejected: tuple[dict[str, str | int], ...]


def write_rationales(
    model: Path | None = None,
    out: Path = Path("resources/rationales"),
    journal: Path = Path("build/rationales-journal.jsonl"),
    seed: int = 0,
    attempts: int = 4,
    device: str = "cpu",
    threads: int = 1,
) -> None:
    """Write the library.

    Args:
        model: folder of a causal language model; SmolLM2-135M-Instruct from PyPI when not given.
        out: folder for library.json, rejections.json and embeddings.safetensors.
        journal: what was written so far, so that an interrupted run can go on.
        seed: seed of the sampled tries.
        attempts: tries a statement gets before the knowledge base's own sentence stands in for it.
        device: where the model runs.
        threads: processor threads.
    """
    torch.set_num_threads(threads)
    knowledge = load_knowledge()
    prompt = load_prompt()
    teacher = TeacherModel.load(model or smollm2_folder(), device=device)
    earlier = _read_journal(journal, knowledge)
    if earlier:
        print(f"Going on from {journal}: {len(earlier)} candidates were written before.", file=sys.stderr)

    def keep(candidates: Sequence[Candidate], waiting: int) -> None:
        with journal.open("ab") as file:
            file.writelines(msgspec.json.encode(candidate) + b"\n" for candidate in candidates)
        accepted = sum(candidate.accepted for candidate in candidates)
        attempt = candidates[0].attempt + 1
        print(f"attempt {attempt}: {accepted} of {len(candidates)} accepted, {waiting} to write", file=sys.stderr)

    journal.parent.mkdir(parents=True, exist_ok=True)
    candidates = write_statements(
        teacher, prompt, knowledge, seed=seed, attempts=attempts, earlier=earlier, on_candidates=keep
    )
    provenance = Provenance(
        model_name=teacher.name,
        weights_sha256=teacher.sha256,
        prompt=prompt.name,
        seed=seed,
        software_version=version("kdistill"),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        device=device,
        precision="float32",
    )
    entries = tuple(_filled(entry, candidates, provenance, knowledge) for entry in knowledge_entries(knowledge))
    library = RationaleLibrary(entries, knowledge.sha256, {prompt.name: msgspec.json.encode(prompt).decode()})
    library.save(out / "library.json")
    summary = _summary(candidates, knowledge, provenance, attempts)
    (out / "rejections.json").write_bytes(to_json(summary) + b"\n")
    print("Embedding every sentence of the library.", file=sys.stderr)
    store_embeddings(teacher, _texts(entries), out / "embeddings.safetensors", on_progress=_show_embedded)
    for rate in summary.rates:
        print(f"{rate.role}: {rate.first_try} of {rate.statements} at the first try, {rate.accepted} in all")


def _show_embedded(done: int, of: int) -> None:
    if done % 50 == 0 or done == of:
        print(f"{done} of {of} sentences embedded", file=sys.stderr)


def _read_journal(journal: Path, knowledge: KnowledgeBase) -> list[Candidate]:
    """Return what an interrupted run wrote, judged by the gate as it is now.

    Statements are written in batches of one kind. Where a verdict of a kind has changed, its sampled tries would not
    have been made like that, so they do not count.
    """
    if not journal.is_file():
        return []
    read = [msgspec.json.decode(line, type=Candidate) for line in journal.read_bytes().splitlines()]
    judged = [
        replace(
            candidate, verdicts=judge(candidate.text, candidate.statement, knowledge[candidate.statement.condition])
        )
        for candidate in read
    ]
    changed = {_kind(new) for old, new in zip(read, judged, strict=True) if old.accepted is not new.accepted}
    return [candidate for candidate in judged if candidate.attempt == 0 or _kind(candidate) not in changed]


def _kind(candidate: Candidate) -> tuple[SentenceRole, bool]:
    return candidate.statement.role, candidate.statement.gives_reason


def _filled(
    entry: LibraryEntry, candidates: Sequence[Candidate], provenance: Provenance, knowledge: KnowledgeBase
) -> LibraryEntry:
    """Return ``entry`` with the language model's sentence for every statement that has an accepted one."""
    accepted: dict[str, Candidate] = {}
    for candidate in candidates:
        if candidate.accepted:
            accepted.setdefault(candidate.statement.text, candidate)
    if entry.state is not State.POSITIVE:
        return entry
    sentences = tuple(_sentence(sentence, accepted.get(sentence.text)) for sentence in entry.sentences)
    if all(sentence.author is RationaleAuthor.KNOWLEDGE for sentence in sentences):
        return entry
    verdicts = _whole(entry, sentences, knowledge)
    if not all(verdict.passed for verdict in verdicts):
        return replace(entry, verdicts=verdicts)
    return replace(entry, author=RationaleAuthor.LIBRARY, sentences=sentences, provenance=provenance, verdicts=verdicts)


def _sentence(sentence: LibrarySentence, candidate: Candidate | None) -> LibrarySentence:
    if candidate is None:
        return sentence
    return LibrarySentence(
        role=sentence.role,
        text=candidate.text,
        author=RationaleAuthor.LIBRARY,
        statement=sentence.text,
        attempt=candidate.attempt,
        verdicts=candidate.verdicts,
    )


def _whole(
    entry: LibraryEntry, sentences: Sequence[LibrarySentence], knowledge: KnowledgeBase
) -> tuple[GateVerdict, ...]:
    body = " ".join(sentence.text for sentence in sentences)
    openings = knowledge[entry.condition].assertions[entry.state]
    verdicts = {
        side: judge_rationale(f"{opening} {body}", entry.condition, entry.state) for side, opening in openings.items()
    }
    return tuple(replace(verdict, check=f"{verdict.check}, side {side}") for side, verdict in verdicts.items())


def _summary(
    candidates: Sequence[Candidate], knowledge: KnowledgeBase, provenance: Provenance, attempts: int
) -> Summary:
    statements = [statement for item in knowledge.entries.values() for statement in statements_of(item)]
    first = {candidate.statement for candidate in candidates if candidate.accepted and candidate.attempt == 0}
    accepted = {candidate.statement for candidate in candidates if candidate.accepted}
    roles = [role for role in SentenceRole if any(statement.role is role for statement in statements)]
    rejected = [candidate for candidate in candidates if not candidate.accepted]
    reasons = Counter(first_reason(candidate.verdicts).split(":")[0] for candidate in rejected)
    return Summary(
        model_name=provenance.model_name,
        weights_sha256=provenance.weights_sha256,
        prompt=provenance.prompt,
        seed=provenance.seed or 0,
        attempts=attempts,
        written=len(candidates),
        rates=tuple(
            RoleRate(
                role,
                sum(statement.role is role for statement in statements),
                sum(statement.role is role for statement in first),
                sum(statement.role is role for statement in accepted),
            )
            for role in roles
        ),
        reasons=dict(reasons.most_common()),
        rejected=tuple(
            {
                "condition": candidate.statement.condition.value,
                "role": candidate.statement.role.value,
                "attempt": candidate.attempt,
                "text": candidate.text,
                "reason": first_reason(candidate.verdicts),
            }
            for candidate in rejected
        ),
    )


def _texts(entries: Iterable[LibraryEntry]) -> list[str]:
    texts: dict[str, None] = {}
    for entry in entries:
        for opening in entry.assertions.values():
            texts[opening] = None
        for sentence in entry.sentences:
            texts[sentence.text] = None
            if sentence.statement:
                texts[sentence.statement] = None
    return list(texts)


if __name__ == "__main__":
    auto_cli(write_rationales, as_positional=False)
