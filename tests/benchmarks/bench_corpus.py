"""How fast a corpus is built, beside a bare parse of the same files, and in how much memory.

    nice -n 5 python tests/benchmarks/bench_corpus.py [--gigabytes 1] [--workers 2]

The files are real PubMed records of ../shared/data, repeated with other ids and every tenth word changed, so that most
are near neighbors of some other, yet few are duplicates.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import itertools
import multiprocessing
import os
import platform
import random
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from lxml import etree

from kdistill_core.corpora.building import build_documents
from kdistill_core.corpora.filters import Selection
from kdistill_core.corpora.settings import CorpusSettings

SOURCE = Path(__file__).parents[3] / "shared" / "data" / "literature" / "pubmed21n1298.xml.gz"
_TEXT = re.compile(rb"(<AbstractText[^>]*>)([^<]*)")
_PMID = re.compile(rb'(<PMID Version="1">)(\d+)')


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    if not SOURCE.exists():
        print(f"skipped: {SOURCE} is not there")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own, whose memory is not counted.
        context = multiprocessing.get_context("spawn")
        with context.Pool(1) as pool:
            files = pool.apply(write_files, (Path(folder) / "literature", options.gigabytes))
        megabytes = sum(file.stat().st_size for file in files) / 1e6
        load = os.getloadavg()[0]
        before = Timed(lambda: sum(map(bare_parse, files)))
        settings = CorpusSettings("benchmark", (Path(folder) / "literature",), Selection(languages=("eng",)))
        with Memory() as memory:
            build = Timed(lambda: build_documents(settings, Path(folder) / "corpus", options.workers))
        after = Timed(lambda: sum(map(bare_parse, files)))
    taken = sum(part.taken for part in build.result)
    print(f"{platform.platform()}, {os.cpu_count()} cores; load of others at the start {load:.1f}")
    print(
        f"{megabytes:.0f} MB of XML in {len(files)} files, {before.result} records, {taken} taken, "
        f"{options.workers} workers"
    )
    print(f"bare parse (one process) before: {before.said(megabytes)}")
    print(f"bare parse (one process) after:  {after.said(megabytes)}")
    print(f"corpus built: {build.said(megabytes)}")
    # Others may use the machine meanwhile: processor time does not depend on them.
    bare = (before.seconds + after.seconds) / 2
    spent = build.of_processor / (before.of_processor + after.of_processor) * 2
    print(f"throughput to that of the bare parse, mean of both: {bare / build.seconds:.2f} (at least 0.33 is wanted)")
    print(f"processor time to that of the bare parse: {spent:.1f} times")
    print(f"resident memory (RSS) summed over all processes: {memory.most:.0f} MiB at most (1024 are allowed)")
    return 0


class Timed:
    """What some work returned, and the seconds and processor seconds it took, its ended processes included."""

    def __init__(self, work: Callable[[], Any]) -> None:
        spent, started = sum(os.times()[:4]), time.perf_counter()
        self.result = work()
        self.seconds, self.of_processor = time.perf_counter() - started, sum(os.times()[:4]) - spent

    def said(self, megabytes: float) -> str:
        return f"{self.seconds:.1f} s, {megabytes / self.seconds:.1f} MB/s, {self.of_processor:.1f} processor seconds"


class Memory:
    """Watches the resident memory of this process and its children, in MiB, ten times a second."""

    def __init__(self) -> None:
        self.most = 0.0
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look)

    def __enter__(self) -> Memory:
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watch.join()

    def _look(self) -> None:
        own, processes = psutil.Process(), []
        for number in itertools.count():
            if self._over.wait(0.1):
                return
            # To look for new processes takes longer than to ask the known ones, and is paid by what is measured.
            if number % 20 == 0:
                processes = [own, *own.children(recursive=True)]
            total = 0
            for process in processes:
                with contextlib.suppress(psutil.NoSuchProcess):
                    total += process.memory_info().rss
            self.most = max(self.most, total / 2**20)


def write_files(folder: Path, gigabytes: float) -> list[Path]:
    folder.mkdir()
    with gzip.open(SOURCE) as stream:
        whole = stream.read()
    # Two files at least, for two workers.
    most = int(gigabytes * 1e9 / 2)
    if len(whole) > most:
        end = b"</PubmedArticle>"
        whole = whole[: whole.rindex(end, 0, most)] + end + b"</PubmedArticleSet>"
    files: list[Path] = []
    written = 0.0
    while len(files) < 2 or written < gigabytes * 1e9:
        path = folder / f"{len(files):03d}.xml"
        path.write_bytes(perturbed(whole, len(files)))
        written += path.stat().st_size
        files.append(path)
    return files


def perturbed(xml: bytes, number: int) -> bytes:
    """Return the records with other ids and, but for the first file, every tenth word another."""
    if number == 0:
        return xml
    rng = random.Random(number)

    def change(match: re.Match[bytes]) -> bytes:
        words = match[2].split(b" ")
        for place in range(rng.randrange(10), len(words), 10):
            words[place] = b"w%d" % rng.randrange(50000)
        return match[1] + b" ".join(words)

    return _PMID.sub(lambda match: match[1] + b"%d%s" % (number, match[2]), _TEXT.sub(change, xml))


def bare_parse(path: Path) -> int:
    records = 0
    for _, article in etree.iterparse(path, tag="PubmedArticle", resolve_entities=False, no_network=True):
        records += 1
        article.clear(keep_tail=False)
        while article.getprevious() is not None:
            del article.getparent()[0]
    return records


if __name__ == "__main__":
    sys.exit(main())
