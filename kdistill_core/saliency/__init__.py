"""Where in the image a condition, a sentence or a word came from: one algorithm a file, behind one function."""

from kdistill_core.saliency.errors import SaliencyError
from kdistill_core.saliency.influence import influence
from kdistill_core.saliency.placement import PlacedMap, place_on_image
from kdistill_core.saliency.registry import METHODS, SaliencyMethod, attribute, methods_for
from kdistill_core.saliency.targets import ConditionTarget, Target, TextTarget

__all__ = [
    "METHODS",
    "ConditionTarget",
    "PlacedMap",
    "SaliencyError",
    "SaliencyMethod",
    "Target",
    "TextTarget",
    "attribute",
    "influence",
    "methods_for",
    "place_on_image",
]
