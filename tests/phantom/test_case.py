"""What every simulated case keeps: determinism, independence, geometry, errors."""

import numpy as np
import pytest

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.phantom import Disease, PhantomError, simulate
from kdistill_core.phantom.body import draw_body
from kdistill_core.records import Severity, Side, SpacingSource


def shown(case) -> np.ndarray:
    values = case.radiograph.pixels / 4095
    return 1 - values if case.radiograph.inverted else values


def test_a_seed_gives_the_same_case_every_time():
    first, second = simulate(11, 96, 80), simulate(11, 96, 80)
    np.testing.assert_array_equal(first.radiograph.pixels, second.radiograph.pixels)
    assert first.radiograph.sha256 == second.radiograph.sha256
    assert first.report == second.report
    assert first.findings == second.findings
    assert first.reported == second.reported
    assert list(first.masks) == list(second.masks)
    for condition, mask in first.masks.items():
        np.testing.assert_array_equal(mask, second.masks[condition])


def test_seeds_differ():
    assert np.abs(shown(simulate(1, 96, 96)) - shown(simulate(2, 96, 96))).mean() > 0.02


@pytest.mark.parametrize(("rows", "columns"), [(96, 96), (130, 90), (90, 140), (32, 200)])
def test_square_portrait_and_landscape_hold_both_lungs(rows, columns):
    case = simulate(4, rows, columns, [Disease(Condition.EDEMA, severity=Severity.LARGE)])
    assert case.radiograph.pixels.shape == (rows, columns)
    assert case.radiograph.pixels.dtype == np.float32
    mask = case.masks[Condition.EDEMA]
    assert mask.shape == (rows, columns)
    assert mask[:, : columns // 2].any()
    assert mask[:, columns // 2 :].any()
    assert not mask[:, 0].any()
    assert not mask[:, -1].any()


def test_pixels_are_twelve_bit_whole_numbers():
    pixels = simulate(3, 96, 96).radiograph.pixels
    assert pixels.min() >= 0
    assert pixels.max() <= 4095
    np.testing.assert_array_equal(pixels, np.rint(pixels))


def test_anatomy_exposure_and_noise_do_not_depend_on_disease():
    for seed in range(6):
        healthy = simulate(seed, 112, 112, [])
        ill = simulate(seed, 112, 112, [Disease(Condition.LUNG_LESION, Side.LEFT, Severity.LARGE, "mid zone")])
        far = ill.masks[Condition.LUNG_LESION].nonzero()[1].min() - 25
        # The patient's right lung lies on the left of the picture and shows nothing of a mass in the other.
        difference = np.abs(shown(healthy) - shown(ill))[:, : max(far, 10)]
        assert difference.max() < 0.02


def test_the_same_patient_is_seen_at_every_size():
    small, large = shown(simulate(8, 80, 80, [])), shown(simulate(8, 240, 240, []))
    reduced = large.reshape(80, 3, 80, 3).mean(axis=(1, 3))
    assert np.corrcoef(small.ravel(), reduced.ravel())[0, 1] > 0.985


def test_dense_parts_are_bright_whatever_the_photometric_interpretation():
    kinds = set()
    for seed in range(12):
        case = simulate(seed, 96, 96, [])
        kinds.add(case.radiograph.inverted)
        picture = shown(case)
        abdomen, lungs = picture[80:90, 40:56].mean(), np.median(picture[35:50, 24:36])
        assert abdomen > lungs + 0.1
    assert kinds == {True, False}


def test_side_markers_name_the_side_they_stand_on():
    from kdistill_core.phantom.display import marked
    from kdistill_core.phantom.grid import make_grid
    from kdistill_core.phantom.physics import draw_acquisition

    grid = make_grid(128, 128, 380, (0, 0))
    seen = set()
    for seed in range(30):
        acquisition = draw_acquisition(np.random.default_rng(seed), "PA")
        ink = marked(grid.zeros(), grid, acquisition)
        seen.add(acquisition.marker)
        if acquisition.marker:
            middle = float((ink * grid.x).sum() / ink.sum())
            assert (middle > 0) == (acquisition.marker == "L")
        else:
            assert not ink.any()
    assert seen == {"L", "R", ""}


def test_identity_is_synthetic_and_spacing_that_of_the_detector():
    radiograph = simulate(7, 96, 96).radiograph
    assert radiograph.patient.name.startswith("PHANTOM^")
    assert radiograph.spacing.source is SpacingSource.DETECTOR
    width = radiograph.spacing.column_mm * radiograph.columns
    assert 300 < width < 480  # a chest radiograph's field in mm
    assert radiograph.view_position in {"PA", "AP"}


def test_bodies_vary_in_sex_view_and_habitus():
    bodies = [draw_body(np.random.default_rng([seed, 0])) for seed in range(200)]
    assert {body.sex for body in bodies} == {"F", "M"}
    assert {body.view for body in bodies} == {"PA", "AP"}
    assert np.std([body.body_half_width for body in bodies]) > 8
    by_view = {view: [b for b in bodies if b.view == view] for view in ("PA", "AP")}
    for name, sign in (("heart_width", 1), ("scapula_inward", 1), ("dome_y", -1)):
        means = {view: np.mean([getattr(b, name) for b in group]) for view, group in by_view.items()}
        assert sign * (means["AP"] - means["PA"]) > 0
    # Nearer to the tube, and farther from the detector, the heart is magnified in AP views.
    assert all((body.magnification_per_mm > 0) == (body.view == "AP") for body in bodies)


def test_all_fourteen_findings_are_answered():
    case = simulate(20, 64, 64)
    assert tuple(finding.condition for finding in case.findings) == CONDITIONS
    assert tuple(finding.condition for finding in case.reported) == CONDITIONS
    assert {finding.state for finding in case.findings} <= {State.POSITIVE, State.NEGATIVE}


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ((1, 8, 100), "8 by 100"),
        ((1, 100, 10**6), "1000000"),
        ((-3, 64, 64), "-3"),
        ((1, 64, 64, [Disease(Condition.NO_FINDING)]), "No Finding"),
        ((1, 64, 64, [Disease(Condition.FRACTURE, place="femur")]), "femur"),
    ],
)
def test_what_cannot_be_simulated_is_refused_with_a_reason(arguments, fault):
    with pytest.raises(PhantomError, match=fault) as refusal:
        simulate(*arguments)
    assert refusal.value.advice
