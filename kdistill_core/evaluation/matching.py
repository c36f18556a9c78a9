"""What was said of images and studies, brought together with the cases that are scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdistill_core.condition_table import ConditionTable
from kdistill_core.evaluation.cases import CaseSet, Survey
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.predictions import Predictions
from kdistill_core.evaluation.scores import Unit

_SHOWN = 3


def of_cases(said: Predictions, case_set: CaseSet) -> Predictions:
    """Return what is said of each case, in the cases' order, from what is said of its images.

    The probability of a study is the mean over its images that were predicted, which unlike the maximum does not grow
    with the number of views; its text is that of the first of them. Cases of which nothing was said are left out.
    """
    places = {name: place for place, name in enumerate(said.ids)}
    at = {case.id: [places[image.id] for image in case.images if image.id in places] for case in case_set.cases}
    ids = tuple(name for name, rows in at.items() if rows)
    probabilities = None
    if said.probabilities is not None:
        values = [said.probabilities.values[at[name]].mean(axis=0) for name in ids]
        conditions = said.probabilities.conditions
        probabilities = ConditionTable(ids, conditions, np.asarray(values).reshape(len(ids), len(conditions)))
    reports = None if said.reports is None else tuple(said.reports[at[name][0]] for name in ids)
    return Predictions(ids, probabilities, reports, said.origin, said.unused)


def match_table(
    table: Predictions, path: Path, case_set: CaseSet, held: Survey, *, allow_missing: bool
) -> tuple[Predictions, tuple[str, ...]]:
    """Return what a table says of each case, and what has to be said of how it was matched.

    The table's ids are those of the images, or of the studies where studies are scored. Rows of other splits are passed
    over. Raises EvaluationError, which names file, line, the first ids and the remedy, where no id matches; and, unless
    ``allow_missing``, where an id is unknown to the data set or a case has no row.
    """
    given = frozenset(table.ids)
    by_image = sum(image.id in given for image in case_set.images)
    by_case = sum(case.id in given for case in case_set.cases)
    if not by_image and not by_case:
        raise _nothing_matches(table, path, case_set, held)
    images_named = by_image >= by_case
    known = held.image_ids if images_named else held.study_ids
    notes = []
    strangers = [(name, line) for name, line in zip(table.ids, table.lines, strict=True) if name not in known]
    if strangers:
        names = ", ".join(repr(name) for name, _ in strangers[:_SHOWN])
        problem = f"{len(strangers)} of its {len(table)} ids are not in the data set, such as {names}"
        if not allow_missing:
            raise EvaluationError(
                f"{path}, line {strangers[0][1]}: {problem}.",
                "Check that the ids are the data set's own, or pass over the others with --allow-missing.",
            )
        notes.append(f"Of the table, {problem}; they were passed over.")
    named = [case.id for case in case_set.cases if case.id in given]
    matched = of_cases(table, case_set) if images_named else table.rows(named)
    said = frozenset(matched.ids)
    missing = [case.id for case in case_set.cases if case.id not in said]
    if missing:
        names = ", ".join(map(repr, missing[:_SHOWN]))
        problem = f"{len(missing)} of {len(case_set.cases)} cases have no row, such as {names}"
        if not allow_missing:
            raise EvaluationError(
                f"{path}: {problem}.",
                "Predict them as well, or score the others alone with --allow-missing, which the result then says.",
            )
        notes.append(f"In the table, {problem}; the scores are of the other cases alone.")
    if table.unused:
        notes.append(f"Columns of the table that were not used: {', '.join(table.unused)}.")
    return matched, tuple(notes)


def _nothing_matches(table: Predictions, path: Path, case_set: CaseSet, held: Survey) -> EvaluationError:
    theirs = ", ".join(map(repr, table.ids[:_SHOWN]))
    ours = ", ".join(repr(case.id) for case in case_set.cases[:_SHOWN])
    given = frozenset(table.ids)
    if case_set.unit is Unit.IMAGE and given & held.study_ids:
        advice = "Its ids are those of studies: add --unit study."
    elif given & (held.image_ids | held.study_ids):
        advice = "Its ids are of another split of the data set: choose that with --split."
    else:
        advice = "Name the cases as the data set does."
    return EvaluationError(
        f"{path}, line {table.lines[0]}: none of its {len(table)} ids ({theirs}, ...) is one of the "
        f"{len(case_set.cases)} cases to score ({ours}, ...).",
        advice,
    )
