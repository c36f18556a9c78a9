"""What the manual names is there: files, commands, keys, methods, versions."""

from __future__ import annotations

import re
from pathlib import Path
from unittest.mock import Mock

import pytest
import typer
import yaml

import kdistill_core

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
FOLDERS = ("kdistill_core", "kdistill_viewer", "training", "resources", "docs", "tests", "tools", ".ci")


def ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


def code_of(page: Path) -> str:
    """Return everything a page sets as code."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL)
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", text)])


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_every_link_and_picture_leads_to_a_file(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not re.match(r"https?://|#", target):
            assert (page.parent / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_every_path_named_is_there(page):
    for path in re.findall(rf"(?<![\w/.-])((?:{'|'.join(map(re.escape, FOLDERS))})/[\w./-]*)", code_of(page)):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_every_make_target_named_is_there(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:^|\n)make ([a-z-]+)", code_of(page))) <= targets


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_every_command_and_option_named_is_there(page):
    from kdistill_core.cli.main import app

    root = typer.main.get_command(app)
    for line in re.findall(r"(?:^|\n)kdistill ([a-z-].*)", code_of(page)):
        words, command = line.partition("#")[0].split(), root
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert command is not root or line.startswith("-"), line
        assert {word for word in words if word.startswith("--")} <= options | {"--help"}, line


def test_every_command_is_in_the_manual():
    from kdistill_core.cli.main import app

    page = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    for name in typer.main.get_command(app).commands:
        assert f"`kdistill {name}" in page


def test_the_keys_in_the_manual_are_those_of_the_viewer():
    from kdistill_viewer.actions.catalog import catalog

    text = (ROOT / "docs" / "viewer.md").read_text(encoding="utf-8")
    table = text.partition("## Keys")[2].partition("## ")[0]
    written = {
        (tuple(re.findall(r"`([^`]+)`", keys)), title.strip())
        for keys, title in re.findall(r"^\| (`.*`) \|([^|]*)\|$", table, re.MULTILINE)
    }
    assert written == {(action.keys, action.title.rstrip(".")) for action in catalog(Mock()) if action.keys}


def test_the_saliency_methods_in_the_manual_are_those_there_are():
    from kdistill_core.saliency.registry import METHODS

    page = (ROOT / "docs" / "saliency.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == [method.name for method in METHODS]


def test_the_citation_names_this_version_and_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == kdistill_core.__version__
    assert citation["license"] == "Apache-2.0"
    assert citation["references"][0]["doi"] == "10.1109/JBHI.2026.3693703"


def test_the_hooks_fetch_nothing():
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert {repository["repo"] for repository in repositories} == {"local"}
    assert {hook["language"] for repository in repositories for hook in repository["hooks"]} == {"system"}


def test_every_page_of_the_manual_is_linked_from_its_index():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "index.md" or f"({page.name})" in index
