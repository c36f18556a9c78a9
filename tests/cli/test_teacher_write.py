"""`kdistill teacher write`, with a model whose words mean nothing and one that was scripted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kdistill_core.conditions import Condition
from kdistill_core.teacher.knowledge import load_knowledge
from kdistill_core.teacher.store import PARTS, RationaleStore
from kdistill_core.teacher.study_rationales import CASES, read_cases
from tests.teacher.scripted_teacher import ScriptedWriter, write_labels

REPORT = "There is a small left pleural effusion. No pneumothorax."


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_labels(tmp_path_factory.mktemp("labels"), 12)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> ScriptedWriter:
    """A writer in place of the model."""
    writer = ScriptedWriter(load_knowledge())
    monkeypatch.setattr("kdistill_core.cli.teacher_write._model_writer", lambda *_: writer)
    return writer


def counts(output: str) -> dict[str, int]:
    rows = [line.rsplit(",", 1) for line in output.splitlines() if line.count(",") == 1]
    return {name: int(count) for name, count in rows if count.isdecimal()}


def test_a_model_of_random_weights_writes_what_the_gate_refuses(
    labels: Path, tiny_folder: Path, tmp_path: Path, kdistill
) -> None:
    out = tmp_path / "store"
    options = ("--model", tiny_folder, "--limit", 2, "--attempts", 2, "--device", "cpu")
    result = kdistill("teacher", "write", labels, "--out", out, *options)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == str(out)
    stored = list(RationaleStore(out))
    # Six conditions of two studies; the second differs from the first in one, which the other five are told of.
    assert len(stored) == counts(result.stdout)["refused at every attempt"] == 12
    assert all(len(item.refusals) == 2 and item.writer.model_name == tiny_folder.name for item in stored)
    assert "0 of 12 passed the gate at the first try (0.0%)" in result.stderr
    again = kdistill("teacher", "write", labels, "--out", out, *options)
    assert counts(again.stdout)["stored before"] == 12
    assert {item.key: item for item in RationaleStore(out)} == {item.key: item for item in stored}


def test_the_summary_counts_what_became_of_every_rationale(
    labels: Path, tmp_path: Path, kdistill, scripted: ScriptedWriter
) -> None:
    result = kdistill("teacher", "write", labels, "--out", tmp_path, "--seed", 3)
    said = counts(result.stdout)
    stored = list(RationaleStore(tmp_path))
    assert said["accepted"] == sum(item.accepted for item in stored) > 0
    assert said["refused at every attempt"] == sum(not item.accepted for item in stored)
    assert said["drafts refused: parts"] == sum(len(item.refusals) for item in stored) > 0
    first = sum(item.accepted and not item.refusals for item in stored)
    assert f"{first} of {len(stored)} passed the gate at the first try" in result.stderr
    assert {item.seed for item in stored} == {3}


def test_rationales_are_written_from_reports(tmp_path: Path, kdistill, scripted: ScriptedWriter) -> None:
    (tmp_path / "images.csv").write_text(f"image,study,report\n1.png,first,{REPORT}\n2.png,second,\n", encoding="utf-8")
    options = ("--contexts", "report", "--states", "positive", "--states", "negative")
    result = kdistill("teacher", "write", tmp_path, "--out", tmp_path / "store", *options)
    assert result.exit_code == 0, result.output
    assert "1 of 2 studies have no report" in result.stderr
    ((study, keys),) = read_cases(tmp_path / "store" / CASES)
    found = RationaleStore(tmp_path / "store").find(keys.values())
    sentences = {condition: found[key].context.sentence for condition, key in keys.items()}
    assert (study, sentences) == (
        "first",
        {
            Condition.PNEUMOTHORAX: "No pneumothorax.",
            Condition.PLEURAL_EFFUSION: "There is a small left pleural effusion.",
        },
    )


def test_a_model_folder_without_a_tokenizer_is_named(labels: Path, tiny_folder: Path, tmp_path: Path, kdistill) -> None:
    folder = tmp_path / "no-tokenizer"
    shutil.copytree(tiny_folder, folder, ignore=shutil.ignore_patterns("tokenizer*"))
    result = kdistill("teacher", "write", labels, "--out", tmp_path / "store", "--model", folder)
    assert result.exit_code == 1
    assert str(folder) in result.stderr
    assert "tokenizer" in result.stderr
    assert not (tmp_path / "store" / PARTS).exists()


def test_a_server_with_an_impossible_address_is_named(labels: Path, tmp_path: Path, kdistill) -> None:
    pytest.importorskip("openai")
    result = kdistill("teacher", "write", labels, "--out", tmp_path, "--server", "ftp://127.0.0.1/v1")
    assert result.exit_code == 1
    assert "The server's address cannot be read" in result.stderr


def test_more_servers_than_processes_are_refused(labels: Path, tmp_path: Path, kdistill) -> None:
    servers = ("--server", "http://127.0.0.1:9/v1", "--server", "http://127.0.0.1:10/v1")
    result = kdistill("teacher", "write", labels, "--out", tmp_path, *servers)
    assert result.exit_code == 2
    assert "2 servers need as many processes" in result.stderr


def test_a_damaged_store_is_named_before_anything_is_written(
    labels: Path, tmp_path: Path, kdistill, scripted: ScriptedWriter
) -> None:
    (tmp_path / PARTS).mkdir()
    (tmp_path / PARTS / "0-of-1-x.parquet").write_bytes(b"PAR1 and nothing else")
    result = kdistill("teacher", "write", labels, "--out", tmp_path)
    assert result.exit_code == 1
    assert "0-of-1-x.parquet is not a whole Parquet file" in result.stderr
    assert scripted.calls == []
