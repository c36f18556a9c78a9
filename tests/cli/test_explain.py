"""`kdistill explain`: one folder an image, one line for each that cannot be explained."""

from __future__ import annotations

import csv
import io
import json
import shutil

import pytest

from kdistill_core.cli.outcomes import HEADER
from kdistill_core.exchange.explanation_folder import read


def outcomes(folder) -> list[dict[str, str]]:
    with (folder / "outcomes.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def explained(chest, student, tmp_path_factory):
    """The output of one explanation, that tests only look at."""
    from typer.testing import CliRunner

    from kdistill_core.cli.main import app

    out = tmp_path_factory.mktemp("explained") / "out"
    result = CliRunner().invoke(app, ["explain", str(chest), "--out", str(out), "--model", str(student)])
    assert result.exit_code == 0, result.output
    return result, out


def test_an_image_becomes_a_folder_of_its_name(explained):
    _, out = explained
    names = {path.name for path in (out / "chest").iterdir()}
    assert names == {"explanation.json", "side-by-side.png", "report.html"}


def test_standard_output_is_the_table_and_nothing_else(explained):
    result, out = explained
    rows = list(csv.reader(io.StringIO(result.stdout)))
    assert tuple(rows[0]) == HEADER
    assert [dict(zip(HEADER, row, strict=True)) for row in rows[1:]] == outcomes(out)


def test_the_explanation_names_its_model_by_hash_and_fits_the_published_schema(explained, student):
    import hashlib

    import jsonschema

    from kdistill_core.cli.schema import schema_text

    _, out = explained
    explanation = read(out / "chest")
    digest = hashlib.sha256((student / "model.safetensors").read_bytes()).hexdigest()
    assert explanation.provenance.weights_sha256 == digest
    assert explanation.image.source.path == "chest.dcm"
    record = json.loads((out / "chest" / "explanation.json").read_text())
    jsonschema.validate(record, json.loads(schema_text("Explanation")))


def test_the_same_seed_gives_the_same_explanation(explained, kdistill, chest, student, tmp_path):
    _, out = explained
    kdistill("explain", chest, "--out", tmp_path, "--model", student, "--no-maps")
    once, again = read(out / "chest"), read(tmp_path / "chest")
    assert (once.findings, once.student.text, once.teacher.text) == (
        again.findings,
        again.student.text,
        again.teacher.text,
    )


def test_two_files_of_one_name_get_two_folders(kdistill, chest, student, tmp_path):
    for part in ("a", "b"):
        (tmp_path / "in" / part).mkdir(parents=True)
        shutil.copy(chest, tmp_path / "in" / part)
    result = kdistill("explain", tmp_path / "in", "--out", tmp_path / "out", "--model", student, "--no-maps")
    assert result.exit_code == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"chest", "chest-2", "outcomes.csv"}


def test_the_others_go_on_after_one_is_refused(kdistill, chest, student, tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    inputs = (tmp_path / "notes.txt", chest, tmp_path / "missing.dcm")
    result = kdistill("explain", *inputs, "--out", tmp_path / "out", "--model", student, "--no-maps")
    assert result.exit_code == 1
    ended = {row["file"].rpartition("/")[2]: row["outcome"] for row in outcomes(tmp_path / "out")}
    assert ended == {"notes.txt": "unreadable", "missing.dcm": "unreadable", "chest.dcm": "explained"}
    assert "1 explained, 2 unreadable" in result.stderr


def test_a_fault_of_the_program_costs_one_image_and_not_the_others(kdistill, chest, student, tmp_path, monkeypatch):
    from kdistill_core.exchange import explanation_folder

    write, second = explanation_folder.write, tmp_path / "second.dcm"
    shutil.copy(chest, second)

    def faulty(explanation, *arguments, **options):
        if explanation.image.source.path == str(chest):
            raise ZeroDivisionError("name of a patient")
        return write(explanation, *arguments, **options)

    monkeypatch.setattr(explanation_folder, "write", faulty)
    result = kdistill("explain", chest, second, "--out", tmp_path / "out", "--model", student, "--no-maps")
    assert result.exit_code == 1
    assert [row["outcome"] for row in outcomes(tmp_path / "out")] == ["failed", "explained"]
    assert "unexpected fault of the program (ZeroDivisionError)" in result.output
    assert "name of a patient" not in result.output


def test_without_maps_the_page_says_that_there_is_none(kdistill, chest, student, tmp_path):
    assert kdistill("explain", chest, "--out", tmp_path, "--model", student, "--no-maps").exit_code == 0
    assert "No overlay was computed" in (tmp_path / "chest" / "report.html").read_text()


def test_an_unknown_method_is_wrong_usage_and_names_the_known_ones(kdistill, chest, student, tmp_path):
    result = kdistill("explain", chest, "--out", tmp_path, "--model", student, "--method", "tea-leaves")
    assert result.exit_code == 2
    assert "tea-leaves" in result.stderr


@pytest.mark.parametrize("arguments", [["explain"], ["explain", "a.dcm"], ["explain", "a", "--device", "abacus"], []])
def test_wrong_usage_ends_with_2(kdistill, arguments):
    assert kdistill(*arguments).exit_code == 2


def test_an_output_folder_that_is_a_file_is_named(kdistill, chest, student, tmp_path):
    (tmp_path / "out").write_text("in the way")
    result = kdistill("explain", chest, "--out", tmp_path / "out", "--model", student)
    assert result.exit_code == 1
    assert str(tmp_path / "out") in result.stderr.replace("\n", "")


def test_the_patient_is_written_only_where_that_was_asked_for(explained, kdistill, chest, student, tmp_path):
    import pydicom

    name = str(pydicom.dcmread(chest, stop_before_pixels=True).PatientName)
    _, out = explained
    assert all(name not in (out / "chest" / file).read_text() for file in ("explanation.json", "report.html"))
    kdistill("explain", chest, "--out", tmp_path, "--model", student, "--no-maps", "--show-patient")
    assert name in (tmp_path / "chest" / "patient.json").read_text()
