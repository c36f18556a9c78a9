"""What a distance may be called, case by case of DICOM PS3.3 10.7.1.3."""

from __future__ import annotations

import numpy as np
import pytest

from kdistill_core.imaging import read_radiograph
from kdistill_core.records import Spacing, SpacingSource

CALIBRATED, DETECTOR = SpacingSource.CALIBRATED, SpacingSource.DETECTOR

CASES = {
    "nothing stated": ({}, Spacing()),
    "detector only": ({"ImagerPixelSpacing": [0.2, 0.3]}, Spacing(0.2, 0.3, DETECTOR)),
    "equal to the detector's, so not calibrated": (
        {"PixelSpacing": [0.2, 0.2], "ImagerPixelSpacing": [0.2, 0.2]},
        Spacing(0.2, 0.2, DETECTOR),
    ),
    "different from the detector's, so calibrated": (
        {"PixelSpacing": [0.18, 0.18], "ImagerPixelSpacing": [0.2, 0.2]},
        Spacing(0.18, 0.18, CALIBRATED),
    ),
    "calibration type given": (
        {"PixelSpacing": [0.2, 0.2], "PixelSpacingCalibrationType": "FIDUCIAL"},
        Spacing(0.2, 0.2, CALIBRATED),
    ),
    "a projection that does not say which": ({"PixelSpacing": [0.2, 0.2]}, Spacing(0.2, 0.2, DETECTOR)),
    "a slice, true by construction": ({"PixelSpacing": [0.7, 0.7], "Modality": "CT"}, Spacing(0.7, 0.7, CALIBRATED)),
    "detector with magnification": (
        {"ImagerPixelSpacing": [0.22, 0.22], "EstimatedRadiographicMagnificationFactor": 1.1},
        Spacing(pytest.approx(0.2), pytest.approx(0.2), CALIBRATED),
    ),
    "a magnification that shrinks is none": (
        {"ImagerPixelSpacing": [0.2, 0.2], "EstimatedRadiographicMagnificationFactor": 0.5},
        Spacing(0.2, 0.2, DETECTOR),
    ),
    "zero is no distance": ({"PixelSpacing": [0, 0], "ImagerPixelSpacing": [0.2, 0.2]}, Spacing(0.2, 0.2, DETECTOR)),
}


@pytest.mark.parametrize(("elements", "expected"), CASES.values(), ids=CASES)
def test_spacing_says_where_it_comes_from(write_dicom, elements, expected):
    assert read_radiograph(write_dicom(np.zeros((16, 16), np.uint8), **elements)).spacing == expected
