from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.teachers.texts import sample_texts


def write_corpus(folder, splits):
    (folder / "documents").mkdir(parents=True)
    rows = [{"id": f"pubmed:{number}", "split": split, "text": f"text {number}"} for number, split in enumerate(splits)]
    pq.write_table(pa.Table.from_pylist(rows), folder / "documents" / "00000.parquet")
    return folder


def test_of_a_built_corpus_the_held_out_documents_are_taken(tmp_path):
    found = sample_texts(write_corpus(tmp_path / "lit", ["training", "held out", "training", "held out"]), 10, 0)
    assert {text.id for text in found.texts} == {"pubmed:1", "pubmed:3"}
    assert found.available == 2
    assert found.origin == "held out documents of the corpus lit"


def test_a_corpus_that_held_nothing_out_is_refused(tmp_path):
    with pytest.raises(EvaluationError, match="no held out document"):
        sample_texts(write_corpus(tmp_path / "lit", ["training"]), 10, 0)


def test_the_draw_follows_the_seed_and_not_the_order_of_files(tmp_path):
    lines = [json.dumps({"id": str(number), "text": f"text {number}"}) for number in range(50)]
    (tmp_path / "one.jsonl").write_text("\n".join(lines))
    (tmp_path / "two.jsonl").write_text("\n".join(reversed(lines)))
    one, two = (sample_texts(tmp_path / name, 5, 3) for name in ("one.jsonl", "two.jsonl"))
    assert one.texts == two.texts
    assert (len(one.texts), one.available) == (5, 50)
    assert one.sha256 == two.sha256 != sample_texts(tmp_path / "one.jsonl", 5, 4).sha256


def test_a_folder_of_plain_texts_is_read_and_blank_ones_are_not_drawn(tmp_path):
    (tmp_path / "a.txt").write_text("some text")
    (tmp_path / "b.txt").write_text("  \n")
    assert [text.text for text in sample_texts(tmp_path, 5, 0).texts] == ["some text"]
