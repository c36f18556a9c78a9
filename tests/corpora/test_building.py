"""A corpus from files."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from kdistill_core.cli.main import app
from kdistill_core.corpora.building import build_documents, documents_of
from kdistill_core.corpora.candidates import HELD_OUT, TRAINING
from kdistill_core.corpora.duplicates import DuplicateIndex
from kdistill_core.corpora.errors import CorpusError
from kdistill_core.corpora.filters import Selection
from kdistill_core.corpora.recipe import read_recipe
from kdistill_core.corpora.settings import CorpusSettings


@pytest.fixture
def literature(tmp_path, write_pubmed, sentences) -> Path:
    """Two PubMed files; the second repeats three records of the first and holds a German one and a short one."""
    folder = tmp_path / "literature"
    folder.mkdir()
    texts = {pmid: sentences(pmid, 60) for pmid in range(40)}
    write_pubmed(
        folder / "1.xml.gz", *({"pmid": pmid, "sections": [("", text)]} for pmid, text in list(texts.items())[:20])
    )
    later = [{"pmid": pmid, "sections": [("", text)]} for pmid, text in list(texts.items())[20:]]
    repeats = [{"pmid": 100 + pmid, "sections": [("", texts[pmid])]} for pmid in range(3)]
    odd = [
        {"pmid": 200, "sections": [("", sentences(200, 60))], "language": "ger"},
        {"pmid": 201, "sections": [("", "Too short.")]},
    ]
    write_pubmed(folder / "2.xml", *later, *repeats, *odd)
    return folder


def settings_of(folder: Path, **fields) -> CorpusSettings:
    return CorpusSettings("small", (folder,), Selection(languages=("eng",), words=(20, None)), **fields)


def ids_of(out: Path, split: str) -> list[str]:
    return [str(row["id"]) for row in documents_of(out, split, ("id",))]


def test_every_document_is_taken_once_or_turned_away_with_its_reason(tmp_path, literature):
    first, second = build_documents(settings_of(literature), tmp_path / "out")
    assert (first.read, first.taken, first.turned_away) == (20, 20, {})
    assert (second.read, second.taken) == (25, 20)
    assert second.turned_away == {"equal to an earlier one": 3, "language": 1, "too short": 1}
    assert second.licenses == {"© Someone": 20}
    training, held_out = (ids_of(tmp_path / "out", split) for split in (TRAINING, HELD_OUT))
    assert sorted(training + held_out) == sorted(f"pubmed:{pmid}" for pmid in range(40))


def test_two_workers_make_the_corpus_that_one_makes(tmp_path, literature):
    made = [build_documents(settings_of(literature), tmp_path / f"out{count}", count) for count in (1, 2)]
    assert made[0] == made[1]
    assert ids_of(tmp_path / "out1", TRAINING) == ids_of(tmp_path / "out2", TRAINING)


def test_a_documents_split_is_its_own_whatever_else_is_there(tmp_path, literature):
    build_documents(settings_of(literature, held_out=0.3), tmp_path / "both")
    build_documents(settings_of(literature / "2.xml", held_out=0.3), tmp_path / "one")
    both, one = (set(ids_of(tmp_path / name, HELD_OUT)) for name in ("both", "one"))
    assert 3 < len(both) < 25
    taken_alone = set(ids_of(tmp_path / "one", TRAINING)) | one
    assert one - {"pubmed:100", "pubmed:101", "pubmed:102"} == both & taken_alone


def test_a_folder_of_other_settings_is_refused(tmp_path, literature):
    build_documents(settings_of(literature), tmp_path / "out")
    with pytest.raises(CorpusError, match="other settings"):
        build_documents(settings_of(literature, held_out=0.5), tmp_path / "out")


def test_a_file_that_changed_after_it_was_taken_is_refused(tmp_path, literature, write_pubmed, sentences):
    build_documents(settings_of(literature), tmp_path / "out")
    write_pubmed(literature / "2.xml", {"pmid": 900, "sections": [("", sentences(900, 60))]})
    with pytest.raises(CorpusError, match=r"2\.xml was changed"):
        build_documents(settings_of(literature), tmp_path / "out")


def test_a_second_build_in_the_folder_of_one_at_work_is_refused(tmp_path, literature, monkeypatch):
    monkeypatch.setattr("kdistill_core.corpora.duplicates._PATIENCE", 0.1)
    build_documents(settings_of(literature), tmp_path / "out")
    with (
        DuplicateIndex(tmp_path / "out" / "index.sqlite", 0.8),
        pytest.raises(CorpusError, match=r"Another run may be using it"),
    ):
        build_documents(settings_of(literature), tmp_path / "out")


def test_progress_counts_files_to_the_last(tmp_path, literature):
    told = []
    build_documents(settings_of(literature), tmp_path / "out", report=lambda *step: told.append(step))
    assert [(done, total) for _, done, total in told if done] == [(1, 2), (2, 2)]
    assert told[0] == ("Reading (0 documents so far)", 0, 2)
    assert told[-1] == ("Reading (45 documents so far)", 2, 2)


@pytest.mark.real_data
def test_no_document_that_pubmedqa_asks_about_is_taken_from_real_files(tmp_path, shared_data):
    folder = shared_data / "literature"
    questions = folder / "pubmedqa_ori_pqal.json"
    sources = (questions, folder / "jats", folder / "pubmed-29768149.xml")
    parts = build_documents(CorpusSettings("real", sources, evaluations=(questions,)), tmp_path / "out")
    asked, *others = parts
    assert (asked.read, asked.taken) == (1000, 0)
    assert [part.taken for part in others] == [1] * 6
    assert not any(part.damaged for part in parts)


def test_the_command_packs_tokens_and_writes_a_card(tmp_path, literature, tokenizer_folder):
    from datasets import load_from_disk

    recipe = tmp_path / "recipe.yaml"
    given = {
        "corpus": {"name": "small", "sources": [str(literature)], "selection": {"words": [20, None]}, "held_out": 0.3},
        "tokenizer": str(tokenizer_folder),
        "length": 64,
    }
    recipe.write_bytes(msgspec.yaml.encode(given))
    done = CliRunner().invoke(app, ["corpus", "build", str(recipe), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    packed = load_from_disk(str(tmp_path / "out" / "packed" / "training"))
    assert {len(ids) for ids in packed["input_ids"]} == {64}
    card = (tmp_path / "out" / "README.md").read_text()
    assert "41 of 45 documents" in card
    assert "equal to an earlier one | 3" in card
    assert "© Someone" in card
    assert "1.xml.gz" in card


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("corpus: {name: a, sources: [x], length: 3}\ntokenizer: t", r"recipe\.yaml.*corpus\.length"),
        (
            "corpus: {name: a, sources: [x], selection: {langauges: [eng]}}\ntokenizer: t",
            r"corpus\.selection\.langauges",
        ),
        ("corpus: {name: a, sources: [x], near_duplicates: 80}\ntokenizer: t", r"recipe\.yaml.*near_duplicates"),
        ("corpus: {name: a, sources: [x], held_out: 1.0}\ntokenizer: t", r"recipe\.yaml.*held_out"),
        ("corpus: {name: a, sources: [x], damaged: ignore}\ntokenizer: t", r"recipe\.yaml.*damaged"),
        ("corpus: {name: a, sources: [x]}\ntokenizer: t\nlength: 0", r"recipe\.yaml.*length"),
        ("tokenizer: t", r"recipe\.yaml.*corpus"),
        ("corpus: {name: a, sources: 7}\ntokenizer: t", r"recipe\.yaml.*sources"),
        ("- a", r"recipe\.yaml"),
        ("a: [", r"recipe\.yaml"),
    ],
)
def test_a_wrong_recipe_is_refused_by_name(tmp_path, text, message):
    (tmp_path / "recipe.yaml").write_text(text)
    with pytest.raises(CorpusError, match=message):
        read_recipe(tmp_path / "recipe.yaml")
