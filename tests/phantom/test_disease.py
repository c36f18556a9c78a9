"""Disease is where its mask says, on the side it names, and visible; truth follows the hierarchy."""

from collections import Counter

import numpy as np
import pytest

from kdistill_core.conditions import CONDITIONS, FINDING_CONDITIONS, Condition, State
from kdistill_core.phantom import Disease, simulate
from kdistill_core.phantom.body import draw_body
from kdistill_core.phantom.disease import PLACES, draw_diseases, truth
from kdistill_core.records import Severity, Side

LATERAL = [
    (condition, place)
    for condition in FINDING_CONDITIONS
    for place in PLACES[condition]
    if condition not in {Condition.CARDIOMEGALY, Condition.ENLARGED_CARDIOMEDIASTINUM, Condition.EDEMA}
    and place not in {"endotracheal tube", "nasogastric tube", "ECG leads", "sternal wires", "central venous catheter"}
]
SHOWN = [(condition, place) for condition in FINDING_CONDITIONS for place in PLACES[condition]]


def shown(case) -> np.ndarray:
    values = case.radiograph.pixels / 4095
    return 1 - values if case.radiograph.inverted else values


def positive(case) -> set[Condition]:
    return {finding.condition for finding in case.findings if finding.state is State.POSITIVE}


@pytest.mark.parametrize(("condition", "place"), LATERAL)
def test_the_mask_lies_on_the_named_side_of_the_patient(condition, place):
    for seed, side in ((2, Side.RIGHT), (2, Side.LEFT), (9, Side.RIGHT)):
        case = simulate(seed, 96, 96, [Disease(condition, side, Severity.MODERATE, place)])
        middle = case.masks[condition].nonzero()[1].mean()
        # The patient's right is on the picture's left.
        assert (middle < 48) == (side is Side.RIGHT)
        finding = next(f for f in case.findings if f.condition is condition)
        assert (finding.side, finding.severity, finding.place) == (side, Severity.MODERATE, place)


@pytest.mark.parametrize("condition", [Condition.LUNG_LESION, Condition.CONSOLIDATION, Condition.PNEUMONIA])
def test_zones_follow_each_other_from_top_to_bottom(condition):
    heights = []
    for place in PLACES[condition]:
        case = simulate(5, 96, 96, [Disease(condition, Side.RIGHT, Severity.SMALL, place)])
        heights.append(case.masks[condition].nonzero()[0].mean())
    assert heights == sorted(heights)


@pytest.mark.parametrize(("condition", "place"), SHOWN)
def test_what_changes_in_the_picture_lies_in_the_mask(condition, place):
    inside, outside = [], []
    for seed in (1, 6):
        ill = simulate(seed, 128, 128, [Disease(condition, severity=Severity.MODERATE, place=place)])
        healthy = simulate(seed, 128, 128, [])
        difference = np.abs(shown(ill) - shown(healthy))
        mask = ill.masks[condition]
        inside.append(difference[mask].mean())
        outside.append(difference[~mask].mean())
    assert np.mean(inside) > 0.01
    assert np.mean(inside) > 3 * np.mean(outside)


@pytest.mark.parametrize(
    "condition", [Condition.PLEURAL_EFFUSION, Condition.PNEUMOTHORAX, Condition.EDEMA, Condition.LUNG_LESION]
)
def test_larger_disease_changes_more_of_the_picture(condition):
    changes = []
    for severity in Severity:
        ill = simulate(3, 96, 96, [Disease(condition, severity=severity, side=Side.LEFT)])
        changes.append(float(np.abs(shown(ill) - shown(simulate(3, 96, 96, []))).sum()))
    assert changes == sorted(changes)


def test_disease_of_air_darkens_and_disease_of_water_brightens():
    healthy = shown(simulate(1, 128, 128, []))
    for condition, sign in (
        (Condition.PNEUMOTHORAX, -1),
        (Condition.CONSOLIDATION, 1),
        (Condition.PLEURAL_EFFUSION, 1),
    ):
        case = simulate(1, 128, 128, [Disease(condition, Side.RIGHT, Severity.MODERATE)])
        mask = case.masks[condition]
        assert sign * (shown(case)[mask] - healthy[mask]).mean() > 0.02


def test_cardiomegaly_widens_the_heart_beyond_half_the_chest():
    from kdistill_core.phantom.solids import cage_half_width

    for seed in range(8):
        case = simulate(seed, 160, 160, [Disease(Condition.CARDIOMEGALY, severity=Severity.MODERATE)])
        columns = case.masks[Condition.CARDIOMEGALY].any(axis=0).nonzero()[0]
        body = draw_body(np.random.default_rng([seed, 0]))
        chest = 2 * float(cage_half_width(body, body.dome_y))
        ratio = (columns[-1] - columns[0]) * case.radiograph.spacing.column_mm / chest
        assert 0.5 < ratio < 0.95


@pytest.mark.parametrize(
    ("asked", "implied"),
    [
        (Condition.CARDIOMEGALY, {Condition.ENLARGED_CARDIOMEDIASTINUM}),
        (Condition.PNEUMONIA, {Condition.CONSOLIDATION, Condition.LUNG_OPACITY}),
        (Condition.CONSOLIDATION, {Condition.LUNG_OPACITY}),
        (Condition.EDEMA, {Condition.LUNG_OPACITY}),
        (Condition.LUNG_LESION, {Condition.LUNG_OPACITY}),
        (Condition.ATELECTASIS, {Condition.LUNG_OPACITY}),
        (Condition.PLEURAL_EFFUSION, set()),
        (Condition.FRACTURE, set()),
    ],
)
def test_the_hierarchy_is_closed_upwards_in_labels_and_masks(asked, implied):
    case = simulate(2, 64, 64, [Disease(asked)])
    assert positive(case) == {asked} | implied
    assert set(case.masks) == {asked} | implied
    for parent in implied:
        assert (case.masks[parent] | ~case.masks[asked]).all()


def test_no_finding_allows_support_devices_only():
    devices = simulate(2, 64, 64, [Disease(Condition.SUPPORT_DEVICES, place="pacemaker")])
    assert positive(devices) == {Condition.NO_FINDING, Condition.SUPPORT_DEVICES}
    assert positive(simulate(2, 64, 64, [])) == {Condition.NO_FINDING}
    assert not simulate(2, 64, 64, []).masks


def test_every_positive_finding_has_a_mask_that_is_not_empty():
    for seed in range(100, 140):
        case = simulate(seed, 72, 72)
        assert set(case.masks) == positive(case) - {Condition.NO_FINDING}
        assert all(mask.any() and mask.dtype == bool for mask in case.masks.values())


def test_drawn_disease_has_the_prevalence_of_a_hospital_and_belongs_together():
    counts: Counter[Condition] = Counter()
    together = hearts = 0
    cases = 3000
    for seed in range(cases):
        view = draw_body(np.random.default_rng([seed, 0])).view
        found = {
            f.condition
            for f in truth(draw_diseases(np.random.default_rng([seed, 4]), view))
            if f.state is State.POSITIVE
        }
        counts.update(found)
        hearts += Condition.CARDIOMEGALY in found
        together += {Condition.CARDIOMEGALY, Condition.EDEMA} <= found
    share = {condition: counts[condition] / cases for condition in CONDITIONS}
    assert 0.24 < share[Condition.NO_FINDING] < 0.33
    assert min(share.values()) > 0.04
    assert share[Condition.PLEURAL_EFFUSION] == pytest.approx(0.24, abs=0.04)  # MIMIC-CXR: 0.24
    assert share[Condition.CARDIOMEGALY] == pytest.approx(0.22, abs=0.05)  # MIMIC-CXR: 0.20
    assert together / hearts > 2 * share[Condition.EDEMA]


def test_several_diseases_are_shown_at_once():
    asked = [
        Disease(Condition.PLEURAL_EFFUSION, Side.LEFT, Severity.LARGE),
        Disease(Condition.PNEUMOTHORAX, Side.RIGHT, Severity.SMALL),
        Disease(Condition.SUPPORT_DEVICES, place="endotracheal tube"),
        Disease(Condition.SUPPORT_DEVICES, place="sternal wires"),
    ]
    case = simulate(6, 96, 96, asked)
    devices = next(f for f in case.findings if f.condition is Condition.SUPPORT_DEVICES)
    assert devices.place == "endotracheal tube, sternal wires"
    assert positive(case) == {Condition.PLEURAL_EFFUSION, Condition.PNEUMOTHORAX, Condition.SUPPORT_DEVICES}
