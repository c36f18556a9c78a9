"""From rationales that a teacher wrote to the library of the product, and what the knowledge base adds where none is.

A library has an entry for every side and severity that a condition's assertion has words for. The gate reads every
rationale once more as it is now; of those that pass, the ones with different signs come first.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.records import Provenance, RationaleAuthor, SentenceRole, Severity
from kdistill_core.teacher.context import RationaleContext
from kdistill_core.teacher.entries import LibraryEntry, LibrarySentence
from kdistill_core.teacher.errors import LibraryError
from kdistill_core.teacher.gate import Judged, judge_draft
from kdistill_core.teacher.knowledge import Knowledge, KnowledgeBase, Statement
from kdistill_core.teacher.library import RationaleLibrary, opening_name
from kdistill_core.teacher.parts import Part, labeled, parts_for
from kdistill_core.teacher.prompts import RationalePrompt
from kdistill_core.teacher.stored_rationale import FAULT, StoredRationale

VARIANTS = 3


@dataclass(frozen=True)
class Making:
    """A library and how it came about.

    contexts: findings it covers; written: those among them with a language model's text. elsewhere: rationales of what
    a library does not hold, such as of a report's sentence. repeated: of the same words as another. spare: more than
    the variants asked for. refused: by the gate as it is now, by check.
    """

    library: RationaleLibrary
    contexts: int
    written: int
    elsewhere: int
    repeated: int
    spare: int
    refused: dict[str, int]


def library_contexts(knowledge: KnowledgeBase) -> tuple[RationaleContext, ...]:
    """Return every finding that a library has an entry for, in the order of ``CONDITIONS``."""
    return tuple(
        RationaleContext(condition, state, side, severity)
        for condition in CONDITIONS
        for state in State
        if state in knowledge[condition].assertions
        for side in knowledge[condition].sides(state)
        for severity in _severities(knowledge[condition], state)
    )


def _severities(known: Knowledge, state: State) -> tuple[Severity | None, ...]:
    return (None, *Severity) if known.severities and state is not State.NEGATIVE else (None,)


def make_library(
    rationales: Iterable[StoredRationale],
    knowledge: KnowledgeBase,
    prompts: Sequence[RationalePrompt] = (),
    variants: int = VARIANTS,
) -> Making:
    """Return the library of the accepted among ``rationales``, filled up with the knowledge base's own.

    prompts: what they were written with. variants: entries a finding has at most. Raises LibraryError for a rationale
    whose prompt is not among ``prompts``.
    """
    contexts = library_contexts(knowledge)
    passed: dict[RationaleContext, dict[str, LibraryEntry]] = defaultdict(dict)
    elsewhere, repeated, refused = 0, 0, Counter[str]()
    used: dict[str, str] = {}
    for written in sorted((rationale for rationale in rationales if rationale.accepted), key=_order):
        if written.context not in contexts:
            elsewhere += 1
            continue
        used.setdefault(written.writer.prompt, _prompt_of(written, prompts))
        judged = judge_draft(labeled(written.sentences), written.context, knowledge)
        if not judged.accepted:
            refused[judged.reason.split(":")[0]] += 1
        elif judged.text in passed[written.context]:
            repeated += 1
        else:
            passed[written.context][judged.text] = _written_entry(written, judged, knowledge)
    entries: list[LibraryEntry] = []
    for context in contexts:
        chosen = _different(tuple(passed[context].values()), variants)
        filled = (_judged(entry, knowledge) for entry in _knowledge_entries(context, knowledge)[:variants])
        entries.extend(replace(entry, variant=number) for number, entry in enumerate(chosen or filled))
    library = RationaleLibrary(tuple(entries), knowledge.sha256, used, assertions_of(knowledge))
    covered = sum(bool(found) for found in passed.values())
    spare = sum(max(0, len(found) - variants) for found in passed.values())
    return Making(library, len(contexts), covered, elsewhere, repeated, spare, dict(refused.most_common()))


def _order(written: StoredRationale) -> tuple[int, str]:
    return written.seed, written.key


def _prompt_of(written: StoredRationale, prompts: Sequence[RationalePrompt]) -> str:
    """Return the prompt of a rationale as JSON: a name alone does not say what a model was asked."""
    for prompt in prompts:
        if prompt.sha256 == written.writer.prompt_sha256:
            return msgspec.json.encode(prompt).decode()
    raise LibraryError(
        f"A rationale was written with the prompt {written.writer.prompt} of another content than is given "
        f"(sha256 {written.writer.prompt_sha256[:12]}).",
        "Give the prompt file that it was written with.",
    )


def _written_entry(written: StoredRationale, judged: Judged, knowledge: KnowledgeBase) -> LibraryEntry:
    context = written.context
    return LibraryEntry(
        condition=context.condition,
        state=context.state,
        variant=0,
        author=RationaleAuthor.LIBRARY,
        sentences=tuple(
            LibrarySentence(part.role, part.text, RationaleAuthor.LIBRARY, "" if statement == part.text else statement)
            for part, statement in zip(judged.parts, judged.statements, strict=True)
        ),
        side=context.side,
        severity=context.severity,
        references=references_of(judged.statements, knowledge[context.condition]),
        verdicts=judged.verdicts,
        attempt=sum(refused.check != FAULT for refused in written.refusals),
        provenance=Provenance(
            model_name=written.writer.model_name,
            weights_sha256=written.writer.model_sha256,
            prompt=written.writer.prompt,
            seed=written.seed,
            software_version=written.software_version,
            # The day is enough here, and entries of a run share it.
            created=written.created[:10],
        ),
        settings=written.writer.settings,
    )


def _different(entries: Sequence[LibraryEntry], count: int) -> tuple[LibraryEntry, ...]:
    """Choose ``count`` entries: first those that show other signs, then those that differ in words."""
    by_sign: dict[str, list[LibraryEntry]] = defaultdict(list)
    for entry in entries:
        sign = next((part for part in entry.sentences if part.role is SentenceRole.SIGN), None)
        by_sign[(sign.statement or sign.text) if sign else ""].append(entry)
    rounds = max(map(len, by_sign.values()), default=0)
    ordered = (group[turn] for turn in range(rounds) for group in by_sign.values() if turn < len(group))
    return tuple(entry for entry, _ in zip(ordered, range(count), strict=False))


def references_of(statements: Iterable[str], known: Knowledge) -> tuple[str, ...]:
    """Return the keys of the works that support ``statements``, each once; an assertion needs none."""
    supported = {statement.text: statement.references for statement in _statements(known)}
    supported |= {text: sign.references for sign in known.signs for text in (sign.text, sign.argument)}
    return tuple(dict.fromkeys(key for text in statements for key in supported.get(text, ())))


def _statements(known: Knowledge) -> Iterator[Statement]:
    yield known.definition
    yield from known.against
    yield from known.settles


def knowledge_entries(knowledge: KnowledgeBase) -> tuple[LibraryEntry, ...]:
    """Return the entries that the knowledge base fills by itself.

    One variant for each sign that fits the finding; of a denial one for each counter-argument. The gate has not read
    them.
    """
    return tuple(entry for context in library_contexts(knowledge) for entry in _knowledge_entries(context, knowledge))


def _knowledge_entries(context: RationaleContext, knowledge: KnowledgeBase) -> tuple[LibraryEntry, ...]:
    known, roles = knowledge[context.condition], parts_for(context.state)
    fitting = known.fitting(context.state, context.severity, context.side)
    signs, against, settles = fitting.signs, fitting.against, fitting.settles
    made = []
    for number in range(len(signs) if SentenceRole.SIGN in roles else len(against)):
        sign = signs[number % len(signs)]
        said = {
            SentenceRole.ASSERTION: known.assertion(context.state, context.side, context.severity),
            SentenceRole.DEFINITION: known.definition.text,
            SentenceRole.SIGN: sign.text,
            SentenceRole.ARGUMENT: sign.argument,
            SentenceRole.AGAINST: against[number % len(against)].text,
            SentenceRole.SETTLES: settles[number % len(settles)].text,
        }
        parts = [Part(role, said[role]) for role in roles]
        made.append(_knowledge_entry(context, number, parts, knowledge))
    return tuple(made)


def _knowledge_entry(
    context: RationaleContext, number: int, parts: Sequence[Part], knowledge: KnowledgeBase
) -> LibraryEntry:
    return LibraryEntry(
        condition=context.condition,
        state=context.state,
        variant=number,
        author=RationaleAuthor.KNOWLEDGE,
        sentences=tuple(LibrarySentence(part.role, part.text) for part in parts),
        side=context.side,
        severity=context.severity,
        references=references_of([part.text for part in parts], knowledge[context.condition]),
    )


def _judged(entry: LibraryEntry, knowledge: KnowledgeBase) -> LibraryEntry:
    return replace(entry, verdicts=judge_draft(entry.lines, entry.context, knowledge).verdicts)


def assertions_of(knowledge: KnowledgeBase) -> dict[Condition, dict[State, dict[str, str]]]:
    """Return the knowledge base's sentence for every finding of a library, by :func:`opening_name`."""
    said: dict[Condition, dict[State, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for context in library_contexts(knowledge):
        known = knowledge[context.condition]
        text = known.assertion(context.state, context.side, context.severity)
        said[context.condition][context.state][opening_name(context.side, context.severity)] = text
    return {condition: dict(states) for condition, states in said.items()}
