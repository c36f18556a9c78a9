"""What could be had without looking at the image: the blind baselines that every score stands beside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kdistill_core.condition_table import ConditionTable
from kdistill_core.conditions import CONDITIONS, Condition
from kdistill_core.evaluation.classification_metrics import MACRO, MICRO, OF_RANKS, Columns, families_of
from kdistill_core.evaluation.label_counts import LabelCount
from kdistill_core.evaluation.label_policy import UncertainPolicy, scored_pair
from kdistill_core.evaluation.resampling import percentile_interval, resample
from kdistill_core.evaluation.scores import Baseline, Score
from kdistill_core.labeling import IMPLIED

CONSTANT_TEXT, CONSTANT_SET, SHUFFLED = "constant text", "constant set", "shuffled images"
MEANINGS = {
    CONSTANT_TEXT: "the one text that fits the training labels best, written of every image",
    CONSTANT_SET: "the conditions that fit the training labels best, asserted of every image, though no text could say "
    "them together",
    SHUFFLED: "what this model says of other cases of the same set, none of its own",
}


def best_constant_text(counts: Mapping[Condition, LabelCount]) -> frozenset[Condition]:
    """Return what the one text asserts that, written of every training case, has the best micro F1.

    counts: of the training labels; conditions that are never labeled there are left out. A text asserts what its
    findings imply, and No Finding just where nothing but a device is present, as the student's do.
    """
    known = _known(counts)
    parents = {c: {p for p in IMPLIED.get(c, ()) if p in known} for c in known}

    def sayable(chosen: frozenset[Condition]) -> bool:
        closed = all(parents[condition] <= chosen for condition in chosen)
        abnormal = chosen - {Condition.NO_FINDING, Condition.SUPPORT_DEVICES}
        return closed and (Condition.NO_FINDING in chosen) != bool(abnormal)

    return max(filter(sayable, _subsets(known)), key=lambda chosen: _f1(chosen, counts), default=frozenset())


def best_constant_set(counts: Mapping[Condition, LabelCount]) -> frozenset[Condition]:
    """Return the set of assertions with the best micro F1 of all, though no text could say it."""
    known = sorted(_known(counts), key=lambda condition: -counts[condition].positive / counts[condition].known)
    # 2 hits / (asserted + present): the best set holds the conditions of the largest shares, however many.
    nested = [frozenset(known[:size]) for size in range(1, len(known) + 1)]
    return max(nested, key=lambda chosen: _f1(chosen, counts), default=frozenset())


def saying(chosen: frozenset[Condition], like: ConditionTable) -> ConditionTable:
    """Return the table in which every case of ``like`` asserts ``chosen`` and denies the other conditions."""
    row = [float(condition in chosen) for condition in like.conditions]
    return ConditionTable(like.ids, like.conditions, np.tile(row, (len(like), 1)), like.groups)


def derangement(groups: Sequence[str], seed: int) -> NDArray[np.int64]:
    """Return a permutation int64 [n] that gives every case another one's place, of another patient where it can.

    groups: the patient of each case. A single case keeps its own place.
    """
    count = len(groups)
    order = np.random.default_rng(seed).permutation(count)
    # Cases of a patient stand together, in random order, so a turn by the largest patient's share parts them all.
    patients = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)[1]
    rank = np.random.default_rng(seed).permutation(int(patients.max(initial=-1)) + 1)
    order = order[np.argsort(rank[patients[order]], kind="stable")]
    largest = int(np.bincount(patients).max(initial=0))
    turn = largest if 2 * largest <= count else 1
    shifted = np.empty(count, dtype=np.int64)
    shifted[order] = np.roll(order, turn)
    return shifted


def shuffled(table: ConditionTable, order: NDArray[np.int64]) -> ConditionTable:
    """Return ``table`` with the values of case ``order[i]`` in the place of case i; ids and patients stay."""
    return ConditionTable(table.ids, table.conditions, table.values[order], table.groups)


def with_shuffled(
    scores: Sequence[Score],
    truth: ConditionTable,
    probabilities: ConditionTable,
    order: NDArray[np.int64],
    *,
    uncertain: UncertainPolicy,
    resamples: int,
    seed: int,
) -> tuple[Score, ...]:
    """Return ``scores`` with the baseline of shuffled images beside those of ranks (AUC, average precision).

    order: whose probabilities each case gets, see :func:`derangement`. The lead is over the same resamples as the
    scores' intervals, of the same seed. Raises ConditionTableError and EvaluationError.
    """
    labels, own = scored_pair(truth, probabilities, uncertain)
    other = shuffled(own, order)
    families = families_of(labels.conditions)
    at: dict[Columns, str] = {(k,): condition.value for k, condition in enumerate(labels.conditions)}
    at |= {columns: MICRO + suffix for suffix, columns in families.items()}
    statistics = {
        (metric, name, who): build(table.values[:, columns], labels.values[:, columns])
        for metric, build in OF_RANKS.items()
        for columns, name in at.items()
        for who, table in (("own", own), (SHUFFLED, other))
    }
    drawn = resample(statistics, labels.groups, resamples, seed)
    measured = {key: (statistic.value, drawn[key]) for key, statistic in statistics.items()}
    for metric in OF_RANKS:
        for suffix, columns in families.items():
            for who in ("own", SHUFFLED):
                each = [measured[metric, labels.conditions[k].value, who] for k in columns]
                defined = [one for one in each if not np.isnan(one[0])]
                if defined:
                    values, draws = zip(*defined, strict=True)
                    measured[metric, MACRO + suffix, who] = float(np.mean(values)), np.mean(draws, axis=0)

    def beside(score: Score) -> Score:
        if score.value is None or score.interval is None or (score.metric, score.scope, SHUFFLED) not in measured:
            return score
        (mine, my_draws), (value, draws) = (measured[score.metric, score.scope, who] for who in ("own", SHUFFLED))
        n, groups = score.interval.n, score.interval.groups
        baseline = Baseline(
            SHUFFLED,
            value,
            percentile_interval(value, draws, n, groups),
            percentile_interval(mine - value, my_draws - draws, n, groups),
        )
        return replace(score, baselines=(*score.baselines, baseline))

    return tuple(map(beside, scores))


def _known(counts: Mapping[Condition, LabelCount]) -> list[Condition]:
    return [condition for condition in CONDITIONS if condition in counts and counts[condition].known]


def _subsets(conditions: Sequence[Condition]) -> Iterator[frozenset[Condition]]:
    for code in range(1, 2 ** len(conditions)):
        yield frozenset(condition for place, condition in enumerate(conditions) if code >> place & 1)


def _f1(chosen: frozenset[Condition], counts: Mapping[Condition, LabelCount]) -> float:
    hits = sum(counts[condition].positive for condition in chosen)
    asserted = sum(counts[condition].known for condition in chosen)
    present = sum(counts[condition].positive for condition in _known(counts))
    return 2 * hits / (asserted + present) if asserted + present else 0.0
