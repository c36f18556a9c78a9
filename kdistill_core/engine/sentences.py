"""What each sentence of the student's rationale speaks of."""

from __future__ import annotations

from collections.abc import Mapping

from kdistill_core.conditions import Condition, State
from kdistill_core.labeling import label_sentence, split_sentences
from kdistill_core.records import Sentence, SentenceRole
from kdistill_core.teacher.library import RationaleLibrary
from kdistill_core.teacher.roles import role_of

# Of several statements in one sentence the strongest gives the sentence its condition.
_RANK = {State.BLANK: 0, State.NEGATIVE: 1, State.UNCERTAIN: 2, State.POSITIVE: 3}


def tag_sentences(text: str, library: RationaleLibrary) -> tuple[Sentence, ...]:
    """Return the sentences of ``text``, each with the condition and state that the labeler reads in it.

    A sentence that asserts nothing (a definition, a sign to look for) belongs to the assertion before it, as in the
    rationales that the student learned from; its role is that of the library's own sentence where it is one, and told
    by its wording otherwise.
    """
    roles = _library_roles(library)
    sentences: list[Sentence] = []
    condition: Condition | None = None
    state = State.BLANK
    for span in split_sentences(text):
        words = text[span.start : span.end]
        asserted = _strongest(words)
        if asserted is None:
            sentences.append(Sentence(span, condition, state, roles.get(words) or role_of(words)))
            continue
        condition, state = asserted
        sentences.append(Sentence(span, condition, state, SentenceRole.ASSERTION))
    return tuple(sentences)


def _strongest(words: str) -> tuple[Condition, State] | None:
    mentions = sorted(label_sentence(words), key=lambda mention: _RANK[mention.state], reverse=True)
    return (mentions[0].condition, mentions[0].state) if mentions else None


def _library_roles(library: RationaleLibrary) -> Mapping[str, SentenceRole]:
    return {sentence.text: sentence.role for entry in library.entries for sentence in entry.sentences}
