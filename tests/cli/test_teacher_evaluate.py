"""`kdistill teacher evaluate` with models of random weights."""

from __future__ import annotations

import csv
import json

import pytest


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_text("\n".join(json.dumps({"id": str(n), "text": f"text number {n} " * 3}) for n in range(4)))
    return path


def test_teachers_are_put_side_by_side_and_what_is_kept_is_not_measured_again(
    kdistill, tiny_folder, tiny_adapter, texts, tmp_path
):
    out = tmp_path / "out"
    arguments = (
        "teacher", "evaluate", tiny_folder, "--adapter", tiny_adapter, "--against", tiny_folder, "--out", out,
        "--literature", texts, "--contexts", 0, "--resamples", 100, "--device", "cpu",
    )  # fmt: skip
    first = kdistill(*arguments)
    assert first.exit_code == 0, first.output
    assert first.stdout.splitlines()[-1] == str(out / "index.html")
    rows = list(csv.DictReader(first.stdout.splitlines()[:-1]))
    assert [row["measure"] for row in rows] == ["perplexity"] * 4
    assert [row["over"] for row in rows] == ["literature"] * 2 + ["literature, after 32 tokens"] * 2
    base, tuned = rows[:2]
    assert base[f"beside {tiny_folder.name}"] == ""
    ratio = float(tuned[f"beside {tiny_folder.name}"].split()[1])
    assert ratio == pytest.approx(float(tuned["value"]) / float(base["value"]), abs=2e-3)
    assert len(list((out / "measured").iterdir())) == 2
    kept = {path: path.stat().st_mtime_ns for path in (out / "measured").iterdir()}
    assert kdistill(*arguments).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in (out / "measured").iterdir()} == kept


def test_rationales_are_written_and_judged(kdistill, tiny_folder, tmp_path):
    found = kdistill(
        "teacher", "evaluate", tiny_folder, "--out", tmp_path / "out", "--contexts", 2, "--resamples", 100,
        "--device", "cpu",
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    rows = {row["measure"]: row for row in csv.DictReader(found.stdout.splitlines()[:-1])}
    assert rows["gate pass rate"]["value"] == "0.000"
    assert rows["unsupported sentences"]["n"] == "2"


def test_nothing_to_measure_is_refused(kdistill, tiny_folder, tmp_path):
    found = kdistill("teacher", "evaluate", tiny_folder, "--out", tmp_path / "out", "--contexts", 0)
    assert found.exit_code == 1
    assert "nothing to measure" in found.stderr


def test_a_folder_without_a_model_is_refused(kdistill, texts, tmp_path):
    found = kdistill("teacher", "evaluate", tmp_path, "--out", tmp_path / "out", "--literature", texts)
    assert found.exit_code == 1
    assert "no causal language model" in found.stderr
