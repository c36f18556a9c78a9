"""The teacher writes: each statement of the knowledge base becomes a sentence of a rationale, or is refused and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from kdistill_core.conditions import Condition, State
from kdistill_core.records import SentenceRole
from kdistill_core.resources import resource
from kdistill_core.teacher.errors import KnowledgeError
from kdistill_core.teacher.gate import GateVerdict, judge_rationale, judge_sentence, passed
from kdistill_core.teacher.knowledge import NO_SIDE, Knowledge, KnowledgeBase
from kdistill_core.teacher.model import GREEDY, Message, Sampling, TeacherModel

PROMPT_FILE = "prompts/rationale-v1.yaml"
# The first try is greedy; later ones are drawn, warmer each time, two candidates a sentence.
FIRST_TEMPERATURE = 0.4
WARMER = 0.1
CANDIDATES = 2
BATCH = 16
_BECAUSE = " because "


@dataclass(frozen=True)
class PartPrompt:
    """How one part is asked for: the opening that is forced, and pairs of statement and answer."""

    opening: str
    examples: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class RationalePrompt:
    """A versioned prompt: its name, the system turn and one pattern a role."""

    name: str
    system: str
    parts: dict[SentenceRole, PartPrompt]


@dataclass(frozen=True)
class Statement:
    """One statement of the knowledge base to be written as a sentence."""

    condition: Condition
    role: SentenceRole
    text: str

    @property
    def gives_reason(self) -> bool:
        return _BECAUSE in self.text


@dataclass(frozen=True)
class Candidate:
    """What the language model wrote for a statement at one attempt, and what the gate said of it."""

    statement: Statement
    text: str
    attempt: int
    verdicts: tuple[GateVerdict, ...]

    @property
    def accepted(self) -> bool:
        return passed(self.verdicts)


def load_prompt(path: Path | None = None) -> RationalePrompt:
    """Return a prompt file, by default the bundled one. Raises KnowledgeError."""
    path = path or resource(PROMPT_FILE)
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=RationalePrompt)
    except (OSError, msgspec.DecodeError) as error:
        raise KnowledgeError(
            f"The prompt {path} cannot be read: {error}", "Compare it with the bundled one."
        ) from error


def statements_of(knowledge: Knowledge) -> tuple[Statement, ...]:
    """Return every statement of a condition that a rationale is made of."""
    parts = (
        (SentenceRole.DEFINITION, knowledge.definition.text),
        *((SentenceRole.SIGN, sign.text) for sign in knowledge.signs),
        *((SentenceRole.ARGUMENT, sign.argument) for sign in knowledge.signs),
        *((SentenceRole.AGAINST, statement.text) for statement in knowledge.against),
    )
    return tuple(Statement(knowledge.condition, role, text) for role, text in parts)


def write_statements(
    model: TeacherModel,
    prompt: RationalePrompt,
    knowledge: KnowledgeBase,
    *,
    seed: int,
    attempts: int,
    earlier: Sequence[Candidate] = (),
    on_candidates: Callable[[Sequence[Candidate], int], None] | None = None,
    canceled: Callable[[], bool] | None = None,
) -> tuple[Candidate, ...]:
    """Let the model write every statement of ``knowledge``, up to ``attempts`` times until it passes the gate.

    Statements of one role go through the model together, ``BATCH`` at a time, because they share their prompt.

    earlier: candidates of an interrupted run with the same arguments; what they cover is not written again.
    on_candidates: called with each new batch and the number of statements that wait in this attempt.
    Raises Canceled.
    """
    candidates: list[Candidate] = list(earlier)
    statements = [statement for item in knowledge.entries.values() for statement in statements_of(item)]
    for attempt in range(attempts):
        accepted = {
            candidate.statement for candidate in candidates if candidate.accepted and candidate.attempt < attempt
        }
        done = {candidate.statement for candidate in candidates if candidate.attempt == attempt}
        waiting = [statement for statement in statements if statement not in accepted]
        open_count = len(waiting) - len(done)
        for batch in _batches(waiting):
            if done.issuperset(batch):
                continue
            written = _write(model, prompt, knowledge, batch, attempt=attempt, seed=seed, canceled=canceled)
            candidates.extend(written)
            open_count -= len(batch)
            if on_candidates is not None:
                on_candidates(written, open_count)
    return tuple(candidates)


def _batches(waiting: Sequence[Statement]) -> list[list[Statement]]:
    batches: list[list[Statement]] = []
    for role in SentenceRole:
        for reasoned in (False, True):
            group = [item for item in waiting if item.role is role and item.gives_reason is reasoned]
            batches.extend(group[start : start + BATCH] for start in range(0, len(group), BATCH))
    return batches


def _write(
    model: TeacherModel,
    prompt: RationalePrompt,
    knowledge: KnowledgeBase,
    batch: Sequence[Statement],
    *,
    attempt: int,
    seed: int,
    canceled: Callable[[], bool] | None,
) -> list[Candidate]:
    copies = 1 if attempt == 0 else CANDIDATES
    asked = [statement for statement in batch for _ in range(copies)]
    openings = [opening_of(prompt, statement) for statement in asked]
    prompts = [
        model.prompt(messages_for(prompt, statement), opening)
        for statement, opening in zip(asked, openings, strict=True)
    ]
    texts = model.write_sentences(prompts, sampling=_sampling(attempt), seed=seed + attempt, canceled=canceled)
    written = []
    for statement, opening, text in zip(asked, openings, texts, strict=True):
        whole = _joined(opening, text)
        verdicts = judge(whole, statement, knowledge[statement.condition])
        written.append(Candidate(statement, whole, attempt, verdicts))
    return written


def write_one(
    model: TeacherModel,
    prompt: RationalePrompt,
    knowledge: Knowledge,
    statement: Statement,
    *,
    seed: int,
    attempts: int,
    on_text: Callable[[str], None] | None = None,
    canceled: Callable[[], bool] | None = None,
) -> Candidate | None:
    """Write one statement now, word by word; return None where nothing passed the gate. Raises Canceled."""
    opening = opening_of(prompt, statement)
    asked = model.prompt(messages_for(prompt, statement), opening)

    def show(text: str) -> None:
        if on_text is not None:
            on_text(_joined(opening, text))

    for attempt in range(attempts):
        written = model.write_sentences(
            [asked], sampling=_sampling(attempt), seed=seed + attempt, on_text=show, canceled=canceled
        )
        text = _joined(opening, written[0])
        candidate = Candidate(statement, text, attempt, judge(text, statement, knowledge))
        if candidate.accepted:
            return candidate
    return None


def _sampling(attempt: int) -> Sampling:
    return GREEDY if attempt == 0 else Sampling(FIRST_TEMPERATURE + WARMER * (attempt - 1))


def _joined(opening: str, text: str) -> str:
    """Put a continuation behind its opening; "fissures" goes on with a comma, without a blank."""
    text = text.strip()
    return f"{opening}{text}" if text[:1] in {",", ".", "'"} else f"{opening} {text}"


def judge(text: str, statement: Statement, knowledge: Knowledge) -> tuple[GateVerdict, ...]:
    """Return every verdict of the gate on ``text``, the labeler's on the sentence behind its assertion included."""
    assertion = knowledge.assertions[State.POSITIVE][NO_SIDE]
    labeler = judge_rationale(f"{assertion} {text}", knowledge.condition, State.POSITIVE)
    return (*judge_sentence(text, statement.text, statement.role), labeler)


def messages_for(prompt: RationalePrompt, statement: Statement) -> list[Message]:
    """Return the turns that ask for one sentence.

    Only examples that give a reason where the statement does are shown: a small model copies what it is shown.
    """
    messages = [Message("system", prompt.system)]
    reasoned = statement.gives_reason
    examples = prompt.parts[statement.role].examples
    fitting = [example for example in examples if (_BECAUSE in example[0]) is reasoned] or examples
    for question, answer in fitting:
        messages += [Message("user", question), Message("assistant", answer)]
    return [*messages, Message("user", statement.text)]


def opening_of(prompt: RationalePrompt, statement: Statement) -> str:
    """Return the words a sentence is forced to begin with, so that the model cannot mistake what it is about.

    ``{subject}`` of a definition is what it defines, ``{effect}`` of an argument what it concludes and ``{reason}``
    the first words of its reason, ``{first}`` the first word of the sign or the counter-argument itself, and ``{verb}``
    whether that speaks against or weakens.
    """
    text = statement.text
    place = "On a supine film, " if text.startswith("On a supine film, ") else ""
    verb = "weaken the argument" if "would weaken the argument" in text else "speak against it"
    first = text.removeprefix(place).casefold().removeprefix("look for ").split()[0]
    cause, _, effect = text.rpartition(", so ")
    reason = " ".join(cause.split()[: 2 if cause.startswith(("A ", "An ", "The ", "Both ")) else 1])
    effect = effect.rstrip(".")
    opening = prompt.parts[statement.role].opening.format(
        subject=text.split(" is ")[0],
        effect=effect[0].upper() + effect[1:],
        reason=_lowered(reason),
        first=first,
        verb=verb,
    )
    return place + opening[0].lower() + opening[1:] if place and statement.role is SentenceRole.SIGN else opening


def _lowered(words: str) -> str:
    return words[:1].lower() + words[1:]
