"""`kdistill corpus build`: what it says, and how it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import PreTrainedTokenizerFast
from typer.testing import CliRunner, Result

from kdistill_core.cli.main import app


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory) -> Path:
    inner = Tokenizer(WordLevel({"<unk>": 0, "</s>": 1}, "<unk>"))
    inner.pre_tokenizer = WhitespaceSplit()
    folder = tmp_path_factory.mktemp("home") / "tokenizer"
    PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="</s>", unk_token="<unk>").save_pretrained(folder)
    return folder


def build(folder: Path, tokenizer: Path | str, **corpus: object) -> Result:
    """Build a corpus of ``folder/notes.jsonl`` into ``folder/out``."""
    recipe = folder / "recipe.yaml"
    sources = {"name": "notes", "sources": [str(folder / "notes.jsonl")], "held_out": 0.0}
    given = {"corpus": {**sources, **corpus}, "tokenizer": str(tokenizer), "length": 8}
    recipe.write_bytes(msgspec.yaml.encode(given))
    return CliRunner().invoke(app, ["corpus", "build", str(recipe), "--out", str(folder / "out")])


def write_notes(folder: Path, *more: str) -> None:
    notes = [json.dumps({"id": f"n{n}", "text": f"note {n} says nothing of {n * n}", "year": n}) for n in range(40)]
    (folder / "notes.jsonl").write_text("\n".join([*notes, *more]))


def test_progress_and_counts_are_said_and_the_folder_is_the_result(tmp_path, tokenizer):
    write_notes(tmp_path)
    done = build(tmp_path, tokenizer)
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{tmp_path / 'out'}\n"
    assert "Reading (40 documents so far): 1 of 1" in done.stderr
    assert "40 of 40 documents, 240 words" in done.stderr
    assert "left out" not in done.stderr


def test_a_damaged_line_stops_the_build_by_its_number(tmp_path, tokenizer):
    write_notes(tmp_path, '{"text": "cut in the mid')
    done = build(tmp_path, tokenizer)
    assert done.exit_code == 1
    assert "notes.jsonl, line 41: this is not JSON" in done.stderr
    assert "Traceback" not in done.output
    assert not (tmp_path / "out" / "README.md").exists()


def test_what_is_left_out_is_said_and_stands_in_the_card(tmp_path, tokenizer):
    write_notes(tmp_path, '{"text": "cut in the mid', "[]")
    done = build(tmp_path, tokenizer, damaged="skip")
    assert done.exit_code == 0, done.output
    assert "2 damaged files, articles or lines were left out, the first because: notes.jsonl, line 41" in done.stderr
    assert "40 of 40 documents" in done.stderr
    card = (tmp_path / "out" / "README.md").read_text()
    assert "2 files, articles of archives or lines could not be read:" in card
    assert "- notes.jsonl, line 41: this is not JSON" in card
    assert "- notes.jsonl, line 42: there is no 'text'" in card
    assert "| notes.jsonl | 40 | 40 | 2 | " in card
    assert "- What is damaged: skip" in card


def test_a_folder_without_a_tokenizer_is_refused_before_anything_is_read(tmp_path):
    write_notes(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"model_type": "llama"}')
    for folder, message in ((tmp_path / "model", "holds no tokenizer"), (tmp_path / "none", "no tokenizer folder")):
        done = build(tmp_path, folder)
        assert done.exit_code == 1
        assert message in done.stderr
        assert not (tmp_path / "out").exists()


def test_a_tilde_stands_for_the_home_folder(tmp_path, tokenizer, monkeypatch):
    write_notes(tmp_path)
    monkeypatch.setenv("HOME", str(tokenizer.parent))
    done = build(tmp_path, "~/tokenizer")
    assert done.exit_code == 0, done.output
