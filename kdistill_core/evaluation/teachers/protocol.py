"""How teachers were measured, in words, and what a reader of the scores has to know beside them."""

from __future__ import annotations

from collections.abc import Sequence

from kdistill_core.evaluation.teachers.measuring import Materials, QualitySettings, TeacherEvidence
from kdistill_core.evaluation.teachers.pubmedqa import PROMPT, QuestionSet
from kdistill_core.teacher.knowledge import KnowledgeBase


def protocol_of(materials: Materials, settings: QualitySettings, knowledge: KnowledgeBase) -> dict[str, str]:
    """Return how each kind of measure was taken, by what it is called."""
    protocol = {
        f"Perplexity, {kind}": (
            f"{len(sampled.texts)} of {sampled.available} documents, drawn by the hash of their ids (seed "
            f"{settings.seed}); {sampled.origin}. The first {settings.first_tokens} tokens of each, without special "
            "tokens; every token but the first is foretold from those before it. exp(summed loss / summed tokens). "
            f"Texts sha256 {sampled.sha256}."
        )
        for kind, sampled in materials.texts.items()
    }
    if materials.questions is not None:
        protocol["PubMedQA"] = _of_questions(materials.questions, settings)
    if materials.contexts:
        protocol["Rationales"] = (
            f"{len(materials.contexts)} contexts from labels alone: conditions, states, sides and severities take "
            f"turns, up to three other conditions present (seed {settings.seed}). One try each, judged by the gate "
            f"against the knowledge base (sha256 {knowledge.sha256})."
        )
    protocol["Intervals"] = (
        f"95 %, {settings.resamples} bootstrap resamples of documents, questions or contexts, the same ones for every "
        "teacher; distinct-1, distinct-2 and distinct sentences by the jackknife over contexts. Of a share that is 0 "
        "or 1 a bootstrap shows no width: up to about 3 / n of the cases may be otherwise."
    )
    return protocol


def notes_of(evidence: Sequence[TeacherEvidence], materials: Materials) -> tuple[str, ...]:
    """Return what limits the scores of this run."""
    notes = []
    for kind in materials.texts:
        first = evidence[0].perplexities[kind].tokens_sha256
        others = [own.name for own in evidence[1:] if own.perplexities[kind].tokens_sha256 != first]
        if others:
            notes.append(
                f"{', '.join(others)}: other tokens than {evidence[0].name} on {kind}, so their perplexities cannot be "
                "compared."
            )
    questions = materials.questions
    if questions is not None and not questions.published:
        notes.append("The PubMedQA questions are not the 500 of the published test set.")
    if questions is not None and len(questions.questions) < questions.available:
        notes.append(f"Only {len(questions.questions)} of {questions.available} PubMedQA test questions were asked.")
    unwritten = {own.name: sum(bool(draft.fault) for draft in own.drafts.drafts) for own in evidence if own.drafts}
    notes += [
        f"{name} failed to write {count} rationales; they count as refused."
        for name, count in unwritten.items()
        if count
    ]
    return tuple(notes)


def _of_questions(questions: QuestionSet, settings: QualitySettings) -> str:
    which = (
        "of the published test set (the authors' split_dataset.py with seed 0 gives exactly their list)"
        if questions.published
        else "of a half drawn as the authors draw theirs"
    )
    return (
        f"{len(questions.questions)} of the {questions.available} questions {which}, reasoning-required setting: "
        f"question and contexts, no example. Prompt {PROMPT!r}; the likeliest of yes, no and maybe is the answer, and "
        f"nothing is generated. Prompts of more than {settings.prompt_tokens} tokens lose words from the middle of "
        "their contexts."
    )
