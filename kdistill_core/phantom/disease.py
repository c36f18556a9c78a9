"""Which disease a phantom has: what can be asked for, what is drawn, and what implies what.

Hierarchy (Irvin et al., CheXpert, AAAI 2019, figure 1), applied to the truth of the image without exception:
Cardiomegaly implies Enlarged Cardiomediastinum; Edema, Consolidation, Lung Lesion and Atelectasis imply Lung Opacity;
Pneumonia implies Consolidation. No Finding is positive when nothing but Support Devices is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.phantom.errors import PhantomError
from kdistill_core.records import Finding, Severity, Side

IMPLIES: dict[Condition, Condition] = {
    Condition.CARDIOMEGALY: Condition.ENLARGED_CARDIOMEDIASTINUM,
    Condition.PNEUMONIA: Condition.CONSOLIDATION,
    Condition.CONSOLIDATION: Condition.LUNG_OPACITY,
    Condition.EDEMA: Condition.LUNG_OPACITY,
    Condition.LUNG_LESION: Condition.LUNG_OPACITY,
    Condition.ATELECTASIS: Condition.LUNG_OPACITY,
}

ZONES = ("upper zone", "mid zone", "lower zone")
PLACES: dict[Condition, tuple[str, ...]] = {
    Condition.ENLARGED_CARDIOMEDIASTINUM: ("upper mediastinum",),
    Condition.CARDIOMEGALY: ("heart",),
    Condition.LUNG_OPACITY: ZONES,
    Condition.LUNG_LESION: ZONES,
    Condition.EDEMA: ("perihilar",),
    Condition.CONSOLIDATION: ZONES,
    Condition.PNEUMONIA: ZONES,
    Condition.ATELECTASIS: ("base", "lower lobe", "upper lobe"),
    Condition.PNEUMOTHORAX: ("apex",),
    Condition.PLEURAL_EFFUSION: ("base",),
    Condition.PLEURAL_OTHER: ("lateral pleura", "apical pleura", "pleural plaque"),
    Condition.FRACTURE: ("lateral ribs", "posterior ribs"),
    Condition.SUPPORT_DEVICES: (
        "endotracheal tube",
        "central venous catheter",
        "nasogastric tube",
        "pacemaker",
        "ECG leads",
        "chest drain",
        "sternal wires",
    ),
}
_MIDLINE = {Condition.ENLARGED_CARDIOMEDIASTINUM, Condition.CARDIOMEGALY}


@dataclass(frozen=True)
class Disease:
    """One manifestation to be shown; what is None or empty is drawn. ``place`` is one of ``PLACES[condition]``."""

    condition: Condition
    side: Side | None = None
    severity: Severity | None = None
    place: str = ""


def complete(diseases: Sequence[Disease], rng: np.random.Generator) -> tuple[Disease, ...]:
    """Return ``diseases`` with side, severity and place filled in. Raises PhantomError for what cannot be shown."""
    return tuple(_complete(disease, rng) for disease in diseases)


def _complete(disease: Disease, rng: np.random.Generator) -> Disease:
    condition = disease.condition
    # Drawn whether needed or not, so that fixing one property leaves the others as they would have been.
    side_draw, severity_draw, place_draw = rng.random(3)
    if condition is Condition.NO_FINDING:
        raise PhantomError("No Finding cannot be drawn.", "Pass an empty sequence of findings for a normal phantom.")
    places = PLACES[condition]
    place = disease.place or places[int(place_draw * len(places))]
    if place not in places:
        raise PhantomError(f"{condition.value} has no place {place!r}.", f"Choose one of {', '.join(places)}.")
    side = disease.side
    if condition in _MIDLINE or place in {"endotracheal tube", "nasogastric tube", "ECG leads", "sternal wires"}:
        side = None
    elif side is None:
        side = _drawn_side(condition, place, side_draw)
    severity = disease.severity or (
        Severity.SMALL if severity_draw < 0.4 else Severity.MODERATE if severity_draw < 0.78 else Severity.LARGE
    )
    return replace(disease, side=side, severity=severity, place=place)


def _drawn_side(condition: Condition, place: str, draw: float) -> Side:
    if condition is Condition.EDEMA:
        return Side.BILATERAL
    if place == "pacemaker":
        return Side.LEFT if draw < 0.85 else Side.RIGHT
    if place == "central venous catheter":
        return Side.RIGHT if draw < 0.75 else Side.LEFT
    both = 0.3 if condition in {Condition.PLEURAL_EFFUSION, Condition.ATELECTASIS} else 0.0
    if draw < both:
        return Side.BILATERAL
    return Side.RIGHT if draw < both + (1 - both) * 0.52 else Side.LEFT


# Probability of each condition given what brought the patient; the marginals lie near those of MIMIC-CXR (Johnson et
# al., Sci Data 2019), with the rare ones raised so that a small training set holds some of each.
_CLINICAL_PICTURES: dict[str, dict[Condition, float]] = {
    "well": {},
    "heart failure": {
        Condition.CARDIOMEGALY: 0.85, Condition.EDEMA: 0.66, Condition.PLEURAL_EFFUSION: 0.6,
        Condition.ATELECTASIS: 0.15, Condition.PNEUMONIA: 0.05,
    },
    "infection": {
        Condition.PNEUMONIA: 0.62, Condition.CONSOLIDATION: 0.28, Condition.LUNG_OPACITY: 0.25,
        Condition.PLEURAL_EFFUSION: 0.25, Condition.ATELECTASIS: 0.12, Condition.CARDIOMEGALY: 0.12,
    },
    "intensive care": {
        Condition.ATELECTASIS: 0.45, Condition.PLEURAL_EFFUSION: 0.42, Condition.EDEMA: 0.25,
        Condition.CARDIOMEGALY: 0.25, Condition.PNEUMOTHORAX: 0.1, Condition.CONSOLIDATION: 0.15,
        Condition.ENLARGED_CARDIOMEDIASTINUM: 0.08,
    },
    "trauma": {
        Condition.FRACTURE: 0.72, Condition.PNEUMOTHORAX: 0.45, Condition.LUNG_OPACITY: 0.15,
        Condition.PLEURAL_EFFUSION: 0.18, Condition.ENLARGED_CARDIOMEDIASTINUM: 0.15,
    },
    "tumor": {
        Condition.LUNG_LESION: 0.8, Condition.ENLARGED_CARDIOMEDIASTINUM: 0.3, Condition.PLEURAL_EFFUSION: 0.3,
        Condition.ATELECTASIS: 0.2, Condition.PLEURAL_OTHER: 0.12,
    },
    "chronic": {
        Condition.PLEURAL_OTHER: 0.6, Condition.CARDIOMEGALY: 0.25, Condition.FRACTURE: 0.15,
        Condition.LUNG_LESION: 0.12, Condition.LUNG_OPACITY: 0.2,
    },
    "incidental": {
        Condition.CARDIOMEGALY: 0.25, Condition.ATELECTASIS: 0.25, Condition.PNEUMOTHORAX: 0.14,
        Condition.LUNG_OPACITY: 0.18, Condition.LUNG_LESION: 0.15, Condition.ENLARGED_CARDIOMEDIASTINUM: 0.18,
        Condition.FRACTURE: 0.12, Condition.PLEURAL_OTHER: 0.1, Condition.PLEURAL_EFFUSION: 0.2,
    },
}  # fmt: skip
_PICTURE_WEIGHTS = {
    "PA": {"well": 0.36, "heart failure": 0.11, "infection": 0.13, "intensive care": 0.02, "trauma": 0.07,
           "tumor": 0.11, "chronic": 0.08, "incidental": 0.12},
    "AP": {"well": 0.14, "heart failure": 0.21, "infection": 0.13, "intensive care": 0.30, "trauma": 0.07,
           "tumor": 0.03, "chronic": 0.02, "incidental": 0.10},
}  # fmt: skip
_DEVICE_RATES = {
    "endotracheal tube": (0.0, 0.6, 0.06),
    "central venous catheter": (0.05, 0.6, 0.16),
    "nasogastric tube": (0.0, 0.5, 0.06),
    "pacemaker": (0.04, 0.1, 0.10),
    "ECG leads": (0.02, 0.5, 0.25),
    "chest drain": (0.0, 0.0, 0.0),
    "sternal wires": (0.04, 0.25, 0.08),
}


def draw_diseases(rng: np.random.Generator, view: str) -> tuple[Disease, ...]:
    """Return a clinically connected set of diseases and devices for a patient seen in ``view`` (PA or AP)."""
    weights = _PICTURE_WEIGHTS[view]
    picture = str(rng.choice(list(weights), p=np.array(list(weights.values())) / sum(weights.values())))
    rates = _CLINICAL_PICTURES[picture]
    draws = dict(zip(CONDITIONS, rng.random(len(CONDITIONS)), strict=True))
    chosen = [Disease(condition) for condition in CONDITIONS if draws[condition] < rates.get(condition, 0.0)]
    if rates and not chosen:
        chosen = [Disease(max(rates, key=lambda condition: rates[condition]))]
    column = 1 if picture == "intensive care" else 2 if view == "AP" else 0
    for device, rate in _DEVICE_RATES.items():
        if rng.random() < rate[column]:
            chosen.append(Disease(Condition.SUPPORT_DEVICES, place=device))
    completed = list(complete(chosen, rng))
    drained = [d for d in completed if d.condition is Condition.PNEUMOTHORAX]
    if drained and rng.random() < 0.35:
        completed.append(
            Disease(Condition.SUPPORT_DEVICES, drained[0].side, Severity.SMALL, "chest drain"),
        )
    return tuple(completed)


def truth(diseases: Sequence[Disease]) -> tuple[Finding, ...]:
    """Return all 14 findings of completed ``diseases``, in the order of ``CONDITIONS``, closed under the hierarchy."""
    found = {condition: [d for d in diseases if d.condition is condition] for condition in CONDITIONS}
    # Children before parents: pneumonia reaches Lung Opacity by way of Consolidation.
    for child, parent in IMPLIES.items():
        if found[child] and not any(d.condition is parent for d in found[parent]):
            found[parent] = [*found[parent], *found[child]]
    abnormal = any(found[c] for c in CONDITIONS if c not in {Condition.SUPPORT_DEVICES, Condition.NO_FINDING})
    findings = []
    for condition in CONDITIONS:
        if condition is Condition.NO_FINDING:
            state = State.NEGATIVE if abnormal else State.POSITIVE
            findings.append(Finding(condition, state))
        else:
            findings.append(_merged(condition, found[condition]))
    return tuple(findings)


def _merged(condition: Condition, diseases: list[Disease]) -> Finding:
    if not diseases:
        return Finding(condition, State.NEGATIVE)
    sides = {d.side for d in diseases if d.side is not None}
    side = sides.pop() if len(sides) == 1 else Side.BILATERAL if sides else None
    order = list(Severity)
    severity = max((d.severity for d in diseases if d.severity is not None), key=order.index, default=None)
    places = list(dict.fromkeys(d.place for d in diseases if d.place))
    return Finding(condition, State.POSITIVE, side=side, severity=severity, place=", ".join(places))
