"""Reports as radiologists write them, and what each says.

What a report says differs from what the image shows: findings are left out, hedged, called too early, or mentioned
because they are gone. ``reported`` is the truth of the text: a condition that is said to be present and said to be
possible is present (present outweighs possible outweighs absent, as in the CheXpert labeler's aggregation); words
count for the condition they name, so that "consolidation" alone says nothing of Lung Opacity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdistill_core.conditions import CONDITIONS, FINDING_CONDITIONS, Condition, State
from kdistill_core.phantom.body import Body
from kdistill_core.phantom.disease import IMPLIES, Disease
from kdistill_core.phantom.errors import PhantomError
from kdistill_core.phantom.phrases import (
    CLEAR,
    COMPARISONS,
    INDICATIONS,
    IRRELEVANT,
    NEGATIVE,
    NORMAL_IMPRESSIONS,
    OVERCALLS,
    POSITIVE,
    RESOLVED,
    UNCERTAIN,
    Phrase,
)
from kdistill_core.records import Finding, Report, Severity, Side, Span

_RANK = {State.POSITIVE: 3, State.UNCERTAIN: 2, State.NEGATIVE: 1, State.BLANK: 0}
# From heart to devices, the order in which chest radiographs are dictated.
_DICTATED = (
    Condition.CARDIOMEGALY, Condition.ENLARGED_CARDIOMEDIASTINUM, Condition.EDEMA, Condition.CONSOLIDATION,
    Condition.PNEUMONIA, Condition.LUNG_OPACITY, Condition.LUNG_LESION, Condition.ATELECTASIS,
    Condition.PLEURAL_EFFUSION, Condition.PNEUMOTHORAX, Condition.PLEURAL_OTHER, Condition.FRACTURE,
    Condition.SUPPORT_DEVICES,
)  # fmt: skip


@dataclass(frozen=True)
class ReportStyle:
    """How an author writes; all are rates in [0, 1].

    omission: of a finding that is there being left out; hedge: of one being worded as uncertain (both are half as
    much again for small findings, four fifths for others); negatives: of a template negative being written;
    resolved: of mentioning what has gone; overcall: of suspecting what is not there; irrelevant: of a sentence beside
    the point; impression_only, shuffled: of such a report.
    """

    omission: float = 0.12
    hedge: float = 0.14
    negatives: float = 0.4
    resolved: float = 0.08
    overcall: float = 0.12
    irrelevant: float = 0.3
    impression_only: float = 0.08
    shuffled: float = 0.2

    def __post_init__(self) -> None:
        for name, rate in vars(self).items():
            if not 0 <= rate <= 1:
                raise PhantomError(f"The report style's {name} is {rate}.", "Choose a rate from 0 to 1.")


# A terse author, one who writes templates, one who hedges, one who writes as they see it.
AUTHORS = (
    ReportStyle(omission=0.2, hedge=0.06, negatives=0.12, irrelevant=0.1, impression_only=0.3, shuffled=0.1),
    ReportStyle(omission=0.1, hedge=0.1, negatives=0.85, resolved=0.05, shuffled=0.0),
    ReportStyle(omission=0.1, hedge=0.32, negatives=0.35, overcall=0.3, irrelevant=0.5),
    ReportStyle(omission=0.15, hedge=0.12, negatives=0.4, resolved=0.18, shuffled=0.6),
)


@dataclass(frozen=True)
class _Statement:
    text: str
    says: dict[Condition, State]
    finding: Finding | None = None


def write_report(
    findings: Sequence[Finding],
    diseases: Sequence[Disease],
    body: Body,
    rng: np.random.Generator,
    style: ReportStyle | None,
) -> tuple[Report, tuple[Finding, ...]]:
    """Return a report on ``findings`` and what it says: all 14 findings, with evidence, blank where it is silent."""
    author = AUTHORS[int(rng.integers(len(AUTHORS)))]
    style = style or author
    truth = {f.condition: f for f in findings if f.state is State.POSITIVE}
    statements = _statements(truth, diseases, rng, style)
    positive = [s for s in statements if set(s.says.values()) & {State.POSITIVE, State.UNCERTAIN}]
    impression = _impression(positive, rng)
    only = rng.random() < style.impression_only
    details = [] if only else [s.text for s in statements]
    if not only and rng.random() < style.irrelevant:
        details.insert(int(rng.integers(len(details) + 1)), str(rng.choice(IRRELEVANT)))
    sections = {"indication": _indication(body, rng), "comparison": str(rng.choice(COMPARISONS))}
    if details:
        sections["findings"] = " ".join(details)
    if only or not details or rng.random() < 0.8:
        sections["impression"] = _numbered(impression, rng) if len(impression) > 1 else " ".join(impression)
    separator = "\n\n" if rng.random() < 0.7 else "\n"
    text = separator.join(f"{heading.upper()}: {content}" for heading, content in sections.items()) + "\n"
    return Report(text, sections), _reported(text, positive if only else statements)


def _statements(
    truth: dict[Condition, Finding], diseases: Sequence[Disease], rng: np.random.Generator, style: ReportStyle
) -> list[_Statement]:
    specific = {IMPLIES[condition] for condition in truth if condition in IMPLIES}
    told: list[_Statement] = []
    for condition in _DICTATED:
        draws = rng.random(3)
        finding = truth.get(condition)
        if finding is None:
            continue
        # What a more specific finding already says is seldom said again.
        if condition in specific and not _own(condition, diseases) and draws[2] < 0.8:
            continue
        small = 1.5 if finding.severity is Severity.SMALL else 0.8
        if draws[0] < style.omission * small:
            continue
        bank = UNCERTAIN if draws[1] < style.hedge * small else POSITIVE
        told.extend(_worded(bank[condition], finding, diseases, rng))
    told.extend(_asides(truth, told, rng, style))
    if rng.random() < style.shuffled:
        told = [told[int(i)] for i in rng.permutation(len(told))]
    return told


def _own(condition: Condition, diseases: Sequence[Disease]) -> bool:
    return any(disease.condition is condition for disease in diseases)


def _asides(
    truth: dict[Condition, Finding], told: list[_Statement], rng: np.random.Generator, style: ReportStyle
) -> list[_Statement]:
    """Return negatives that hold, remarks on what has resolved, and suspicions that are wrong."""
    asides: list[_Statement] = []
    denied: set[Condition] = set()
    for phrase in [*(CLEAR[:1] if rng.random() < 0.5 else CLEAR[1:]), *NEGATIVE]:
        conditions = set(phrase.says)
        # An author who overlooked a finding may deny it: that is how false negatives enter reports.
        slips = rng.random() < 0.15
        holds = not conditions & truth.keys() or (slips and not conditions & _spoken(told))
        if holds and not conditions & denied and rng.random() < style.negatives:
            asides.append(_Statement(phrase.text, phrase.says))
            denied |= conditions
    if rng.random() < style.resolved * 2:
        phrase = RESOLVED[int(rng.integers(len(RESOLVED)))]
        if not set(phrase.says) & truth.keys():
            asides.append(_Statement(phrase.text, phrase.says))
    for cause, phrase in OVERCALLS:
        fits = cause in _spoken(told) and not set(phrase.says) & (truth.keys() | denied)
        if fits and rng.random() < style.overcall:
            asides.append(_Statement(phrase.text, phrase.says))
            break
    return asides


def _spoken(told: list[_Statement]) -> set[Condition]:
    return {condition for statement in told for condition in statement.says}


def _worded(
    bank: list[Phrase], finding: Finding, diseases: Sequence[Disease], rng: np.random.Generator
) -> list[_Statement]:
    phrase = bank[int(rng.integers(len(bank)))]
    if finding.condition is not Condition.SUPPORT_DEVICES:
        return [_Statement(_filled(phrase.text, finding), phrase.says, finding)]
    places = [d for d in diseases if d.condition is Condition.SUPPORT_DEVICES]
    statements: list[_Statement] = []
    for disease in places:
        if statements and rng.random() < 0.2:
            continue
        device = _device_name(disease)
        statements.append(_Statement(_filled(phrase.text.replace("{device}", device), finding), phrase.says, finding))
        phrase = bank[int(rng.integers(len(bank)))]
    return statements


def _device_name(disease: Disease) -> str:
    side = f"{disease.side.value} " if disease.side in {Side.LEFT, Side.RIGHT} else ""
    names = {
        "central venous catheter": f"{side}central venous catheter",
        "pacemaker": f"{side}chest wall pacemaker",
        "chest drain": f"{side}chest tube",
        "sternal wires": "median sternotomy wire set",
        "ECG leads": "ECG monitoring equipment",
    }
    return names.get(disease.place, disease.place)


def _filled(template: str, finding: Finding) -> str:
    side = finding.side.value if finding.side else "bilateral"
    zones = [zone for zone in ("upper", "mid", "lower") if f"{zone} zone" in finding.place]
    severity = finding.severity or Severity.MODERATE
    graded = {Severity.SMALL: "mild", Severity.MODERATE: "moderate", Severity.LARGE: "severe"}[severity]
    by_volume = {Condition.PNEUMOTHORAX, Condition.PLEURAL_EFFUSION}
    lobes = [p for p in ("lower lobe", "upper lobe") if p in finding.place]
    slots = {
        "side": side,
        "zone": " and ".join(zones) or "lower",
        "size": severity.value if finding.condition in by_volume else graded,
        "nodule": "nodule" if severity is Severity.SMALL else "mass",
        "lobe": lobes[0] if lobes else "basilar" if "atelectasis" in template.split("{lobe}")[-1] else "base",
        "pleura": "calcified pleural plaque" if "plaque" in finding.place else "pleural thickening",
        "ribs": "posterior rib" if "posterior" in finding.place else "lateral rib",
        "device": "device",
    }
    text = template.format(**slots)
    return text[0].upper() + text[1:]


def _impression(positive: list[_Statement], rng: np.random.Generator) -> list[str]:
    if not positive:
        return [str(rng.choice(NORMAL_IMPRESSIONS))]
    return list(dict.fromkeys(s.text for s in positive))


def _numbered(lines: list[str], rng: np.random.Generator) -> str:
    if rng.random() < 0.5:
        return " ".join(lines)
    return "\n" + "\n".join(f"{index}. {line}" for index, line in enumerate(lines, 1))


def _indication(body: Body, rng: np.random.Generator) -> str:
    reason = str(rng.choice(INDICATIONS))
    if rng.random() < 0.5:
        return reason
    person = "female" if body.sex == "F" else "male"
    return f"{body.age}-year-old {person}. {reason}"


def _reported(text: str, statements: list[_Statement]) -> tuple[Finding, ...]:
    found: dict[Condition, Finding] = {c: Finding(c, State.BLANK) for c in CONDITIONS}
    for statement in statements:
        start = text.find(statement.text)
        evidence = (Span(start, start + len(statement.text)),) if start >= 0 else ()
        for condition, state in statement.says.items():
            before = found[condition]
            if _RANK[state] < _RANK[before.state]:
                continue
            kept = before.evidence if before.state is state else ()
            source = statement.finding if statement.finding and statement.finding.condition is condition else None
            found[condition] = Finding(
                condition,
                state,
                side=source.side if source else before.side if kept else None,
                severity=source.severity if source else before.severity if kept else None,
                place=source.place if source else before.place if kept else "",
                evidence=tuple(dict.fromkeys((*kept, *evidence))),
            )
    pathology = [found[c].state for c in FINDING_CONDITIONS if c is not Condition.SUPPORT_DEVICES]
    if not {State.POSITIVE, State.UNCERTAIN} & set(pathology):
        found[Condition.NO_FINDING] = Finding(Condition.NO_FINDING, State.POSITIVE)
    return tuple(found[c] for c in CONDITIONS)
