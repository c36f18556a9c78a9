"""Measure a student on held-out cases and write its scores and its model card into its folder.

    python -m training.evaluate_student --config training/configs/student-evaluation.yaml

Phantoms and real radiographs stand apart. Every score has a bootstrap interval by patient, and beside it what a blind
student would get: each condition's prevalence, the best text that never changes, and this student with the images of
the set permuted among its cases.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch
from jsonargparse import auto_cli
from numpy.typing import NDArray

from kdistill_core.conditions import CONDITIONS, Condition
from kdistill_core.datasets import Split
from kdistill_core.datasets.cache import PixelCache
from kdistill_core.evaluation.classification import auc, macro_auc, micro_auc, prevalence_scores
from kdistill_core.evaluation.generation import CONVENTION, asserted, counts, f1_by_condition, macro_f1, micro_f1
from kdistill_core.evaluation.resampling import Interval, Statistic, bootstrap
from kdistill_core.labeling import IMPLIED
from kdistill_core.student.loading import load_student, weights_sha256
from training.student_card import write_card
from training.student_data import DataSettings, LabelCounts, labels_of, prepare, read_label_counts
from training.student_scores import condition_logits, rationales

METRICS_FILE = "metrics.json"
MODEL, PREVALENCE, SHUFFLED = "model", "prevalence", "shuffled images"
CONSTANT_TEXT, CONSTANT_SET = "constant text", "constant set"


@dataclass(frozen=True)
class ConditionScores:
    """One condition on one set: how many of the known cases have it, AUC and text F1 (None where not defined)."""

    condition: str
    known: int
    positive: int
    auc: float | None
    text_f1: float


@dataclass(frozen=True)
class SetScores:
    """One held-out set. scores: by name, such as ``micro-AUC`` or ``micro-AUC minus shuffled``, each with interval."""

    name: str
    images: int
    patients: int
    conditions: tuple[str, ...]
    constant_text: str
    scores: dict[str, Interval]
    by_condition: tuple[ConditionScores, ...]
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Metrics:
    """Everything measured of one checkpoint; ``note`` is what a reader of the scores has to know beside them."""

    weights_sha256: str
    text_convention: str
    command: str
    sets: tuple[SetScores, ...]
    note: str = ""


def evaluate_student(
    model: Path,
    data: DataSettings,
    resamples: int = 1000,
    seed: int = 0,
    command: str | None = None,
    note: str = "",
) -> None:
    """Measure the student in the folder ``model`` on the test split and write metrics.json and README.md there.

    command: what made the checkpoint, for the card; by default this command. note: for the card as well.
    """
    student, processor = load_student(model)
    size = student.config.image_size
    test, trained = prepare(data, Split.TEST, size), read_label_counts(model)
    sets = []
    for name, cache in test.items():
        print(f"measuring on {len(cache)} cases: {name}", flush=True)
        logits = condition_logits(student, processor, cache)
        with torch.inference_mode():
            probabilities = student.probabilities(torch.from_numpy(logits)).numpy()
        texts = rationales(student, processor, cache)
        sets.append(_score(name, cache, probabilities, texts, trained[name], resamples, seed))
    made_by = command or shlex.join(["python", "-m", "training.evaluate_student", *sys.argv[1:]])
    metrics = Metrics(weights_sha256(model), CONVENTION, made_by, tuple(sets), note)
    (model / METRICS_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(metrics), indent=2) + b"\n")
    write_card(model, metrics, data)
    for scores in metrics.sets:
        for score, interval in scores.scores.items():
            print(f"{scores.name}: {score} {interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]", flush=True)


def _score(
    name: str,
    cache: PixelCache,
    probabilities: NDArray[np.float32],
    texts: Sequence[str],
    trained: LabelCounts,
    resamples: int,
    seed: int,
) -> SetScores:
    labels = labels_of(cache)
    # Never labeled in training means that the data set does not know the condition.
    known = [k for k, count in enumerate(trained.known) if count]
    positive, counted = [trained.positive[k] for k in known], [trained.known[k] for k in known]
    labels, probabilities = labels[:, known], probabilities[:, known]
    shuffle = _derangement(len(cache), seed)
    said = asserted(texts)[:, known]
    constant = best_constant_text([CONDITIONS[k] for k in known], positive, counted)
    scores: dict[str, NDArray[np.floating]] = {
        MODEL: probabilities,
        PREVALENCE: prevalence_scores(positive, counted, len(cache)),
        SHUFFLED: probabilities[shuffle],
    }
    tallies = {
        MODEL: counts(said, labels),
        CONSTANT_TEXT: counts(np.tile(constant, (len(cache), 1)), labels),
        CONSTANT_SET: counts(np.tile(best_constant_set(positive, counted), (len(cache), 1)), labels),
        SHUFFLED: counts(said[shuffle], labels),
    }
    statistics: dict[str, Statistic] = {}
    for score, measure in (("micro-AUC", micro_auc), ("macro-AUC", macro_auc)):
        statistics |= _with_baselines(score, {who: _of_scores(measure, s, labels) for who, s in scores.items()})
    for score, measure_f1 in (("text micro-F1", micro_f1), ("text macro-F1", macro_f1)):
        statistics |= _with_baselines(score, {who: _of_tally(measure_f1, t) for who, t in tallies.items()})
    patients = [study.patient.id for study in cache.studies]
    named = [CONDITIONS[k].value for k in known]
    return SetScores(
        name=name,
        images=len(cache),
        patients=len(set(patients)),
        conditions=tuple(named),
        constant_text=" + ".join(label for label, use in zip(named, constant, strict=True) if use),
        scores=bootstrap(statistics, patients, resamples, seed=seed),
        by_condition=_by_condition(named, probabilities, labels, tallies[MODEL]),
        examples=tuple(dict.fromkeys(texts))[:3],
    )


def _of_scores(measure: Callable[..., float], scores: NDArray[np.floating], labels: NDArray[np.float32]) -> Statistic:
    return lambda at: measure(scores[at], labels[at])


def _of_tally(measure: Callable[..., float], tally: NDArray[np.int64]) -> Statistic:
    return lambda at: measure(tally[at])


def _with_baselines(score: str, of: dict[str, Statistic]) -> dict[str, Statistic]:
    """Return the model's statistic, every baseline's, and the model's lead over it."""
    model = of[MODEL]
    statistics = {score: model}
    for name, baseline in of.items():
        if name != MODEL:
            statistics[f"{score}, {name}"] = baseline
            statistics[f"{score} minus {name}"] = _lead(model, baseline)
    return statistics


def _lead(model: Statistic, baseline: Statistic) -> Statistic:
    return lambda at: model(at) - baseline(at)


def best_constant_text(
    conditions: Sequence[Condition], positive: Sequence[int], known: Sequence[int]
) -> NDArray[np.bool_]:
    """Return bool [K], what the one text asserts that, written of every training case, has the best micro F1.

    positive, known: of the training labels, per condition. A text asserts what its findings imply, and No Finding just
    where nothing but a device is present, as the student's do.
    """
    normal = np.array([condition is Condition.NO_FINDING for condition in conditions])
    device = np.array([condition is Condition.SUPPORT_DEVICES for condition in conditions])
    implied = [[conditions.index(p) for p in IMPLIED.get(c, ()) if p in conditions] for c in conditions]

    def sayable(chosen: NDArray[np.bool_]) -> bool:
        closed = all(chosen[parent] for k in np.flatnonzero(chosen) for parent in implied[k])
        return closed and bool(chosen[normal].any()) != bool(chosen[~normal & ~device].any())

    every = ((code >> np.arange(len(conditions))) & 1 == 1 for code in range(1, 2 ** len(conditions)))
    return max(filter(sayable, every), key=lambda chosen: _constant_f1(chosen, positive, known))


def best_constant_set(positive: Sequence[int], known: Sequence[int]) -> NDArray[np.bool_]:
    """Return bool [K], the set of assertions with the best micro F1 of all, though no text could say it."""
    order = np.argsort(-np.asarray(positive) / np.maximum(known, 1))
    # 2 hits / (asserted + present): the best set holds the conditions of the largest shares, however many.
    nested = [np.isin(np.arange(len(order)), order[:size]) for size in range(1, len(order) + 1)]
    return max(nested, key=lambda chosen: _constant_f1(chosen, positive, known))


def _constant_f1(chosen: NDArray[np.bool_], positive: Sequence[int], known: Sequence[int]) -> float:
    hits, asserted_of = np.asarray(positive)[chosen].sum(), np.asarray(known)[chosen].sum()
    return float(2 * hits / (asserted_of + np.sum(positive)))


def _derangement(count: int, seed: int) -> NDArray[np.int64]:
    """Return a permutation that leaves no case its own image."""
    order = np.random.default_rng(seed).permutation(count)
    shifted = np.empty(count, dtype=np.int64)
    shifted[order] = np.roll(order, 1)
    return shifted


def _by_condition(
    named: Sequence[str], probabilities: NDArray[np.float32], labels: NDArray[np.float32], tally: NDArray[np.int64]
) -> tuple[ConditionScores, ...]:
    f1 = f1_by_condition(tally)
    rows = []
    for k, condition in enumerate(named):
        known = ~np.isnan(labels[:, k])
        area = auc(probabilities[:, k], labels[:, k])
        rows.append(
            ConditionScores(
                condition,
                int(known.sum()),
                int((labels[known, k] > 0.5).sum()),
                None if np.isnan(area) else area,
                float(f1[k]),
            )
        )
    return tuple(rows)


if __name__ == "__main__":
    auto_cli(evaluate_student, as_positional=False)
