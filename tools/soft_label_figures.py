"""Measure the reading, the soft labels and the teacher's associations, and write the figures of docs/soft-labels.md.

    python tools/soft_label_figures.py                 # all three parts
    python tools/soft_label_figures.py associations    # one of: reading, filling, associations

Phantoms without images: bodies, diseases and reports. Deterministic.
"""

from __future__ import annotations

import csv
import platform
import re
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from kdistill_core.conditions import CONDITIONS, FINDING_CONDITIONS, Condition, State
from kdistill_core.datasets.nih import KNOWN_CONDITIONS, read_nih
from kdistill_core.distillation.reading import (
    BASELINE_LABELER,
    NAIVE_LABELER,
    Said,
    blank_as_absent,
    read_report,
    reading_codes,
)
from kdistill_core.distillation.soft_labels import (
    CalibrationKind,
    SoftLabelSettings,
    assign_folds,
    cooccurrence_log_odds,
    fold_codes,
    make_soft_labels,
)
from kdistill_core.distillation.soft_labels.hierarchy import PAIRS
from kdistill_core.distillation.soft_labels.unlabeled import label_frequency, unlabeled_posterior
from kdistill_core.labeling import label_report
from kdistill_core.phantom import ReportStyle
from kdistill_core.phantom.body import draw_body
from kdistill_core.phantom.disease import Disease, draw_diseases, truth
from kdistill_core.phantom.phrases import RESOLVED
from kdistill_core.phantom.report import write_report
from kdistill_core.records import Finding, Severity
from kdistill_core.resources import resource
from kdistill_core.teacher.associations import pairs_of_conditions, teacher_associations, without_marginals
from kdistill_core.teacher.knowledge import load_knowledge
from kdistill_core.teacher.model import BUNDLED_TEACHER, TeacherModel

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
PAGE = ROOT / "docs" / "soft-labels.md"
NOISE = {"12 % omitted": ReportStyle(omission=0.12), "40 % omitted": ReportStyle(omission=0.4)}
READ, TRAINED, TESTED, DRAWN = 2000, 3000, 3000, 10_000
RESAMPLES = 2000
_GONE = frozenset(phrase.text for phrase in RESOLVED)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Told:
    """A phantom without its image."""

    findings: tuple[Finding, ...]
    diseases: tuple[Disease, ...]
    text: str
    reported: tuple[Finding, ...]


def told(seed: int, style: ReportStyle) -> Told:
    """Return a phantom's truth and report; seeds are those of this page alone."""
    streams = [np.random.default_rng([seed, stream]) for stream in range(3)]
    body = draw_body(streams[0])
    diseases = draw_diseases(streams[1], body.view)
    findings = truth(diseases)
    report, reported = write_report(findings, diseases, body, streams[2], style)
    return Told(findings, diseases, report.text, reported)


def present(findings: tuple[Finding, ...]) -> list[bool]:
    """Return what is there, in the order of the conditions."""
    return [finding.state is State.POSITIVE for finding in findings]


def share(hits: int, count: int) -> str:
    """Return a share with its Wilson interval (Wilson 1927) and count."""
    if not count:
        return "- (0)"
    z = float(norm.ppf(0.975))
    center, spread = hits + z * z / 2, z * np.sqrt(hits * (count - hits) / count + z * z / 4)
    low, high = (max(0.0, (center + sign * spread) / (count + z * z)) for sign in (-1, 1))
    return f"{hits / count:.3f} [{low:.3f}, {high:.3f}] ({count:,})"


# --- Reading ----------------------------------------------------------------------------------------------------------


def reading() -> list[str]:
    """Return what the reading and both labelers make of reports."""
    lines = []
    for noise, style in NOISE.items():
        cases = [told(seed, style) for seed in range(READ)]
        readings = [read_report(case.text) for case in cases]
        kinds, there = Counter[tuple[Said, Said]](), Counter[Said]()
        for case, of_case in zip(cases, readings, strict=True):
            for found, reported, true in zip(of_case, case.reported, case.findings, strict=True):
                if found.condition is not Condition.NO_FINDING:
                    kinds[_said_of(case.text, reported), found.said] += 1
                    there[found.said] += true.state is State.POSITIVE
        lines += [f"### {noise}", "", f"| The report says | {' | '.join(f'read as {said}' for said in Said)} |"]
        lines += ["|---|" + "---|" * len(Said)]
        for said in Said:
            count = sum(kinds[said, other] for other in Said)
            lines.append(f"| {said} | {' | '.join(share(kinds[said, other], count) for other in Said)} |")
        lines += ["", "| Read as | really there, by the phantom's truth |", "|---|---|"]
        lines += [f"| {said} | {share(there[said], sum(kinds[of, said] for of in Said))} |" for said in Said]
        lines += ["", *_labelers(cases), ""]
    return lines


def _said_of(text: str, reported: Finding) -> Said:
    """Return what a phantom's report says, of its five kinds, by its author's own account."""
    if reported.state is State.NEGATIVE:
        sentences = {text[span.start : span.end] for span in reported.evidence}
        return Said.RESOLVED if sentences & _GONE else Said.NEGATED
    kinds = {State.POSITIVE: Said.ASSERTED, State.UNCERTAIN: Said.HEDGED, State.BLANK: Said.LEFT_OUT}
    return kinds[reported.state]


def _labelers(cases: list[Told]) -> list[str]:
    true, texts = np.array([present(case.findings) for case in cases])[:, :-1], [case.text for case in cases]
    lines = ["| Labeler | positive labels that are right | negative labels that are right |", "|---|---|---|"]
    for name, labeler in (("`BASELINE_LABELER`", BASELINE_LABELER), ("`NAIVE_LABELER`", NAIVE_LABELER)):
        codes = labeler.codes(texts)[:, :-1]
        cells = [share(int((true == value)[codes == value].sum()), int((codes == value).sum())) for value in (1, 0)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


# --- Filling ----------------------------------------------------------------------------------------------------------

# How well each condition is seen: the mean shift of one feature direction per unit of severity. Chosen once to span
# areas under the curve from 0.7 to 0.99.
_SEEN = dict(zip(FINDING_CONDITIONS, (1.2, 2.2, 1.2, 0.9, 1.8, 1.6, 1.2, 0.7, 1.5, 2.2, 0.7, 0.5, 2.5), strict=True))
_AMOUNT = {Severity.SMALL: 1.2, Severity.MODERATE: 2.0, Severity.LARGE: 2.8}
_FEATURES = 40


def filling() -> list[str]:
    """Return what soft labels do to logistic regressions on simulated features."""
    unseen = [told(seed, ReportStyle()) for seed in range(1_000_000, 1_000_000 + TESTED)]
    at, true = features(unseen, 1), np.array([present(case.findings) for case in unseen])
    lines = []
    for noise, style in NOISE.items():
        cases = [told(seed, style) for seed in range(100_000, 100_000 + TRAINED)]
        x, real = features(cases, 0), np.array([present(case.findings) for case in cases])
        codes = reading_codes([read_report(case.text) for case in cases])
        folds, taught = assign_folds([str(number) for number in range(TRAINED)]), fold_codes(codes)
        logits = out_of_fold(x, taught, folds)
        plain = make_soft_labels(logits, codes, folds)
        isotonic = SoftLabelSettings(calibration=CalibrationKind.ISOTONIC)
        arms = {
            "the report as read": blank_as_absent(np.where(codes == -1, np.nan, codes)),
            "and its consequences": taught,
            "and soft labels": merged(plain.codes, plain.targets),
            "the same, No Finding as read": _filled(
                logits, codes, folds, settings=SoftLabelSettings(soften_no_finding=False)
            ),
            "the same, isotonic": _filled(logits, codes, folds, settings=isotonic),
            "the same, with the true associations": _filled(
                logits, codes, folds, associations=cooccurrence_log_odds(real)
            ),
            "the truth": real.astype(np.float64),
        }
        lines += [f"### {noise}", "", "| Trained on | macro AUC | micro AUC |", "|---|---|---|"]
        for name, targets in arms.items():
            scores = np.stack([_scores(x, targets[:, k], at) for k in range(len(CONDITIONS))], axis=1)
            macro = np.mean([roc_auc_score(true[:, k], scores[:, k]) for k in range(len(CONDITIONS))])
            lines.append(f"| {name} | {macro:.4f} | {roc_auc_score(true.ravel(), scores.ravel()):.4f} |")
        lines += [
            "",
            "| Condition | left out | really there | label shift | Elkan and Noto | AUC out of fold, filled by |",
        ]
        lines += ["|---|---|---|---|---|---|"]
        for k, record in enumerate(plain.records[:-1]):
            blank = np.isnan(taught[:, k]) & np.isnan(codes[:, k])
            blank = blank if blank.any() else np.isnan(codes[:, k])
            shift = "-" if record.share_left_out is None else f"{record.share_left_out:.3f}"
            quality = "-" if record.quality is None else f"{record.quality.auc:.3f} [{record.quality.low:.3f}]"
            lines.append(
                f"| {record.condition} | {blank.sum():,} | {real[blank, k].mean():.3f} | {shift} | "
                f"{_elkan_noto(logits[:, k], codes[:, k], blank):.3f} | {quality}, {record.method} |"
            )
        lines += [""]
    return lines


def features(cases: list[Told], seed: int) -> Floats:
    """Return float64 [N, 40]: each disease moves its own direction by its severity; unit noise."""
    directions = np.random.default_rng(0).normal(size=(len(FINDING_CONDITIONS), _FEATURES))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    amount = np.zeros((len(cases), len(FINDING_CONDITIONS)))
    for row, case in enumerate(cases):
        for disease in case.diseases:
            k = FINDING_CONDITIONS.index(disease.condition)
            strength = _SEEN[disease.condition] * _AMOUNT[disease.severity or Severity.MODERATE]
            amount[row, k] = max(amount[row, k], strength)
    noise: Floats = np.random.default_rng([7, seed]).normal(size=(len(cases), _FEATURES))
    return amount @ directions + noise


def out_of_fold(x: Floats, taught: NDArray[np.float32], folds: NDArray[np.int64]) -> Floats:
    """Return the logits of each case by the classifiers that did not see it."""
    logits = np.zeros(taught.shape)
    for fold in np.unique(folds):
        here = folds == fold
        for k in range(len(CONDITIONS)):
            logits[here, k] = _scores(x[~here], taught[~here, k], x[here])
    return logits


def merged(codes: NDArray[np.float32], targets: NDArray[np.float32]) -> Floats:
    """Return one target a condition: soft where there is one, else what is sure; hedges masked."""
    return np.where(np.isnan(targets), np.where(codes == -1, np.nan, codes), targets).astype(np.float64)


def _filled(*arguments: object, **keywords: object) -> Floats:
    soft = make_soft_labels(*arguments, **keywords)  # type: ignore[arg-type]
    return merged(soft.codes, soft.targets)


def _scores(x: Floats, targets: NDArray[np.floating], at: Floats) -> Floats:
    """Return the scores of a logistic regression on soft targets: each case once as either class, weighted."""
    known = ~np.isnan(targets)
    weight = np.concatenate([targets[known], 1 - targets[known]])
    used, label = weight > 0, np.repeat([1, 0], known.sum())
    model = LogisticRegression(max_iter=500).fit(
        np.concatenate([x[known], x[known]])[used], label[used], sample_weight=weight[used]
    )
    return np.asarray(model.decision_function(at))


def _elkan_noto(logits: Floats, codes: NDArray[np.float32], blank: NDArray[np.bool_]) -> float:
    """Return the share of positives that Elkan and Noto find, asserted against left out."""
    used = (codes == 1) | blank
    model = LogisticRegression(C=100).fit(logits[used, None], codes[used] == 1)
    mentioned = model.predict_proba(logits[:, None])[:, 1]
    return float(unlabeled_posterior(mentioned[blank], label_frequency(mentioned[codes == 1])).mean())


# --- Associations -----------------------------------------------------------------------------------------------------


def associations() -> list[str]:
    """Return how the teachers' tables go with what goes together in phantoms, NIH labels and Open-i reports."""
    related = frozenset((CONDITIONS[child], CONDITIONS[parent]) for child, parent in PAIRS)
    unrelated = pairs_of_conditions(related)
    references, strong = _references(), list[str]()
    lines = [
        "| Teacher | pairs of | n | table as it is | effects of rows and columns taken out |",
        "|---|---|---|---|---|",
    ]
    for folder in ("SmolLM2-135M-Instruct", resource(BUNDLED_TEACHER)):
        found = teacher_associations(TeacherModel.load(folder), load_knowledge())
        both = (found.table + found.table.T) / 2
        for name, table in references.items():
            pairs = unrelated & np.isfinite(table)
            kept = np.where(pairs | pairs.T, table, np.nan)
            raw = _spearman(both, kept)
            centered = _spearman(without_marginals(np.where(np.isnan(kept), np.nan, both)), without_marginals(kept))
            lines.append(f"| {found.teacher} | {name} | {pairs.sum()} | {raw} | {centered} |")
        strongest = np.argsort(np.where(unrelated, found.symmetric(), -np.inf), axis=None)[::-1][:5]
        named = [" and ".join(CONDITIONS[k] for k in np.unravel_index(place, both.shape)) for place in strongest]
        strong += ["", f"{found.teacher} holds together above all: {'; '.join(named)}."]
    return [*lines, *strong, ""]


def _references() -> dict[str, Floats]:
    drawn = []
    for seed in range(DRAWN):
        body = draw_body(np.random.default_rng([seed, 0]))
        drawn.append(present(truth(draw_diseases(np.random.default_rng([seed, 1]), body.view))))
    found: dict[str, Floats] = {f"{DRAWN:,} phantoms": cooccurrence_log_odds(np.array(drawn))}
    table = DATA / "images" / "nih" / "labels_128.csv"
    if table.exists():
        studies = read_nih(table.parent / "128", table)
        states = [{finding.condition: finding.state for finding in study.findings} for study in studies]
        labels = np.array([[of.get(condition) is State.POSITIVE for condition in CONDITIONS] for of in states])
        unknown = [condition not in KNOWN_CONDITIONS for condition in CONDITIONS]
        odds = cooccurrence_log_odds(labels)
        odds[unknown], odds[:, unknown] = np.nan, np.nan
        found[f"{len(studies):,} NIH images (labels)"] = odds
    reports = DATA / "reports" / "indiana_reports.csv"
    if reports.exists():
        with reports.open(newline="", encoding="utf-8") as stream:
            texts = [
                f"FINDINGS: {row['findings']}\n\nIMPRESSION: {row['impression']}" for row in csv.DictReader(stream)
            ]
        said = np.array([present(label_report(text)) for text in texts])
        found[f"{len(texts):,} Open-i reports (our labeler)"] = cooccurrence_log_odds(said)
    return found


def _spearman(first: Floats, second: Floats) -> str:
    """Return the rank correlation over the pairs that both tables have, its interval by resampled conditions."""
    upper = np.triu(np.isfinite(first) & np.isfinite(second), k=1)
    value = spearmanr(first[upper], second[upper])[0]
    rng, drawn = np.random.default_rng(0), []
    both = upper | upper.T
    for _ in range(RESAMPLES):
        # Pairs share conditions, so conditions are what is drawn; a pair counts as often as both its ends.
        times = np.bincount(rng.integers(len(first), size=len(first)), minlength=len(first))
        weight = (np.triu(both, k=1) * np.outer(times, times))[upper]
        if (weight > 0).sum() > 2:
            drawn.append(spearmanr(np.repeat(first[upper], weight), np.repeat(second[upper], weight))[0])
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return f"{value:+.2f} [{low:+.2f}, {high:+.2f}]"


PARTS: dict[str, Callable[[], list[str]]] = {"reading": reading, "filling": filling, "associations": associations}


def main(arguments: list[str]) -> int:
    """Write the parts asked for, all by default, between their markers in the page."""
    for name in arguments or list(PARTS):
        page = PAGE.read_text(encoding="utf-8")
        made = f"Made by `python tools/soft_label_figures.py {name}` on {platform.machine()}; deterministic."
        block = "\n".join([f"<!-- {name} -->", *PARTS[name](), made, f"<!-- end of {name} -->"])
        pattern = re.compile(rf"<!-- {name} -->.*?<!-- end of {name} -->", re.DOTALL)
        if not pattern.search(page):
            raise SystemExit(f"{PAGE} has no place for {name}.")
        PAGE.write_text(pattern.sub(lambda _, block=block: block, page), encoding="utf-8")
        print(f"wrote {name}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
