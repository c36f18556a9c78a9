"""Whether a picture may be a frontal chest radiograph; where not, why, in plain words.

What the file says of itself comes first: modality, body part, view.
"""

from __future__ import annotations

from enum import StrEnum

from kdistill_core.records import Radiograph


class Kind(StrEnum):
    """What a picture looks like, in the order of the fitted weights."""

    FRONTAL_CHEST = "frontal chest radiograph"
    TURNED_LEFT = "frontal chest radiograph turned to the left"
    TURNED_RIGHT = "frontal chest radiograph turned to the right"
    UPSIDE_DOWN = "frontal chest radiograph upside down"
    NEGATIVE = "negative of a frontal chest radiograph"
    OTHER = "something else"


_RADIOGRAPHY = {"CR", "DX", "DR", "RG", "RF", "XA", "OT", "SC", ""}
_MODALITY_NAMES = {
    "CT": "a CT slice",
    "MR": "an MR slice",
    "US": "an ultrasound image",
    "NM": "a nuclear medicine image",
    "PT": "a PET image",
    "MG": "a mammogram",
    "IO": "a dental image",
    "PX": "a dental panorama",
    "ES": "an endoscopy image",
    "OP": "a photograph of the eye",
    "SM": "a microscopy slide",
    "SEG": "a segmentation",
    "RTDOSE": "a radiotherapy dose",
    "RTIMAGE": "a radiotherapy image",
    "XC": "a photograph",
}
_CHEST_WORDS = ("CHEST", "THORAX", "LUNG", "RIB", "STERNUM", "CLAVICLE", "HEART", "TORSO", "PORT")
_LATERAL_VIEWS = {"LL", "LATERAL", "LAT", "RL", "LLO", "XTABLE LATERAL", "LLD", "RLD"}
_OBLIQUE_VIEWS = {"LAO", "RAO", "LPO", "RPO", "SWIMMERS"}
_SMALLEST_SIDE = 64


def screen(radiograph: Radiograph) -> str | None:
    """Return why this is not a frontal chest radiograph, or None if it may be one."""
    return _by_header(radiograph)


def _by_header(radiograph: Radiograph) -> str | None:
    modality = radiograph.modality.upper()
    if modality not in _RADIOGRAPHY:
        return f"This is {_MODALITY_NAMES.get(modality, f'an image of modality {modality}')}, not a radiograph."
    part = radiograph.body_part.upper()
    if part and not any(word in part for word in _CHEST_WORDS):
        return f"This is a radiograph of another body part ({part.lower()}), not of the chest."
    view = radiograph.view_position.upper()
    if view in _LATERAL_VIEWS:
        return f"This is a lateral view ({view}), not a frontal one."
    if view in _OBLIQUE_VIEWS:
        return f"This is an oblique view ({view}), not a frontal one."
    if min(radiograph.rows, radiograph.columns) < _SMALLEST_SIDE:
        return f"With {radiograph.columns} by {radiograph.rows} pixels the picture is too small to be judged."
    return None
