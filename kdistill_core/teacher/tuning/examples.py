"""Examples of rationales, grounded in the knowledge base, from which a teacher learns to write its own.

A context is drawn (condition, state, side, severity, what else is present, sometimes a report's sentence), and notes of
the knowledge base for it: one sign that fits the severity with its argument, one counter-argument, one thing that
settles the question. The answer says them; a prompt with notes shows them, one without asks for them from memory. The
sentences of reports are the phantom's own; no patient's report is needed.

Arguments keep the order of the notes, from cause to effect. Half of them told from effect to cause ("effect, because
cause") was tried: a model of 135 M parameters then turns cause and effect round where it should not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.labeling import label_report
from kdistill_core.phantom.phrases import NEGATIVE, POSITIVE, UNCERTAIN, Phrase
from kdistill_core.records import Report, Severity
from kdistill_core.teacher.context import RationaleContext, contexts_of
from kdistill_core.teacher.gate import judge_draft
from kdistill_core.teacher.knowledge import KnowledgeBase, load_knowledge
from kdistill_core.teacher.parts import Part, labeled
from kdistill_core.teacher.prompts import RationalePrompt, load_prompt, messages_for, notes_for, prompt_text
from kdistill_core.teacher.tuning.blocks import Example

# How often an example is of each state and has each further fact.
_STATES = {State.POSITIVE: 0.6, State.UNCERTAIN: 0.25, State.NEGATIVE: 0.15}
_WITH_SENTENCE, _WITH_SIDE, _WITH_SEVERITY = 0.35, 0.75, 0.6
_MOST_PRESENT = 3
_WORDS = {
    "side": ("right", "left", "bilateral"),
    "zone": ("upper", "mid", "lower"),
    "size": ("mild", "moderate", "severe"),
    "device": ("endotracheal tube", "central venous catheter", "pacemaker"),
    "nodule": ("nodule", "mass"),
    "lobe": ("upper lobe", "lower lobe"),
    "pleura": ("pleural thickening", "calcified pleural plaque"),
    "ribs": ("sixth rib", "seventh and eighth ribs"),
}


def rationale_examples(
    tokenizer: Any, count: int, seed: int, knowledge: KnowledgeBase | None = None, prompt: RationalePrompt | None = None
) -> list[Example]:
    """Return ``count`` examples as tokens, each condition equally often; equal arguments give equal examples.

    knowledge, prompt: by default the bundled ones.
    """
    knowledge, prompt = knowledge or load_knowledge(), prompt or load_prompt()
    found = []
    for context, notes, answer in drawn_rationales(knowledge, count, seed):
        asked = prompt_text(tokenizer, messages_for(prompt, context, notes if prompt.noted else ()))
        ids = tokenizer([asked, answer], add_special_tokens=False)["input_ids"]
        found.append(Example(tuple(ids[0]), (*ids[1], tokenizer.eos_token_id)))
    return found


def drawn_rationales(
    knowledge: KnowledgeBase, count: int, seed: int
) -> Iterator[tuple[RationaleContext, tuple[Part, ...], str]]:
    """Yield contexts, their notes and a rationale from these in labeled lines; every one passes the gate."""
    rng = np.random.default_rng(seed)
    made = 0
    while made < count:
        context = _context(CONDITIONS[made % len(CONDITIONS)], knowledge, rng)
        notes = notes_for(context, knowledge, int(rng.integers(2**32)))
        text = labeled(notes)
        if judge_draft(text, context, knowledge).accepted:
            made += 1
            yield context, notes, text


def _context(condition: Condition, knowledge: KnowledgeBase, rng: np.random.Generator) -> RationaleContext:
    states = [state for state in _STATES if state in knowledge[condition].assertions]
    weights = np.array([_STATES[state] for state in states])
    state = states[rng.choice(len(states), p=weights / weights.sum())]
    present = _present(condition, rng)
    if rng.random() < _WITH_SENTENCE:
        told = _from_sentence(condition, state, knowledge, rng)
        if told is not None:
            return RationaleContext(condition, state, told.side, told.severity, present, told.sentence)
    known = knowledge[condition]
    sides = known.sides(state)
    side = sides[rng.integers(len(sides))] if rng.random() < _WITH_SIDE else None
    severe = known.severities and state is not State.NEGATIVE and rng.random() < _WITH_SEVERITY
    severity = tuple(Severity)[rng.integers(len(Severity))] if severe else None
    return RationaleContext(condition, state, side, severity, present)


def _present(condition: Condition, rng: np.random.Generator) -> tuple[Condition, ...]:
    others = [
        other for other in CONDITIONS if other not in (condition, Condition.NO_FINDING, Condition.SUPPORT_DEVICES)
    ]
    if condition is Condition.NO_FINDING:
        return ()
    chosen = set(rng.choice(len(others), size=rng.integers(_MOST_PRESENT + 1), replace=False).tolist())
    return tuple(other for place, other in enumerate(others) if place in chosen)


def _from_sentence(
    condition: Condition, state: State, knowledge: KnowledgeBase, rng: np.random.Generator
) -> RationaleContext | None:
    """Return what a report's sentence tells of the condition, read as reports are read; None where it tells another."""
    phrases = [phrase for phrase in _phrases(condition, state) if set(phrase.says) == {condition}]
    if not phrases:
        return None
    phrase = phrases[rng.integers(len(phrases))]
    words = {slot: choices[rng.integers(len(choices))] for slot, choices in _WORDS.items()}
    text = phrase.text.format_map(words)
    text = text[0].upper() + text[1:]
    contexts = contexts_of(label_report(text), knowledge, Report(text), tuple(_STATES))
    return next((told for told in contexts if told.condition is condition and told.state is state), None)


def _phrases(condition: Condition, state: State) -> list[Phrase]:
    if state is State.POSITIVE:
        return POSITIVE.get(condition, [])
    return UNCERTAIN.get(condition, []) if state is State.UNCERTAIN else NEGATIVE
