"""The other commands, and how quickly help is there."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from importlib import metadata

import numpy as np
import pydicom
import pytest
from PIL import Image

import kdistill_core
from kdistill_core.conditions import CONDITIONS

COMMANDS = [
    ["demo"],
    ["explain"],
    ["label"],
    ["phantom"],
    ["phantom", "generate"],
    ["models"],
    ["models", "list"],
    ["models", "show"],
    ["doctor"],
    ["schema"],
]


@pytest.mark.parametrize("command", [[], *COMMANDS], ids=" ".join)
def test_every_command_has_help(kdistill, command):
    result = kdistill(*command, "--help")
    assert result.exit_code == 0
    assert "Usage: kdistill" in result.stdout


def test_help_imports_nothing_heavy():
    code = (
        "import sys, kdistill_core.cli.main; "
        "print(sorted({'torch', 'transformers', 'numpy', 'pydicom', 'matplotlib', 'PIL'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_shell_completes_commands():
    environment = os.environ | {
        "_KDISTILL_COMPLETE": "complete_bash",
        "COMP_WORDS": "kdistill exp",
        "COMP_CWORD": "1",
    }
    code = "from kdistill_core.cli.main import app; app(prog_name='kdistill')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert run.stdout.split() == ["explain"]


def test_the_version_is_that_of_the_package(kdistill):
    assert kdistill("--version").stdout.strip() == f"kdistill {kdistill_core.__version__}"
    assert metadata.version("kdistill") == kdistill_core.__version__


def test_phantom_generate_writes_images_masks_reports_and_labels(kdistill, tmp_path):
    result = kdistill("phantom", "generate", "--count", 2, "--size", 96, "--seed", 11, "--out", tmp_path)
    assert result.exit_code == 0
    with (tmp_path / "labels.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert set(rows[0]) - {"id"} == {condition.value for condition in CONDITIONS}
    assert len(rows) == 2
    for row in rows:
        image = pydicom.dcmread(tmp_path / "images" / f"{row['id']}.dcm")
        assert (image.Rows, image.Columns) == (96, 96)
        assert (tmp_path / "reports" / f"{row['id']}.txt").read_text().strip()
        for path in (tmp_path / "masks" / row["id"]).iterdir():
            with Image.open(path) as mask:
                assert mask.size == (96, 96)
                assert np.asarray(mask).any()
            assert row[next(name for name in row if name.lower().replace(" ", "-") == path.stem)] == "1"


@pytest.mark.parametrize("arguments", [["--count", "0"], ["--count", "1", "--seed", "-1"], ["--count", "many"]])
def test_phantom_generate_with_impossible_numbers_is_wrong_usage(kdistill, arguments, tmp_path):
    assert kdistill("phantom", "generate", *arguments, "--out", tmp_path).exit_code == 2


def test_a_phantom_too_small_to_simulate_is_refused(kdistill, tmp_path):
    result = kdistill("phantom", "generate", "--count", 1, "--size", 3, "--out", tmp_path)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")


def test_models_list_gives_the_hash_of_each_bundled_model(kdistill):
    import hashlib
    from pathlib import Path

    models = json.loads(kdistill("models", "list", "--json").stdout)
    assert "student-demo" in {model["name"] for model in models}
    for model in models:
        files = sorted(Path(model["folder"]).glob("*.safetensors"))
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
        assert model["weights_sha256"] == digest
    rows = list(csv.DictReader(io.StringIO(kdistill("models", "list").stdout)))
    assert [row["name"] for row in rows] == [model["name"] for model in models]


def test_models_show_takes_a_folder_and_says_that_it_has_no_card(kdistill, student):
    result = kdistill("models", "show", student)
    assert result.exit_code == 0
    assert "has no card" in result.stdout
    shown = json.loads(kdistill("models", "show", student, "--json").stdout)
    assert shown["configuration"] == json.loads((student / "config.json").read_text())


def test_models_show_of_the_bundled_model_shows_its_card(kdistill):
    result = kdistill("models", "show", "student-demo")
    assert result.exit_code == 0
    assert "phantom" in result.stdout.lower()


@pytest.mark.parametrize("name", ["no-such-model", "../../etc"])
def test_models_show_of_something_else_says_where_to_look(kdistill, name):
    result = kdistill("models", "show", name)
    assert result.exit_code == 1
    assert "kdistill models list" in result.stderr


def test_doctor_reports_versions_decoders_models_and_remedies(kdistill):
    result = kdistill("doctor", "--json")
    checks = json.loads(result.stdout)
    by_name = {check["name"]: check for check in checks}
    assert {check["area"] for check in checks} >= {"program", "packages", "device", "decoders", "models"}
    assert by_name["pydicom"]["detail"] == metadata.version("pydicom")
    assert by_name["JPEG 2000 Image Compression (Lossless Only)"]["status"] == "ok"
    assert by_name["student-demo"]["detail"].count("sha256") == 1
    for check in checks:
        assert check["remedy"] or check["status"] == "ok", check
    assert result.exit_code == int(any(check["status"] == "missing" for check in checks))


def test_doctor_in_words_says_the_same(kdistill):
    words = kdistill("doctor").stdout
    assert f"pydicom: {metadata.version('pydicom')}" in words


def test_a_missing_library_is_told_with_the_line_that_gets_it(kdistill, monkeypatch):
    from kdistill_core.cli import inspection

    monkeypatch.setattr(inspection.sys, "platform", "linux")
    monkeypatch.setattr(inspection, "is_there", lambda probe: probe != "library:libEGL.so.1")
    result = kdistill("doctor")
    assert result.exit_code == 1
    assert "apt-get install -y --no-install-recommends libegl1\n" in result.stdout


@pytest.mark.parametrize(
    ("probe", "there"),
    [
        ("library:libc.so.6", sys.platform.startswith("linux")),
        ("library:libno-such-thing.so.9", False),
        ("module:json", True),
        ("module:no_such_module", False),
        ("command:no-such-command", False),
    ],
)
def test_a_probe_finds_what_is_there(probe, there):
    from kdistill_core.cli.inspection import is_there

    assert is_there(probe) is there


def test_demo_explains_the_bundled_case(kdistill, student, tmp_path):
    result = kdistill("demo", "--out", tmp_path / "demo", "--model", student, "--no-viewer")
    assert result.exit_code == 0
    names = {path.name for path in (tmp_path / "demo").iterdir()}
    assert names == {"explanation.json", "side-by-side.png", "report.html"}
    assert "not a medical device" in result.stdout


def test_the_viewer_stays_closed_where_there_is_no_display(monkeypatch):
    from kdistill_core.cli.demo import has_display

    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not has_display()
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert has_display()
