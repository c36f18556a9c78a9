"""The page of results, every figure of which comes from the cells' own files."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from kdistill_core.evaluation.resampling import Interval
from kdistill_core.labeling.labelers import RuleLabeler
from training.experiment.statistics import Comparison
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
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parents[1] / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Markdown, not HTML
    )
    environment.filters |= {"number": _number, "interval": _interval, "gain": _gain, "verdict": verdict}
    text = environment.get_template(TEMPLATE).render(
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
        machine=f"{os.cpu_count()} CPU cores ({platform.machine()}), Python {platform.python_version()}, "
        f"torch {torch.__version__}",
    )
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text, encoding="utf-8")
    return page


def verdict(comparison: Comparison) -> str:
    """Return what the interval of a difference says."""
    interval = comparison.interval
    if interval is None:
        return "not defined"
    if interval.low > 0:
        return "higher"
    return "lower" if interval.high < 0 else "not told apart"


def _number(value: float) -> str:
    return f"{value:.3f}"


def _interval(interval: Interval | None) -> str:
    return "not defined" if interval is None else f"{interval.low:.3f} to {interval.high:.3f}"


def _gain(comparison: Comparison) -> str:
    interval = comparison.interval
    within = "not defined" if interval is None else f"{interval.low:+.3f} to {interval.high:+.3f}"
    return f"{comparison.gain:+.3f} ({within})"
