"""`kdistill evaluate`: from a folder of images to one of scores, whatever is wrong with either or stops it."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from kdistill_core.conditions import CONDITIONS
from kdistill_core.phantom.writing import write_cases

ENTRIES = {"scores.json", "cases.parquet", "predictions.parquet", "figures", "index.html", "run.json"}


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory) -> Path:
    """A folder of twelve phantoms with reports and labels."""
    folder = tmp_path_factory.mktemp("set") / "phantoms"
    write_cases(12, 96, 400, folder, lambda done, total: None)
    return folder


@pytest.fixture(scope="session")
def evaluated(tmp_path_factory, phantoms, student) -> Path:
    from typer.testing import CliRunner

    from kdistill_core.cli.main import app

    out = tmp_path_factory.mktemp("evaluated") / "out"
    command = ["evaluate", str(student), str(phantoms), "--split", "all", "--out", str(out), "--resamples", "100"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    return out


def scores_of(folder: Path) -> dict:
    return msgspec.json.decode((folder / "scores.json").read_bytes())


class Page(HTMLParser):
    """Every address that a page asks a browser to fetch, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attributes if name in {"src", "href"}]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_every_score_says_what_it_is(evaluated):
    assert {path.name for path in evaluated.iterdir()} == ENTRIES
    scores = scores_of(evaluated)["scores"]
    assert {score["unit"] for score in scores if score["unit"]} == {"image"}
    for score in scores:
        assert score["n"] <= 12
        assert (score["value"] is None) <= bool(score["note"])  # what is not defined says why
        if score["value"] is not None and score["interval"] is not None:
            assert score["interval"]["low"] <= score["interval"]["high"]
    conventions = {score["convention"] for score in scores if score["metric"] == "text F1"}
    assert conventions == {"positive only", "positive and uncertain"}
    named = {score["scope"] for score in scores if score["metric"] == "AUC"}
    assert {condition.value for condition in CONDITIONS} <= named
    micro = next(score for score in scores if (score["metric"], score["scope"]) == ("AUC", "micro"))
    assert any("prevalence" in baseline["name"] for baseline in micro["baselines"])


def test_the_table_of_cases_holds_a_row_a_case(evaluated, phantoms):
    table = pq.read_table(evaluated / "cases.parquet")
    with (phantoms / "labels.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert table.num_rows == len(rows) == 12
    assert len(set(table.column("patient").to_pylist())) == 12


def test_the_page_needs_nothing_from_anywhere_and_says_what_it_is(evaluated):
    page = Page((evaluated / "index.html").read_text(encoding="utf-8"))
    assert "not a medical device" in page.text
    assert all(address.startswith(("data:", "#", "figures/")) for address in page.addresses), page.addresses
    assert str(Path.home()) not in page.text
    assert "/tmp/" not in page.text


def test_predictions_scored_again_give_the_same_scores(evaluated, phantoms, kdistill, tmp_path):
    table = evaluated / "predictions.parquet"
    again = tmp_path / "again"
    command = ("evaluate", table, phantoms, "--split", "all", "--out", again, "--resamples", "100")
    assert kdistill(*command).exit_code == 0

    def values(folder: Path) -> dict:
        return {
            (score["metric"], score["scope"], score["convention"]): (score["value"], score["n"])
            for score in scores_of(folder)["scores"]
        }

    assert values(again) == values(evaluated)


def test_a_model_against_itself_differs_in_nothing(evaluated, phantoms, kdistill, tmp_path):
    table, out = evaluated / "predictions.parquet", tmp_path / "paired"
    command = ("evaluate", table, phantoms, "--split", "all", "--against", table, "--out", out, "--resamples", "100")
    assert kdistill(*command).exit_code == 0
    differences = scores_of(out)["opponent"]["differences"]
    assert differences
    defined = [one for one in differences if one["value"] is not None]
    assert defined
    assert all(one["value"] == 0 for one in defined)
    assert all(one["bootstrap_p"] == one["randomization_p"] == 1 for one in defined if one["bootstrap_p"] is not None)


def test_another_systems_table_is_scored_by_the_same_yardstick(phantoms, kdistill, tmp_path):
    table, out = tmp_path / "theirs.csv", tmp_path / "out"
    with (phantoms / "labels.csv").open(newline="") as stream:
        ids = [row[next(iter(row))] for row in csv.DictReader(stream)]
    table.write_text("id,report\n" + "".join(f"{name},There is a left pleural effusion.\n" for name in ids))
    result = kdistill("evaluate", table, phantoms, "--split", "all", "--out", out, "--resamples", "100")
    assert result.exit_code == 0, result.output
    assert any(score["metric"] == "text F1" for score in scores_of(out)["scores"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,report\na,x\na,y\n", "line 3"),
        ("id,Edema\na,1.5\n", "line 2"),
        ("report\nx\n", "'id'"),
        ("id,report,report\na,x,y\n", "twice"),
        ("id,other\na,x\n", "neither a column 'report'"),
        ("id,report\nnobody,x\n", "nobody"),
    ],
)
def test_bad_tables_are_refused_and_leave_nothing(phantoms, kdistill, tmp_path, content, message):
    table, out = tmp_path / "bad.csv", tmp_path / "out"
    table.write_text(content)
    result = kdistill("evaluate", table, phantoms, "--split", "all", "--out", out)
    assert result.exit_code == 1
    shown = " ".join(result.output.split())
    assert message in shown
    assert "bad.csv" in shown
    assert not out.exists()


def test_an_evaluation_is_not_overwritten_unasked(evaluated, phantoms, student, kdistill):
    before = (evaluated / "scores.json").read_bytes()
    result = kdistill("evaluate", student, phantoms, "--split", "all", "--out", evaluated)
    assert result.exit_code == 1
    assert "--overwrite" in result.output
    assert (evaluated / "scores.json").read_bytes() == before


def test_a_killed_run_leaves_nothing_that_looks_whole_and_goes_on(phantoms, student, tmp_path, kdistill):
    out = tmp_path / "killed"
    command = ["evaluate", student, phantoms, "--split", "all", "--out", out, "--resamples", "100", "--batch-size", "1"]
    run = subprocess.Popen(
        [sys.executable, "-m", "kdistill_core.cli.main", *map(str, command)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    work = tmp_path / "killed.partial"
    deadline = time.monotonic() + 120
    while run.poll() is None and time.monotonic() < deadline:
        if any(path.is_file() and path.read_bytes().count(b"\n") >= 3 for path in work.rglob("*.jsonl")):
            break
        time.sleep(0.01)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert not out.exists()
    assert work.is_dir()
    done = kdistill(*command)
    assert done.exit_code == 0, done.output
    assert not work.exists()
    # Batches of the same size: those of another are summed in another order, which moves a score in its sixth digit.
    whole = tmp_path / "whole"
    assert kdistill(*(whole if part is out else part for part in command)).exit_code == 0
    ours, theirs = (scores_of(folder)["scores"] for folder in (out, whole))
    assert [(score["metric"], score["scope"]) for score in ours] == [(s["metric"], s["scope"]) for s in theirs]
    assert [score["value"] for score in ours] == pytest.approx([score["value"] for score in theirs])
