"""How many of the unlabeled are positive, and which: two estimates, each with what it takes for granted.

Both take it that a positive is mentioned or not whatever the image shows ("selected completely at random").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit

# A prior of exactly 0 or 1 would overrule every image.
_LEAST_PRIOR = 1e-3
# Beyond these log-ratios a case is certain, and its likelihood no longer a float64 near 1.
_SURE = 30.0


def shifted_prior(log_ratios: NDArray[np.float64]) -> float:
    """Return the likeliest share of positives among unlabeled cases, in [0, 1].

    log_ratios: log p(x | positive) / p(x | negative) of each case [n]. Maximum likelihood, the fixed point of the EM of
    Saerens et al. (Neural Computation 2002); the likelihood is concave in the share, so it is found by its slope.
    """
    excess = np.expm1(np.clip(log_ratios, -_SURE, _SURE))

    def slope(share: float) -> float:
        return float((excess / (1 + share * excess)).mean())

    if slope(0.0) <= 0:
        return 0.0
    if slope(1.0) >= 0:
        return 1.0
    return float(brentq(slope, 0.0, 1.0))


def shifted_posterior(log_ratios: NDArray[np.float64], prior: float) -> NDArray[np.float64]:
    """Return the probability of each case [n] to be positive at a share of positives of ``prior``."""
    bounded = min(max(prior, _LEAST_PRIOR), 1 - _LEAST_PRIOR)
    return np.asarray(expit(log_ratios + logit(bounded)), dtype=np.float64)


def label_frequency(mentioned: NDArray[np.float64]) -> float:
    """Return c = p(mentioned | positive), the mean p(mentioned | x) of held-out positives [n].

    The first estimator of Elkan and Noto (KDD 2008). Exact only where an image tells for sure; else it is too small,
    and the posterior too large.
    """
    return float(mentioned.mean())


def unlabeled_posterior(mentioned: NDArray[np.float64], frequency: float) -> NDArray[np.float64]:
    """Return p(positive | x, not mentioned) = (1 - c) / c * g / (1 - g), at most 1 (Elkan and Noto, KDD 2008).

    mentioned: g = p(mentioned as positive | x), [n], below 1. frequency: c.
    """
    return np.minimum((1 - frequency) / frequency * mentioned / (1 - mentioned), 1.0)
