"""The page of results, every figure of which comes from the cells' own files."""

from __future__ import annotations

from pathlib import Path

from kdistill_core.evaluation.summary import UNDEFINED, interval_text, number_text
from kdistill_core.labeling.labelers import RuleLabeler
from training.experiment.statistics import Comparison
from training.page import machine, markdown, versions
from training.real_images.cases import MAPPED, UNMAPPED
from training.real_images.cells import budgets
from training.real_images.results import gather, key
from training.real_images.scoring import SCORES, auc_of, precision_of
from training.real_images.settings import RealImageSettings

TEMPLATE = "real-images.md.jinja"


def write_page(
    settings: RealImageSettings, out: Path, page: Path, command: str, *, whole: RealImageSettings | None = None
) -> Path:
    """Score the finished cells of ``settings`` and write ``page``. whole: what the configuration asks for.

    Raises KDistillError.
    """
    results = gather(settings, out, whole=whole or settings)
    text = markdown(
        TEMPLATE,
        {"number": number_text, "interval": interval_text, "gain": _gain, "verdict": verdict},
        results=results,
        settings=settings,
        scores=[
            name
            for name in SCORES
            if any((key(data, arm.name), name) in results.scores for data in results.data for arm in results.arms)
        ],
        mapped=MAPPED,
        unmapped=UNMAPPED,
        halves=budgets(settings.budget, 2),
        key=key,
        auc_of=auc_of,
        precision_of=precision_of,
        command=command,
        labeler=RuleLabeler().version,
        machine=f"{machine()}, {versions()}",
    )
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text, encoding="utf-8")
    return page


def verdict(comparison: Comparison) -> str:
    """Return what the interval of a difference says."""
    interval = comparison.interval
    if interval is None:
        return UNDEFINED
    if interval.low > 0:
        return "higher"
    return "lower" if interval.high < 0 else "not told apart"


def _gain(comparison: Comparison) -> str:
    interval = comparison.interval
    within = UNDEFINED if interval is None else f"{interval.low:+.3f} to {interval.high:+.3f}"
    return f"{comparison.gain:+.3f} ({within})"
