"""A build that is killed goes on to the very corpus of one that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from datasets import load_from_disk

from kdistill_core.corpora.errors import CorpusError
from kdistill_core.corpora.recipe import Recipe, build_corpus
from kdistill_core.corpora.settings import CorpusSettings

# Runs a build that ends itself: at a document that is compared with those before it, or in the middle of packing.
SCRIPT = """
import os, signal, sys
from pathlib import Path
from kdistill_core.corpora.duplicates import DuplicateIndex
from kdistill_core.corpora.recipe import Recipe, build_corpus
from kdistill_core.corpora.settings import CorpusSettings

def end():
    os.kill(os.getpid(), signal.SIGKILL)

def report(what, done, total):
    if moment == "packing" and what.startswith("Packing") and done:
        end()

def add(index, name, fingerprint, original=DuplicateIndex.add):
    if moment == "comparing" and name == "pubmed:2300":
        end()
    return original(index, name, fingerprint)

if __name__ == "__main__":
    moment, sources, tokenizer, out = sys.argv[1:]
    DuplicateIndex.add = add
    corpus = CorpusSettings("small", (Path(sources),), held_out=0.1)
    build_corpus(Recipe(corpus, Path(tokenizer), 64), Path(out), 2, report)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("interruption")


@pytest.fixture(scope="module")
def recipe(folder, tokenizer_folder, write_pubmed, sentences) -> Recipe:
    """Two files of 800 records; each fifth of the second repeats one of the first."""
    (folder / "literature").mkdir()
    for first in (1000, 2000):
        texts = {n: sentences(n - 1000 if n >= 2000 and n % 5 == 0 else n, 40) for n in range(first, first + 800)}
        write_pubmed(
            folder / "literature" / f"{first}.xml", *({"pmid": n, "sections": [("", t)]} for n, t in texts.items())
        )
    return Recipe(CorpusSettings("small", (folder / "literature",), held_out=0.1), tokenizer_folder, 64)


@pytest.fixture(scope="module")
def undisturbed(folder, recipe) -> dict[str, object]:
    build_corpus(recipe, folder / "undisturbed")
    return content_of(folder / "undisturbed")


def content_of(out: Path) -> dict[str, object]:
    """Return everything a corpus holds but the index, whose pages depend on how it came about."""
    files = {path.name: path.read_bytes() for path in (*(out / "documents").iterdir(), out / "README.md")}
    packed = {path.name: load_from_disk(str(path)).to_dict() for path in (out / "packed").iterdir()}
    return {**files, **packed}


def begun(moment: str, recipe: Recipe, out: Path) -> subprocess.Popen[bytes]:
    script = out.with_suffix(".py")
    script.write_text(SCRIPT)
    (sources,) = recipe.corpus.sources
    command = [sys.executable, str(script), moment, str(sources), str(recipe.tokenizer), str(out)]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("moment", ["comparing", "packing"])
def test_killed_while_comparing_or_packing(folder, recipe, undisturbed, moment):
    out = folder / moment
    assert begun(moment, recipe, out).wait(timeout=120) == -signal.SIGKILL
    taken = len(list((out / "documents").glob("*.parquet")))
    assert taken == {"comparing": 1, "packing": 2}[moment]
    assert not (out / "README.md").exists()
    build_corpus(recipe, out)
    assert content_of(out) == undisturbed


def test_killed_while_reading_leaves_no_process_behind(folder, recipe, undisturbed):
    out = folder / "reading"
    run = begun("none", recipe, out)
    deadline = time.monotonic() + 60
    while not list((out / "candidates").glob("*.read")) and time.monotonic() < deadline:
        time.sleep(0.002)
    readers = psutil.Process(run.pid).children(recursive=True)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert readers
    assert psutil.wait_procs(readers, timeout=30)[1] == []
    assert list((out / "documents").glob("*.parquet")) == []
    build_corpus(recipe, out)
    assert content_of(out) == undisturbed


def test_a_reader_that_is_killed_is_said_and_the_build_goes_on(folder, recipe, undisturbed):
    out = folder / "reader"

    def kill_readers(what: str, done: int, total: int) -> None:
        del what, done, total
        for reader in psutil.Process().children():
            if "multiprocessing.spawn" in " ".join(reader.cmdline()):
                reader.kill()

    with pytest.raises(CorpusError, match="ended from outside"):
        build_corpus(recipe, out, 1, kill_readers)
    build_corpus(recipe, out)
    assert content_of(out) == undisturbed
