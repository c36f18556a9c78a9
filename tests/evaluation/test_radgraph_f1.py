"""RadGraph F1 with a stand-in for the package: what is asked of it, what is made of its answer, and when it is not."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from huggingface_hub import constants

from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.radgraph_f1 import missing_for_radgraph, radgraph_f1

# Scores a pair by the share of words in common, and writes down how it was made and whether it may use the network.
PACKAGE = """
import os
from huggingface_hub import constants
MADE = []
class F1RadGraph:
    def __init__(self, reward_level, model_type):
        MADE.append((reward_level, model_type, os.environ["HF_HUB_OFFLINE"], constants.HF_HUB_OFFLINE))
    def __call__(self, hyps, refs):
        rewards = [len(set(h.split()) & set(r.split())) / len(set(r.split())) for h, r in zip(hyps, refs)]
        return sum(rewards) / len(rewards), rewards, [], []
"""


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """The stand-in, installed as version 9.9; returns the folder that its weights would be in."""
    (tmp_path / "radgraph").mkdir()
    (tmp_path / "radgraph" / "__init__.py").write_text(PACKAGE)
    (tmp_path / "radgraph-9.9.dist-info").mkdir()
    (tmp_path / "radgraph-9.9.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: radgraph\nVersion: 9.9\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "radgraph", raising=False)
    monkeypatch.setattr("kdistill_core.evaluation.radgraph_f1.user_cache_dir", lambda name: str(tmp_path / "cache"))
    yield tmp_path / "cache" / "9.9"
    sys.modules.pop("radgraph", None)


def test_without_the_package_it_is_refused_by_name() -> None:
    if "radgraph" in sys.modules:
        pytest.skip("the real package is installed")
    with pytest.raises(EvaluationError, match="the package radgraph is not installed"):
        radgraph_f1(["No effusion."], ["No effusion."])


def test_without_weights_nothing_is_downloaded(package) -> None:
    assert missing_for_radgraph() == f"the weights of radgraph are not in {package}"
    with pytest.raises(EvaluationError, match="let it fetch its model 'radgraph' once"):
        radgraph_f1(["No effusion."], ["No effusion."])
    assert "radgraph" not in sys.modules


def test_every_case_is_scored_without_network(package) -> None:
    (package / "radgraph").mkdir(parents=True)
    variable, constant = os.environ.get("HF_HUB_OFFLINE"), constants.HF_HUB_OFFLINE
    (measure,) = radgraph_f1(["left effusion", "no edema"], ["left effusion", "clear lungs without edema"])
    assert measure.cases is not None
    assert measure.cases.values.tolist() == [1.0, 0.25]
    assert measure.value == 0.625
    assert "level partial (RG_ER), model radgraph, radgraph 9.9" in measure.score.note
    assert sys.modules["radgraph"].MADE == [("partial", "radgraph", "1", True)]
    assert (os.environ.get("HF_HUB_OFFLINE"), constants.HF_HUB_OFFLINE) == (variable, constant)


@pytest.mark.parametrize("answer", ["(1, 1, 1), [(1, 1, 1)] * len(hyps), [], []", "0.5, [0.5], [], []"])
def test_an_answer_in_another_form_is_refused(package, answer) -> None:
    (package / "radgraph").mkdir(parents=True)
    source = package.parents[1] / "radgraph" / "__init__.py"
    source.write_text(PACKAGE.replace("sum(rewards) / len(rewards), rewards, [], []", answer))
    with pytest.raises(EvaluationError, match=r"radgraph 9\.9 did not answer with one number a case"):
        radgraph_f1(["left effusion", "edema"], ["left effusion", "edema"])


def test_a_model_that_does_not_load_is_explained(package) -> None:
    (package / "radgraph").mkdir(parents=True)
    source = package.parents[1] / "radgraph" / "__init__.py"
    source.write_text("import allennlp_that_is_not_there\n")
    with pytest.raises(EvaluationError, match=r"radgraph 9\.9 cannot load its model"):
        radgraph_f1(["left effusion"], ["left effusion"])
