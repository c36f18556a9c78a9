"""A corpus from files, whatever interrupts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from kdistill_core.cli.main import app
from kdistill_core.corpora.building import HELD_OUT, TRAINING, CorpusSettings, build_documents, documents_of
from kdistill_core.corpora.errors import CorpusError
from kdistill_core.corpora.filters import Selection
from kdistill_core.corpora.recipe import read_recipe


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


def test_a_killed_run_goes_on_to_the_corpus_of_one_that_was_not(tmp_path, literature, write_pubmed, sentences):
    # Many files, so that the kill comes in the middle of them.
    for number in range(3, 30):
        records = [
            {"pmid": 1000 * number + at, "sections": [("", sentences(1000 * number + at, 80))]} for at in range(40)
        ]
        write_pubmed(literature / f"{number:02d}.xml", *records)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    counts = build_documents(settings_of(literature), whole)
    script = (
        "from pathlib import Path\n"
        "from kdistill_core.corpora.building import *\n"
        "if __name__ == '__main__':\n"
        "    chosen = Selection(languages=('eng',), words=(20, None))\n"
        f"    build_documents(CorpusSettings('small', (Path({str(literature)!r}),), chosen), Path({str(killed)!r}))\n"
    )
    (tmp_path / "run.py").write_text(script)
    run = subprocess.Popen([sys.executable, str(tmp_path / "run.py")], start_new_session=True)
    deadline = time.monotonic() + 60
    while len(list((killed / "documents").glob("*.parquet"))) < 4 and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    left = len(list((killed / "documents").glob("*.parquet")))
    assert 4 <= left < 29
    assert build_documents(settings_of(literature), killed) == counts
    assert ids_of(killed, TRAINING) == ids_of(whole, TRAINING)


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
