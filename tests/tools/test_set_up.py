"""The set-up on systems that this one is not: packages missing, with and without the right to install them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kdistill_core.cli.inspection import system_packages

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the scripts are for Linux")
PACKAGES = [package.name for package in system_packages()]


class System:
    """A PATH of our own: what is on it is all that a script finds, and what it installs is only written down."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = folder / "calls"
        for name in ("sh", "env", "dirname", "uname", "grep", "find"):
            (folder / name).symlink_to(shutil.which(name))

    def has(self, name: str, script: str) -> None:
        path = self.folder / name
        path.unlink(missing_ok=True)  # a link would lead to the command of this machine
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def run(self, python: str = "python-without-venv") -> subprocess.CompletedProcess[str]:
        script = ROOT / "tools" / "system_packages.sh"
        return subprocess.run(
            [str(script), python],
            env={"PATH": str(self.folder), "HOME": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def bare(tmp_path) -> System:
    """A Debian with none of the packages."""
    system = System(tmp_path)
    system.has("ldconfig", "exit 0")
    system.has("find", "exit 0")
    system.has("apt-get", f'echo "$@" >>{system.calls}')
    return system


def test_without_the_right_the_exact_line_is_printed_and_nothing_installed(bare):
    bare.has("id", "echo 1000")
    result = bare.run()
    assert result.returncode == 3
    line = result.stderr.splitlines()[-1].strip()
    assert line.startswith("sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends ")
    assert line.removesuffix("'").split()[-len(PACKAGES) :] == PACKAGES
    assert not bare.calls.exists()


@pytest.mark.parametrize("who", ["root", "sudo"])
def test_with_the_right_they_are_installed(bare, who):
    if who == "root":
        bare.has("id", "echo 0")
    else:
        bare.has("id", "echo 1000")
        bare.has("sudo", '[ "$1" = -n ] && shift; exec "$@"')
        bare.has("true", "exit 0")
    result = bare.run()
    assert result.returncode == 0, result.stderr
    update, install = bare.calls.read_text().splitlines()
    assert update == "update"
    assert install.split() == ["install", "-y", "--no-install-recommends", *PACKAGES]


def test_sudo_that_would_ask_for_a_password_is_not_used(bare):
    bare.has("id", "echo 1000")
    bare.has("sudo", "exit 1")
    assert bare.run().returncode == 3
    assert not bare.calls.exists()


def test_without_apt_the_packages_are_named(bare):
    (bare.folder / "apt-get").unlink()
    result = bare.run()
    assert result.returncode == 3
    assert "libegl1" in result.stderr


def test_a_system_that_has_everything_is_left_alone(bare):
    libraries = [p.probe.partition(":")[2] for p in system_packages() if p.probe.startswith("library:")]
    listing = "\n".join(f"\t{name} (libc6,x86-64) => /usr/lib/{name}" for name in libraries)
    bare.has("ldconfig", f"cat <<'E'\n{listing}\nE")
    (bare.folder / "cat").symlink_to(shutil.which("cat"))
    bare.has("find", "echo font.ttf")
    for command in ("xvfb-run", "xauth", "python-with-venv"):
        bare.has(command, "exit 0")
    result = bare.run("python-with-venv")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_the_heartbeat_passes_on_what_the_command_says_and_how_it_ends():
    script = str(ROOT / "tools" / "heartbeat.sh")
    result = subprocess.run(
        [script, "work", "sh", "-c", "echo done; exit 7"], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (7, "done\n")


def test_an_old_python_is_refused_with_the_way_out(tmp_path):
    (tmp_path / "old-python").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "old-python").chmod(0o755)
    result = subprocess.run(
        [str(ROOT / "tools" / "python_packages.sh"), str(tmp_path / "old-python")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "make PYTHON=" in result.stderr
