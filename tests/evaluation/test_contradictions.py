"""What a text says against its reference: pairs whose relation a reader knows."""

from __future__ import annotations

import numpy as np
import pytest

from kdistill_core.condition_table import ConditionTable, table_of_findings
from kdistill_core.conditions import Condition
from kdistill_core.evaluation.contradictions import CASES, POOLED, contradiction_measures, side_measures
from kdistill_core.evaluation.measures import Measure, compute
from kdistill_core.labeling import label_report

C = Condition


def labels(texts: list[str]) -> ConditionTable:
    return table_of_findings([f"case {row}" for row in range(len(texts))], [label_report(text) for text in texts])


def measures(texts: list[str], references: list[str]) -> dict[str, Measure]:
    found = contradiction_measures(labels(references), labels(texts), "rules")
    return {measure.score.scope: measure for measure in found}


def count(texts: list[str], references: list[str]) -> float:
    cases = measures(texts, references)[CASES].cases
    assert cases is not None
    return float(cases.values.sum())


@pytest.mark.parametrize(
    ("text", "reference", "contradictions"),
    [
        ("There is a pleural effusion.", "There is no pleural effusion.", 1),
        ("No pneumothorax.", "Left pneumothorax.", 1),
        ("No pneumothorax or effusion.", "Left pneumothorax with an effusion.", 2),
        ("There is a pleural effusion.", "The heart is normal in size.", 0),  # not said is not denied
        ("Possible pneumothorax.", "No pneumothorax.", 0),  # doubt is not assertion
        ("There is a pleural effusion.", "There is a pleural effusion.", 0),
    ],
)
def test_only_opposite_statements_contradict(text, reference, contradictions) -> None:
    assert count([text], [reference]) == contradictions
    assert count([reference], [text]) == contradictions


def test_rates_are_of_what_both_sides_state() -> None:
    texts = ["Pleural effusion.", "Pleural effusion.", "No pleural effusion.", "Edema."]
    references = ["No pleural effusion.", "Pleural effusion.", "Pneumothorax.", "No pneumothorax."]
    found = measures(texts, references)
    effusion, pooled, cases = found[C.PLEURAL_EFFUSION.value], found[POOLED], found[CASES]
    assert (effusion.value, effusion.score.n) == (0.5, 2)
    assert (pooled.value, pooled.score.n) == (0.5, 2)
    assert (cases.value, cases.score.n) == (0.25, 4)
    assert not pooled.score.higher_is_better
    assert np.isnan(found[C.FRACTURE.value].value)


def test_a_rate_has_its_interval_by_patient() -> None:
    texts, references = ["Pleural effusion."] * 4, ["No pleural effusion."] + ["Pleural effusion."] * 3
    (score,) = compute([measures(texts, references)[POOLED]], ["a", "b", "c", "d"], resamples=500, seed=0)
    assert score.value == 0.25
    assert score.interval is not None
    # Of four patients one contradicts: it is drawn k of 4 times, k binomial(4, 1/4), so 3 of 4 at the 97.5 % quantile.
    assert (score.interval.low, score.interval.high) == (0.0, 0.75)


def test_the_order_of_columns_does_not_matter() -> None:
    reference, said = labels(["Pleural effusion. No edema."]), labels(["No pleural effusion. Edema."])
    backwards = said.select(tuple(reversed(said.conditions)))
    plain = [measure.value for measure in contradiction_measures(reference, said, "rules")]
    assert [measure.value for measure in contradiction_measures(reference, backwards, "rules")] == pytest.approx(
        plain, nan_ok=True
    )


@pytest.mark.parametrize(
    ("text", "reference", "opposite", "compared"),
    [
        ("Left pleural effusion.", "Right pleural effusion.", 1, 1),
        ("Left pleural effusion.", "Left pleural effusion.", 0, 1),
        ("Left pleural effusion.", "Bilateral pleural effusions.", 0, 1),
        ("Left pleural effusion.", "Pleural effusion.", 0, 0),
        ("Left pleural effusion.", "No right pleural effusion.", 0, 0),
    ],
)
def test_opposite_sides_are_counted_apart(text, reference, opposite, compared) -> None:
    pooled, cases = side_measures([text], [reference])
    assert pooled.score.n == compared
    assert cases.value == opposite
    assert count([text], [reference]) == (1 if reference.startswith("No") else 0)
