"""The terms of the distillation objective: pure functions that return a value and the count it averages over.

The teacher appears as its rationale (``generation``), as its next-token probabilities (``distillation``), as the
embedding of that rationale (``alignment``), as the findings both were made from (``classification``) and as the signs
that it looks for (``concept``). A weight of 0 switches a term off: it is not even computed. Every term takes outputs in
half precision, is computed in float32, and is 0 with a gradient of 0 over nothing.
"""

from __future__ import annotations

from kdistill_core.distillation.losses.alignment import (
    alignment,
    condition_alignment,
    cosine,
    finding_overlap,
    soft_alignment,
)
from kdistill_core.distillation.losses.classification import (
    SMOOTHED_ONE,
    UNCERTAIN_HALF_WIDTH,
    UncertainPolicy,
    classification,
    positive_weights_of,
)
from kdistill_core.distillation.losses.concept import concept
from kdistill_core.distillation.losses.distillation import distillation, top_distillation
from kdistill_core.distillation.losses.generation import generation
from kdistill_core.distillation.losses.term import Term, compute_terms, weighted_sum
from kdistill_core.distillation.losses.universal_distillation import (
    universal_distillation,
    universal_top_distillation,
)

__all__ = [
    "SMOOTHED_ONE",
    "UNCERTAIN_HALF_WIDTH",
    "Term",
    "UncertainPolicy",
    "alignment",
    "classification",
    "compute_terms",
    "concept",
    "condition_alignment",
    "cosine",
    "distillation",
    "finding_overlap",
    "generation",
    "positive_weights_of",
    "soft_alignment",
    "top_distillation",
    "universal_distillation",
    "universal_top_distillation",
    "weighted_sum",
]
