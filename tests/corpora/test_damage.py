"""Damaged literature: it stops the build by its name, or it is left out, counted and named; never half a file."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from kdistill_core.corpora.building import build_documents, documents_of
from kdistill_core.corpora.candidates import HELD_OUT, TRAINING
from kdistill_core.corpora.damage import Damaged, LeftOut
from kdistill_core.corpora.errors import CorpusError
from kdistill_core.corpora.reading import read_documents
from kdistill_core.corpora.settings import CorpusSettings, PartCounts

RECORD = "<PubmedArticle><MedlineCitation><PMID>{0}</PMID><Article><Abstract><AbstractText>Text {0}.</AbstractText>"
RECORD += "</Abstract></Article></MedlineCitation></PubmedArticle>"
XML = f"<PubmedArticleSet>{''.join(map(RECORD.format, range(3000)))}</PubmedArticleSet>".encode()
ARTICLE = "<article><front><article-meta><article-id pub-id-type='pmc'>{0}</article-id></article-meta></front>"
ARTICLE += "<body><p>Article {0}.</p></body></article>"
LINES = b"".join(b'{"id": "n%d", "text": "Line %d."}\n' % (number, number) for number in range(9000))
ENTRY = {"QUESTION": "Is it?", "CONTEXTS": ["Yes, often."], "LABELS": ["A"], "MESHES": []}
QUESTIONS = json.dumps({str(number): ENTRY for number in range(3000)}).encode()
TEXT = " ".join(map(str, range(9000))).encode()


def tar_of(*articles: str, end: bool = True) -> bytes:
    """Return a tar of articles by their numbers; a member takes two blocks of 512 bytes."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for number, article in enumerate(articles):
            entry = tarfile.TarInfo(f"PMC{number}.xml")
            entry.size = len(article)
            archive.addfile(entry, io.BytesIO(article.encode()))
    return content.getvalue() if end else content.getvalue()[: 1024 * len(articles)]


TAR = tar_of(*map(ARTICLE.format, range(300)))
KINDS = {"a.xml.gz": XML, "a.tar.gz": TAR, "a.jsonl.gz": LINES, "a.json.gz": QUESTIONS, "a.txt.gz": TEXT}


def cut(content: bytes) -> bytes:
    packed = gzip.compress(content)
    return packed[: len(packed) // 2]


def cut_at_once(content: bytes) -> bytes:
    return gzip.compress(content)[:12]


def of_wrong_checksum(content: bytes) -> bytes:
    packed = gzip.compress(content)
    return packed[:-8] + bytes(4) + packed[-4:]


def of_overwritten_middle(content: bytes) -> bytes:
    packed = bytearray(gzip.compress(content))
    middle = len(packed) // 2
    packed[middle : middle + 64] = b"\xff" * 64
    return bytes(packed)


def not_packed(content: bytes) -> bytes:
    return content


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("damage", [cut, cut_at_once, of_wrong_checksum, of_overwritten_middle, not_packed])
def test_a_damaged_gzip_of_any_kind_is_named(tmp_path, name, damage: Callable[[bytes], bytes]):
    path = tmp_path / name
    path.write_bytes(gzip.compress(KINDS[name]))
    assert list(read_documents(path))
    path.write_bytes(damage(KINDS[name]))
    left_out = LeftOut()
    # A few bytes overwritten may also unpack to nonsense, which then is named by the reader of its kind.
    with pytest.raises(CorpusError, match=r"a\.\w+(\.gz)?\b.*(cannot be unpacked|damaged|not)") as caught:
        list(read_documents(path, left_out))
    assert caught.value.advice


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("cut.xml", XML[: len(XML) // 2], r"cut\.xml, line 1.*damaged"),
        ("empty.xml", b"", r"empty\.xml is no literature"),
        ("empty.xml.gz", b"", r"empty\.xml\.gz is no literature"),
        ("other.xml", b"<html></html>", r"other\.xml is no literature"),
        ("none.xml", b"<articles></articles>", r"none\.xml holds no article"),
        ("cut.tar", TAR[: len(TAR) // 2 - 300], r"cut\.tar cannot be unpacked"),
        ("boundary.tar", tar_of(*map(ARTICLE.format, range(3)), end=False), r"boundary\.tar is damaged.*byte 3,072"),
        ("header.tar", TAR[:2048] + b"x" * 512 + TAR[2560:], r"header\.tar is damaged.*byte 2,048"),
        ("empty.tar", b"", r"empty\.tar cannot be unpacked"),
        ("cut.json", QUESTIONS[: len(QUESTIONS) // 2], r"cut\.json is not PubMedQA"),
        ("list.json", b"[]", r"list\.json is not PubMedQA"),
        ("deep.json", b'{"a":' * 9999, r"deep\.json is not PubMedQA"),
        ("latin.txt", "Müller".encode("latin-1"), r"latin\.txt.*not UTF-8"),
        ("cut.jsonl", b'{"text": "a"}\n{"text": ', r"cut\.jsonl, line 2.*not JSON"),
        ("none.jsonl", b'{"body": "a"}\n', r"none\.jsonl, line 1.*no 'text'"),
        ("deep.jsonl", b"[" * 99999, r"deep\.jsonl, line 1.*not JSON"),
        ("half.jsonl", b'{"text": "\\ud800"}\n', r"half\.jsonl, line 1.*not JSON"),
        ("latin.jsonl", b'{"text": "\xe9"}\n', r"latin\.jsonl, line 1.*not JSON"),
    ],
)
def test_other_damage_is_named_with_its_place(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CorpusError, match=message) as caught:
        list(read_documents(tmp_path / name))
    assert caught.value.advice


def test_what_does_not_fit_into_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("kdistill_core.corpora.records.LONGEST_TEXT", 1000)
    monkeypatch.setattr("kdistill_core.corpora.archive._LONGEST_ARTICLE", 100)
    for name, content in (("a.txt", TEXT), ("a.jsonl", b"x" * 2000), ("a.tar", TAR)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CorpusError, match=rf"a\.{name[2:]}.*(longer than|holds \d+ bytes)"):
            list(read_documents(tmp_path / name))


def test_the_good_articles_and_lines_beside_damaged_ones_are_read(tmp_path):
    broken = ARTICLE.format(1).removesuffix("</article>")
    after = ARTICLE.format(3) + "<rest>"  # the article is whole, its file is not
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(tar_of(ARTICLE.format(0), broken, ARTICLE.format(2), after)))
    left_out = LeftOut()
    assert [each.id for each in read_documents(tmp_path / "a.tar.gz", left_out)] == ["pmc:0", "pmc:2"]
    assert left_out.count == 2
    assert left_out.problems[0].startswith("a.tar.gz:PMC1.xml, line 1: the XML is damaged")
    (tmp_path / "a.jsonl").write_bytes(
        b'{"id": "1", "text": "a"}\n{"id": "2", "te\n\n{"id": "4", "text": "b"}\n' + b"{\n" * 99
    )
    left_out = LeftOut()
    assert [each.id for each in read_documents(tmp_path / "a.jsonl", left_out)] == ["1", "4"]
    assert left_out.count == 100
    assert left_out.problems[0].startswith("a.jsonl, line 2: this is not JSON")
    assert len(left_out.problems) == 20


@pytest.fixture
def sources(tmp_path, sentences, write_pubmed) -> Path:
    """A whole file, one that is cut in the middle after 400 whole records, one that is whole."""
    folder = tmp_path / "literature"
    folder.mkdir()
    for name, first, count in (("1.xml", 0, 30), ("2.xml", 1000, 800), ("3.xml", 5000, 30)):
        records = ({"pmid": n, "sections": [("", sentences(n, 30))]} for n in range(first, first + count))
        write_pubmed(folder / name, *records)
    return folder


def cut_second(folder: Path) -> bytes:
    content = (folder / "2.xml").read_bytes()
    (folder / "2.xml").write_bytes(content[: len(content) // 2])
    return content


def ids_in(out: Path) -> set[str]:
    return {str(row["id"]) for split in (TRAINING, HELD_OUT) for row in documents_of(out, split, ("id",))}


def settings_of(folder: Path, damaged: Damaged = Damaged.STOP) -> CorpusSettings:
    return CorpusSettings("small", (folder,), damaged=damaged)


def by_what(parts: tuple[PartCounts, ...]) -> list[tuple[str, int, int, dict[str, int]]]:
    return [(part.file, part.read, part.taken, part.turned_away) for part in parts]


def test_a_damaged_file_stops_the_build_and_fetched_again_lets_it_go_on(tmp_path, sources):
    build_documents(settings_of(sources), tmp_path / "whole")
    content = cut_second(sources)
    with pytest.raises(CorpusError, match=r"2\.xml, line \d+: the XML is damaged"):
        build_documents(settings_of(sources), tmp_path / "out")
    assert ids_in(tmp_path / "out") == {f"pubmed:{n}" for n in range(30)}
    (sources / "2.xml").write_bytes(content)
    parts = build_documents(settings_of(sources), tmp_path / "out")
    assert [part.taken for part in parts] == [30, 800, 30]
    for path in (tmp_path / "whole" / "documents").iterdir():
        assert (tmp_path / "out" / "documents" / path.name).read_bytes() == path.read_bytes()


def test_a_damaged_file_is_left_out_whole_where_that_is_asked_for(tmp_path, sources):
    cut_second(sources)
    # As after a build that was stopped by it.
    with pytest.raises(CorpusError):
        build_documents(settings_of(sources), tmp_path / "out")
    parts = build_documents(settings_of(sources, Damaged.SKIP), tmp_path / "out")
    assert by_what(parts) == [("1.xml", 30, 30, {}), ("2.xml", 0, 0, {}), ("3.xml", 30, 30, {})]
    assert [part.damaged for part in parts] == [0, 1, 0]
    assert "2.xml, line" in parts[1].damages[0]
    assert ids_in(tmp_path / "out") == {f"pubmed:{n}" for n in (*range(30), *range(5000, 5030))}


def test_what_is_no_literature_is_said_before_anything_is_read(tmp_path, sources):
    (sources / "z.pdf").write_bytes(b"%PDF")
    with pytest.raises(CorpusError, match=r"z\.pdf is no literature"):
        build_documents(settings_of(sources), tmp_path / "out")
    assert ids_in(tmp_path / "out") == set()
    parts = build_documents(settings_of(sources, Damaged.SKIP), tmp_path / "out")
    assert [part.damaged for part in parts] == [0, 0, 0, 1]
