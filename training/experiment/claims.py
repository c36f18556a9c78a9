"""What the experiment is to show, written down before any result; issue 5's "Must show" is the first part."""

from __future__ import annotations

from kdistill_core.evaluation.scores import Convention
from training.experiment.scoring import MACRO_AUC, MICRO_AUC, text_f1
from training.experiment.statistics import Claim

# Relative gain in text F1 that is asked for.
_LEAST = 0.08
_BOTH = Convention.POSITIVE_AND_UNCERTAIN

CLAIMS = (
    Claim("d", ("a", "b"), text_f1("micro"), True, _LEAST),
    Claim("d", ("a", "b"), text_f1("macro"), True, _LEAST),
    Claim("d+", ("b+",), text_f1("micro"), True, _LEAST),
    Claim("d+", ("b+",), text_f1("macro"), True, _LEAST),
    Claim("d", ("b",), MICRO_AUC, False),
    Claim("d+", ("b+",), MICRO_AUC, False),
)
# How much there is to be gained, the same by the other convention and without the two conditions that follow from
# others, and what each part adds.
FURTHER = (
    *(Claim("f", ("a", "b"), text_f1(scope), True, _LEAST) for scope in ("micro", "macro")),
    *(
        Claim(arm, others, text_f1(scope, convention), True, _LEAST)
        for arm, others in (("d", ("a", "b")), ("d+", ("b+",)))
        for scope, convention in (
            ("micro", _BOTH),
            ("macro", _BOTH),
            ("micro of 12", Convention.POSITIVE_ONLY),
            ("macro of 12", Convention.POSITIVE_ONLY),
        )
    ),
    Claim("d", ("b",), MACRO_AUC, False),
    Claim("d+", ("b+",), MACRO_AUC, False),
    *(
        Claim(arm, (other,), score, False)
        for arm, other in (("b", "a"), ("c", "b"), ("d", "c"), ("e", "d"), ("b+", "b"), ("d+", "d"), ("f", "d+"))
        for score in (text_f1("micro"), text_f1("macro"), MICRO_AUC)
    ),
)


def sayable(claims: tuple[Claim, ...], arms: set[str]) -> tuple[Claim, ...]:
    """Return those of ``claims`` whose arms were all run."""
    return tuple(claim for claim in claims if {claim.arm, *claim.others} <= arms)
