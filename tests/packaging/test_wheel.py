"""The wheel carries everything: installed alone, in another folder, it explains the bundled case."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.packaging

ROOT = Path(__file__).resolve().parents[2]


def run(*command: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from this tree without asking an index for the build back end."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, cwd=ROOT)
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The bin folder of a fresh environment that holds our package from the wheel and borrows everything else."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place)
    scripts = place / ("Scripts" if sys.platform == "win32" else "bin")
    pip = (sys.executable, "-m", "pip", "--python", scripts / "python")
    run(*pip, "install", "--no-deps", "--no-index", wheel, cwd=place)
    library = sysconfig.get_path("purelib", vars={"base": str(place), "platbase": str(place)})
    # Read after the wheel's own files. A .pth inside a folder named so is not obeyed, and with it not the editable
    # install of the package under test.
    (Path(library) / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return scripts


def test_the_wheel_holds_every_resource_template_and_license(wheel):
    tracked = subprocess.run(
        ["git", "ls-files", "resources", "kdistill_core", "kdistill_viewer"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    expected = {path.replace("resources/", "kdistill_core/_resources/", 1) for path in tracked}
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert expected <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_holds_neither_tests_nor_data(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"kdistill_core", "kdistill_viewer"}


def test_the_package_is_that_of_the_wheel(installed, tmp_path):
    code = "import kdistill_core, kdistill_viewer; print(kdistill_core.__file__); print(kdistill_viewer.__file__)"
    for line in run(installed / "python", "-c", code, cwd=tmp_path).stdout.splitlines():
        assert Path(line).is_relative_to(installed.parent)


def test_the_installed_command_explains_the_bundled_case_elsewhere(installed, tmp_path):
    run(installed / "kdistill", "demo", "--out", "demo", "--no-viewer", cwd=tmp_path)
    record = json.loads((tmp_path / "demo" / "explanation.json").read_text())
    assert len(record["findings"]) == 14
    assert record["student"]["text"]
    assert record["teacher"]["text"]
    for name in ("side-by-side.png", "report.html"):
        assert (tmp_path / "demo" / name).stat().st_size > 10_000


def test_the_installed_doctor_finds_models_and_library(installed, tmp_path):
    result = subprocess.run(
        [installed / "kdistill", "doctor", "--json"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    models = {check["name"]: check for check in json.loads(result.stdout) if check["area"] == "models"}
    assert models["student-demo"]["status"] == "ok"
    assert "_resources" in models["rationale library"]["detail"]
