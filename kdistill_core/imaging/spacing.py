"""How far pixels lie apart, and what a length measured with that may be called.

Detector spacing is never passed off as distance in the patient: a beam that diverges enlarges what lies above the
detector, by 5 to 20 percent in a chest radiograph.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pydicom.dataset import Dataset

from kdistill_core.records import Spacing, SpacingSource

# Projection radiography: here PixelSpacing may be calibrated or a copy of the detector's spacing.
_PROJECTION_MODALITIES = {"CR", "DX", "DR", "RG", "MG", "PX", "IO", "RF", "XA", "XC"}
# Coincidence is judged to this relative difference, that of spacings rounded to a few decimals.
_SAME = 1e-3


def dicom_spacing(dataset: Dataset, measures: Dataset) -> Spacing:
    """Return the spacing with its provenance, after DICOM PS3.3 10.7.1.3.

    dataset: the whole header; measures: where PixelSpacing stands for this frame (a Pixel Measures item or the header).
    """
    pixel = _pair(measures.get("PixelSpacing"))
    imager = _pair(dataset.get("ImagerPixelSpacing")) or _pair(dataset.get("NominalScannedPixelSpacing"))
    if pixel and _is_calibrated(dataset, pixel, imager):
        return Spacing(*pixel, SpacingSource.CALIBRATED)
    if imager:
        return _corrected_for_magnification(dataset, imager)
    if pixel:
        return Spacing(*pixel, SpacingSource.DETECTOR)
    return Spacing()


def _is_calibrated(dataset: Dataset, pixel: tuple[float, float], imager: tuple[float, float] | None) -> bool:
    """Whether PixelSpacing is a distance in the patient rather than a copy of the detector's.

    PixelSpacingCalibrationType GEOMETRY or FIDUCIAL says so; a PixelSpacing that differs from ImagerPixelSpacing has
    been corrected for magnification even where the type is absent; one that equals it has not (PS3.3 10.7.1.3). With
    neither to go by, a cross-sectional modality's spacing is true by construction and a projection's is not.
    """
    if dataset.get("PixelSpacingCalibrationType") in ("GEOMETRY", "FIDUCIAL"):
        return True
    if imager is not None:
        return any(not math.isclose(a, b, rel_tol=_SAME) for a, b in zip(pixel, imager, strict=True))
    return str(dataset.get("Modality", "")) not in _PROJECTION_MODALITIES


def _corrected_for_magnification(dataset: Dataset, imager: tuple[float, float]) -> Spacing:
    """Return the detector's spacing, brought into the patient where the file estimates the magnification."""
    factor = _positive(dataset.get("EstimatedRadiographicMagnificationFactor"))
    if factor is None or factor < 1:
        return Spacing(*imager, SpacingSource.DETECTOR)
    return Spacing(imager[0] / factor, imager[1] / factor, SpacingSource.CALIBRATED)


def _pair(value: Any) -> tuple[float, float] | None:
    """Return (row, column) spacing in mm where ``value`` is two positive numbers, else None."""
    if value is None or isinstance(value, str) or not isinstance(value, Sequence) or len(value) != 2:
        return None
    row, column = _positive(value[0]), _positive(value[1])
    return None if row is None or column is None else (row, column)


def _positive(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None
