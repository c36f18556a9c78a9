"""The contexts that every teacher writes for: fixed, and spread over conditions, states, sides and severities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.records import Severity, Side
from kdistill_core.teacher.context import RationaleContext
from kdistill_core.teacher.knowledge import KnowledgeBase

CONTEXTS = 168
_MOST_PRESENT = 3  # other conditions beside the one to explain
_MOST_REPEATS = 1000
_UNNAMED = (Condition.NO_FINDING, Condition.SUPPORT_DEVICES)  # never said to be present beside another


def evaluation_contexts(count: int, seed: int, knowledge: KnowledgeBase) -> tuple[RationaleContext, ...]:
    """Return ``count`` different contexts, from labels alone, the same ones for the same seed.

    Conditions take turns, within a condition its states, within a state its sides and severities, as far as the
    knowledge base has words for them; none to three other conditions are present. A condition that has no further
    context, No Finding after its one, leaves its turns to the others. Raises EvaluationError where there are not so
    many contexts.
    """
    streams = (_of_condition(condition, seed, knowledge) for condition in CONDITIONS)
    chosen = tuple(islice(_in_turn(streams), count))
    if len(chosen) < count:
        raise EvaluationError(f"There are no {count} different contexts.", f"Ask for at most {len(chosen)}.")
    return chosen


def _in_turn(streams: Iterable[Iterator[RationaleContext]]) -> Iterator[RationaleContext]:
    """Yield one of each stream in turn; one that has ended is passed over."""
    left = list(streams)
    while left:
        for stream in tuple(left):
            try:
                yield next(stream)
            except StopIteration:
                left.remove(stream)


def _of_condition(condition: Condition, seed: int, knowledge: KnowledgeBase) -> Iterator[RationaleContext]:
    """Yield different contexts of one condition, its states in turn."""
    return _in_turn([_contexts_of(condition, state, seed, knowledge) for state in State])


def _contexts_of(condition: Condition, state: State, seed: int, knowledge: KnowledgeBase) -> Iterator[RationaleContext]:
    """Yield different contexts, sides and severities in turn, until many in a row came before: few can be left then."""
    if state not in knowledge[condition].assertions:
        return
    generator = np.random.default_rng([seed, CONDITIONS.index(condition), list(State).index(state)])
    seen: set[RationaleContext] = set()
    repeats = 0
    while repeats < _MOST_REPEATS:
        for side, severity in _strata(condition, state, knowledge, generator):
            context = RationaleContext(condition, state, side, severity, _present(condition, generator))
            repeats = repeats + 1 if context in seen else 0
            if repeats == 0:
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
