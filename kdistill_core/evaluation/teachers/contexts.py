"""The contexts that every teacher writes for: fixed, and spread over conditions, states, sides and severities."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.records import Severity, Side
from kdistill_core.teacher.context import RationaleContext
from kdistill_core.teacher.knowledge import KnowledgeBase

CONTEXTS = 168
_MOST_PRESENT = 3  # other conditions beside the one to explain
_UNNAMED = (Condition.NO_FINDING, Condition.SUPPORT_DEVICES)  # never said to be present beside another


def evaluation_contexts(count: int, seed: int, knowledge: KnowledgeBase) -> tuple[RationaleContext, ...]:
    """Return ``count`` different contexts, from labels alone, the same ones for the same seed.

    Conditions take turns, within a condition its states, within a state its sides and severities, as far as the
    knowledge base has words for them; none to three other conditions are present. A condition that has no further
    context, No Finding after its one, leaves its turns to the others. Raises EvaluationError where there are not so
    many contexts.
    """
    streams = [_contexts_of(condition, seed, knowledge) for condition in CONDITIONS]
    chosen: list[RationaleContext] = []
    while len(chosen) < count and streams:
        for stream in tuple(streams):
            context = next(stream, None)
            if context is None:
                streams.remove(stream)
            elif len(chosen) < count:
                chosen.append(context)
    if len(chosen) < count:
        raise EvaluationError(f"There are no {count} different contexts.", f"Ask for at most {len(chosen)}.")
    return tuple(chosen)


def _contexts_of(condition: Condition, seed: int, knowledge: KnowledgeBase) -> Iterator[RationaleContext]:
    """Yield different contexts of one condition, its states in turn, until so many came twice that few can be left."""
    generator = np.random.default_rng([seed, CONDITIONS.index(condition)])
    states = [state for state in State if state in knowledge[condition].assertions]
    seen: set[RationaleContext] = set()
    repeats = 0
    while repeats < 1000:
        strata = {state: _strata(condition, state, knowledge, generator) for state in states}
        for turn in range(max(map(len, strata.values()))):
            for state in states:
                # A state with fewer sides and severities goes through them again, with others present.
                side, severity = strata[state][turn % len(strata[state])]
                context = RationaleContext(condition, state, side, severity, _present(condition, generator))
                if context in seen:
                    repeats += 1
                else:
                    seen.add(context)
                    yield context


def _strata(
    condition: Condition, state: State, knowledge: KnowledgeBase, generator: np.random.Generator
) -> list[tuple[Side | None, Severity | None]]:
    known = knowledge[condition]
    severities = (None, *Severity) if known.severities and state is not State.NEGATIVE else (None,)
    strata = [(side, severity) for side in known.sides(state) for severity in severities]
    return [strata[place] for place in generator.permutation(len(strata))]


def _present(condition: Condition, generator: np.random.Generator) -> tuple[Condition, ...]:
    if condition is Condition.NO_FINDING:
        return ()
    others = [other for other in CONDITIONS if other is not condition and other not in _UNNAMED]
    chosen = set(generator.choice(len(others), size=generator.integers(_MOST_PRESENT + 1), replace=False).tolist())
    return tuple(other for place, other in enumerate(others) if place in chosen)
