"""Labels that come as a list of what is there: NIH, PadChest and VinDr-CXR name findings and omit the rest.

A condition that the data set labels is negative where a list does not name it; one that the data set does not know
stays blank. The finder of something without a counterpart among the 14 (a hernia) leaves No Finding blank: the image is
not normal, yet nothing of the 14 is said to be there.
"""

from __future__ import annotations

from collections.abc import Collection

from kdistill_core.conditions import CONDITIONS, Condition, Source, State, spellings
from kdistill_core.labeling import with_implied
from kdistill_core.records import Finding


def conditions_of(source: Source) -> tuple[Condition, ...]:
    """Return the conditions that a data set labels, in the order of ``CONDITIONS``."""
    known = set(spellings(source).values())
    return tuple(condition for condition in CONDITIONS if condition in known)


def findings_of_list(
    positive: Collection[Condition], labeled: Collection[Condition], unnamed: State = State.NEGATIVE
) -> tuple[Finding, ...]:
    """Return the 14 findings behind a list, closed under CheXpert's hierarchy as far as the data set labels it.

    positive: what the list names. labeled: what the data set could have named. unnamed: the state of those it could
    have named and did not.
    """
    states = {condition: State.POSITIVE if condition in positive else unnamed for condition in labeled}
    if not positive and Condition.NO_FINDING in states:
        states[Condition.NO_FINDING] = State.BLANK
    stated = tuple(Finding(condition, states.get(condition, State.BLANK)) for condition in CONDITIONS)
    # What a positive condition implies is positive only where the data set could also have said negative; else a
    # model would learn that every image of this set which says something says it positively.
    return tuple(
        implied if before.condition in states else before
        for before, implied in zip(stated, with_implied(stated), strict=True)
    )
