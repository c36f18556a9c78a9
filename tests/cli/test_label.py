"""`kdistill label`: whole tables or none, and every fault in a line."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from kdistill_core.cli.label import LabelerChoice, SectionChoice
from kdistill_core.conditions import CONDITIONS, Condition
from kdistill_core.labeling.label_files import read_labels
from kdistill_core.labeling.label_runs import Passage
from kdistill_core.labeling.labelers import LabelerName

REPORTS = """id,report,view
a,"FINDINGS: Cardiomegaly. No pleural effusion.
IMPRESSION: Possible edema.",PA
b,,AP
c,"FINDINGS: Left pneumothorax.",PA
"""


@pytest.fixture
def reports(tmp_path):
    path = tmp_path / "reports.csv"
    path.write_text(REPORTS)
    return path


@pytest.fixture
def chexbert(tmp_path):
    """Weights of the published layout and its vocabulary, both tiny."""
    from transformers import BertConfig

    from kdistill_core.labeling.chexbert_weights import ChexbertNetwork

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "edema", "possible", "."]
    (tmp_path / "vocab.txt").write_text("".join(f"{word}\n" for word in words))
    size = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    network = ChexbertNetwork(BertConfig(vocab_size=len(words), max_position_embeddings=12, **size))
    state = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
    torch.save({"model_state_dict": state}, tmp_path / "chexbert.pth")
    return "--labeler", "chexbert", "--weights", tmp_path / "chexbert.pth", "--vocabulary", tmp_path / "vocab.txt"


def left_beside(reports):
    return sorted(path.name for path in reports.parent.iterdir() if path != reports)


def test_reports_become_a_table_of_labels(kdistill, reports):
    out = reports.with_name("labels.csv")
    result = kdistill("label", reports, "--out", out)

    assert result.exit_code == 0
    assert result.stdout.strip() == str(out)
    labels = read_labels(out)
    assert labels.ids == ("a", "b", "c")
    assert labels.column(Condition.CARDIOMEGALY)[0] == 1
    assert labels.column(Condition.PLEURAL_EFFUSION)[0] == 0
    assert labels.column(Condition.EDEMA)[0] == -1
    assert labels.column(Condition.PNEUMOTHORAX)[2] == 1
    assert left_beside(reports) == ["labels.csv"]


def test_what_was_ignored_or_left_blank_is_said(kdistill, reports):
    out = reports.with_name("labels.csv")
    said = kdistill("label", reports, "--out", out).stderr

    assert "Ignored columns: view." in said
    assert "Labeler: rules " in said
    assert "2 of 3 reports labeled" in said
    assert "1 are empty; all their labels are blank" in said
    with out.open(newline="") as stream:
        rows = {row["id"]: row for row in csv.DictReader(stream)}
    assert {rows["b"][condition] for condition in CONDITIONS} == {""}


def test_a_section_is_labeled_alone_and_reports_without_it_are_counted(kdistill, reports):
    out = reports.with_name("labels.csv")
    said = kdistill("label", reports, "--section", "impression", "--out", out).stderr

    assert "1 of 3 reports labeled" in said
    assert "2 have no impression; all their labels are blank" in said
    labels = read_labels(out)
    assert labels.column(Condition.EDEMA)[0] == -1
    assert labels.column(Condition.CARDIOMEGALY)[0] != 1


def test_evidence_names_the_passages(kdistill, reports):
    evidence = reports.with_name("evidence.jsonl")
    kdistill("label", reports, "--out", reports.with_name("labels.csv"), "--evidence", evidence)

    lines = [json.loads(line) for line in evidence.read_text().splitlines()]
    assert [line["id"] for line in lines] == ["a", "b", "c"]
    said = {finding["condition"]: finding for finding in lines[0]["findings"]}
    assert said["Edema"]["state"] == "uncertain"
    (passage,) = said["Edema"]["evidence"]
    assert passage["text"] == "Possible edema."
    assert lines[1]["findings"] == []


def test_chexbert_labels_from_its_files(kdistill, reports, chexbert):
    from kdistill_core.labeling.labelers import open_labeler

    out = reports.with_name("labels.csv")
    result = kdistill("label", reports, *chexbert, "--device", "cpu", "--section", "impression", "--out", out)

    assert result.exit_code == 0
    assert "Labeler: chexbert " in result.stderr
    (findings,) = open_labeler("chexbert", weights=chexbert[3], vocabulary=chexbert[5]).label(["Possible edema."])
    codes = {"positive": "1", "negative": "0", "uncertain": "-1", "blank": ""}
    with out.open(newline="") as stream:
        row = next(csv.DictReader(stream))
    assert {finding.condition.value: codes[finding.state] for finding in findings} == {
        condition.value: row[condition] for condition in CONDITIONS
    }


def test_chexbert_on_whole_reports_is_warned_of(kdistill, reports, chexbert):
    said = kdistill("label", reports, *chexbert, "--device", "cpu", "--out", reports.with_name("labels.csv")).stderr
    assert "trained on impressions; --section impression" in said


def test_weights_other_than_the_published_are_said_to_be_so(kdistill, reports, chexbert):
    said = kdistill("label", reports, *chexbert, "--device", "cpu", "--out", reports.with_name("labels.csv")).stderr
    assert "not the published weights" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--labeler", "chexbert"], "chexbert.pth"),
        (["--labeler", "chexbert", "--weights", "x.pth", "--evidence", "e.jsonl"], "names no passages"),
        (["--labeler", "chexbert", "--weights", "x.pth", "--workers", "2"], "by itself"),
        (["--weights", "x.pth"], "The rules need none"),
        (["--vocabulary", "vocab.txt"], "The rules need none"),
        (["--labeler", "negbio"], "negbio"),
        (["--section", "comparison"], "comparison"),
        (["--workers", "0"], "greater than or equal to 1"),
    ],
)
def test_options_that_contradict_each_other_are_wrong_usage(kdistill, reports, options, said):
    result = kdistill("label", reports, "--out", reports.with_name("labels.csv"), *options)
    assert result.exit_code == 2
    assert said in result.stderr
    assert left_beside(reports) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"id,text\na,x\n", "line 1: there is no column 'report'"),
        (b"id,report,id\na,x,b\n", "the column 'id' is there twice"),
        (b"id,report\na,x\nb,y\na,z\n", "line 4: the id was there before, in line 2"),
        (b"id,report\n,x\n", "line 2: the id is empty"),
        (b"id,report\na,x\nb\n", "line 3: the row has 1 cells"),
        (b'id,report\na,x\nb,"y\n', "line 3: the row cannot be read"),
        ("id,report\na,x\nb,Ödem\n".encode("cp1252"), "line 3: the text is not UTF-8"),
        (b"", "is empty"),
    ],
)
def test_a_broken_table_is_refused_before_anything_is_written(kdistill, reports, content, said):
    reports.write_bytes(content)
    result = kdistill("label", reports, "--out", reports.with_name("labels.csv"))

    assert result.exit_code == 1
    assert said in result.stderr
    assert str(reports) in result.stderr
    assert left_beside(reports) == []


def test_files_that_are_there_already_are_kept_until_told_otherwise(kdistill, reports):
    out, evidence = reports.with_name("labels.csv"), reports.with_name("evidence.jsonl")
    out.write_text("mine")
    refused = kdistill("label", reports, "--out", out)
    assert (refused.exit_code, out.read_text()) == (1, "mine")
    assert "exists already. " in refused.stderr.replace("\n", " ")
    out.unlink()
    evidence.write_text("mine")
    assert kdistill("label", reports, "--out", out, "--evidence", evidence).exit_code == 1
    assert evidence.read_text() == "mine"

    assert kdistill("label", reports, "--out", out, "--evidence", evidence, "--overwrite").exit_code == 0
    assert len(read_labels(out)) == 3
    assert len(evidence.read_text().splitlines()) == 3


def test_the_reports_are_never_overwritten(kdistill, reports):
    for options in (["--out", reports], ["--out", reports.with_name("x.csv"), "--evidence", reports]):
        result = kdistill("label", reports, *options, "--overwrite")
        assert result.exit_code == 1
        assert "not three different files" in result.stderr
    assert reports.read_text() == REPORTS


def test_an_out_that_is_a_folder_or_in_none_is_refused(kdistill, reports):
    folder = kdistill("label", reports, "--out", reports.parent)
    assert folder.exit_code == 1
    assert "is a folder" in folder.stderr
    nowhere = kdistill("label", reports, "--out", reports.parent / "nowhere" / "labels.csv")
    assert nowhere.exit_code == 1
    assert "cannot be written: No such file or directory" in nowhere.stderr


def test_a_weights_file_that_will_not_do_is_refused(kdistill, reports, chexbert):
    chexbert[3].write_text("<html>Sign in</html>")
    result = kdistill("label", reports, *chexbert, "--out", reports.with_name("labels.csv"))
    assert result.exit_code == 1
    assert "holds something other than weights" in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_run_leaves_no_table_of_labels(reports):
    """Killed while it writes: what is there is called partial, and nothing else."""
    with reports.open("a") as stream:
        stream.writelines(f'x{number},"No effusion, view {number}. Edema {number}.",PA\n' for number in range(60_000))
    out = reports.with_name("labels.csv")
    command = [sys.executable, "-m", "kdistill_core.cli.main", "label", str(reports), "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        deadline = time.monotonic() + 60
        while not any(path.stat().st_size for path in reports.parent.glob("*.partial")):
            assert run.poll() is None, "it was done before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(run.pid, signal.SIGKILL)

    (left,) = left_beside(reports)
    assert left.startswith("labels.csv.")
    assert left.endswith(".partial")


def test_the_names_on_the_command_line_are_the_librarys():
    assert [choice.value for choice in LabelerChoice] == [name.value for name in LabelerName]
    assert [choice.value for choice in SectionChoice] == [passage.value for passage in Passage]
