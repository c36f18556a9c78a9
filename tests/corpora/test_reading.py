"""Files of the literature to documents, against files written by hand and against the real ones."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest
from defusedxml import ElementTree

from kdistill_core.corpora.documents import Section
from kdistill_core.corpora.errors import CorpusError
from kdistill_core.corpora.filters import Selection
from kdistill_core.corpora.reading import Kind, files_in, kind_of, read_documents

ARTICLE = """<?xml version="1.0"?>
<!DOCTYPE article PUBLIC "-//NLM//DTD JATS//EN" "archivearticle.dtd">
<article xmlns:xlink="http://www.w3.org/1999/xlink" xml:lang="en" article-type="research-article">
<front><article-meta>
<article-id pub-id-type="pmid">17</article-id><article-id pub-id-type="pmc">PMC42</article-id>
<title-group><article-title>Signs of <italic>effusion</italic></article-title></title-group>
<pub-date><year>2013</year></pub-date><pub-date><year>2012</year></pub-date>
<permissions><license xlink:href="https://creativecommons.org/licenses/by/4.0/"><p>Free</p></license></permissions>
<abstract><sec><title>Aim</title><p>To look.</p></sec></abstract>
<abstract abstract-type="graphical"><p>To look again.</p></abstract>
</article-meta></front>
<body><p>Before any section.</p>
<sec><title>Methods</title><p>We looked <xref ref-type="bibr">1</xref> twice [<xref ref-type="bibr">2</xref>-<xref
ref-type="bibr">4</xref>] at H<sub>2</sub>O (see <xref ref-type="fig">Figure 1</xref>).</p>
<sec><title>Films</title><p>All of them.<table-wrap><table><tr><td>17</td></tr></table></table-wrap></p>
<list><list-item><p>One</p></list-item><list-item><p>two</p></list-item></list></sec></sec>
<fig><label>Figure 1</label><caption><title>Angle.</title><p>It is blunt.</p></caption></fig></body>
<back><ref-list><ref><mixed-citation>Somebody 1999</mixed-citation></ref></ref-list></back></article>
"""


def test_a_pubmed_record_keeps_its_sections(tmp_path, write_pubmed):
    sections = [("BACKGROUND", "H<sub>2</sub>O &lt; <i>ice</i>.\n  Really."), ("", "No label.")]
    path = write_pubmed(
        tmp_path / "pubmed26n0001.xml.gz",
        {"pmid": 7, "sections": sections, "mesh": ("Radiography, Thoracic", "Humans"), "title": "On <b>ice</b>"},
        {"pmid": 8, "sections": []},
    )
    (document,) = read_documents(path)
    assert document.id == "pubmed:7"
    assert document.title == "On ice"
    assert document.sections == (Section("BACKGROUND", "H2O < ice. Really."), Section("", "No label."))
    assert document.mesh == ("Radiography, Thoracic", "Humans")
    assert (document.year, document.language, document.license) == (2020, "eng", "© Someone")
    assert document.text == "On ice\n\nBACKGROUND: H2O < ice. Really.\n\nNo label."


@pytest.mark.parametrize(
    ("date", "year"),
    [("<MedlineDate>1998 Dec-1999 Jan</MedlineDate>", 1998), ("<MedlineDate>Winter</MedlineDate>", None), ("", None)],
)
def test_the_year_is_the_issues_own(tmp_path, write_pubmed, date, year):
    path = write_pubmed(tmp_path / "a.xml", {"pmid": 7, "sections": [("", "Text.")], "year": date})
    assert next(read_documents(path)).year == year


def test_an_article_is_its_running_text(tmp_path):
    path = tmp_path / "article.nxml"
    path.write_text(ARTICLE)
    (document,) = read_documents(path)
    assert document.id == "pmc:42"
    assert document.title == "Signs of effusion"
    assert document.year == 2012
    assert document.language == "eng"
    assert document.license == "https://creativecommons.org/licenses/by/4.0/"
    assert document.sections == (
        Section("Abstract / Aim", "To look."),
        Section("", "Before any section."),
        Section("Methods", "We looked twice at H2O (see Figure 1)."),
        Section("Methods / Films", "All of them.\n\nOne two"),
        Section("Figure 1", "Angle. It is blunt."),
    )


def test_an_archive_of_articles_is_read_as_it_streams(tmp_path):
    path = tmp_path / "oa_bulk.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in (("a/1.nxml", ARTICLE.encode()), ("a/readme.txt", b"x"), ("b/2.xml", ARTICLE.encode())):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    assert [document.id for document in read_documents(path)] == ["pmc:42", "pmc:42"]


def test_pubmedqa_gives_abstracts_without_the_questions(tmp_path):
    path = tmp_path / "ori_pqal.json"
    entry = {"QUESTION": "Is it?", "CONTEXTS": ["One.", "Two."], "LABELS": ["A", "B"], "MESHES": ["M"], "YEAR": "2011"}
    path.write_text(json.dumps({"5": {**entry, "LONG_ANSWER": "It is.", "final_decision": "yes"}}))
    (document,) = read_documents(path)
    assert document.id == "pubmed:5"
    assert document.sections == (Section("A", "One."), Section("B", "Two."), Section("CONCLUSIONS", "It is."))
    assert "Is it?" not in document.text


def test_lines_of_json_and_plain_text(tmp_path):
    lines = tmp_path / "notes.jsonl.gz"
    lines.write_bytes(gzip.compress(b'{"text": "One.", "id": "n1", "year": 2020}\n\n{"text": "Two."}\n'))
    plain = tmp_path / "three.txt"
    plain.write_text("\ufeffThree.\n", encoding="utf-8")
    found = [*read_documents(lines), *read_documents(plain)]
    assert [(document.id, document.text) for document in found] == [
        ("n1", "One."),
        ("file:notes.jsonl.gz:3", "Two."),
        ("file:three.txt", "Three."),
    ]


def test_entities_neither_grow_nor_reach_out(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("SECRET")
    path = tmp_path / "bad.xml"
    path.write_text(
        f'<!DOCTYPE PubmedArticleSet [<!ENTITY x SYSTEM "{secret.as_uri()}"><!ENTITY y "{"A" * 50}">]>'
        "<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>1</PMID><Article><ArticleTitle>&y;</ArticleTitle>"
        "<Abstract><AbstractText>Text &x; end</AbstractText></Abstract></Article></MedlineCitation></PubmedArticle>"
        "</PubmedArticleSet>"
    )
    (document,) = read_documents(path)
    assert "SECRET" not in document.text
    assert "AAAA" not in document.text


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path):
    for name in ("b.txt", "a/z.txt", ".hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert [path.name for path in files_in(tmp_path)] == ["z.txt", "b.txt"]
    with pytest.raises(CorpusError, match="no file"):
        files_in(tmp_path / "nowhere")


@pytest.mark.real_data
def test_the_real_records_are_those_another_parser_finds(shared_data: Path, tmp_path: Path):
    with gzip.open(shared_data / "literature" / "pubmed21n1298.xml.gz") as stream:
        beginning = stream.read(20_000_000).rpartition(b"</PubmedArticle>")
    path = tmp_path / "beginning.xml"
    path.write_bytes(beginning[0] + beginning[1] + b"</PubmedArticleSet>")
    assert kind_of(path) is Kind.PUBMED
    documents = list(read_documents(path))
    with_text = [
        article.findtext("MedlineCitation/PMID")
        for article in ElementTree.parse(path).getroot()
        if any("".join(part.itertext()).strip() for part in article.iterfind(".//Article/Abstract/AbstractText"))
    ]
    assert len(documents) > 1000
    assert [document.id.removeprefix("pubmed:") for document in documents] == with_text


@pytest.mark.real_data
def test_real_articles_have_text_license_and_no_marks_of_references(shared_data: Path):
    documents = [d for path in files_in(shared_data / "literature" / "jats") for d in read_documents(path)]
    assert len(documents) == 5
    for document in documents:
        assert len(document.text.split()) > 3000
        assert "[-]" not in document.text
        assert "[]" not in document.text
        assert "\0" not in document.text


@pytest.mark.parametrize(
    ("kind", "link", "turned_away"),
    [
        ("research-article", "", ""),
        ("research-article", "correction-forward", ""),
        ("research-article", "retraction-forward", "retracted"),
        ("retraction", "retracted-article", "retracted"),
    ],
)
def test_retracted_articles_and_their_notices_are_known(tmp_path, kind, link, turned_away):
    path = tmp_path / "article.xml"
    related = f"<related-article related-article-type='{link}'/>" if link else ""
    path.write_text(
        f"<article article-type='{kind}'><front><article-meta>{related}</article-meta></front>"
        "<body><p>Text.</p></body></article>"
    )
    (document,) = read_documents(path)
    assert Selection().turned_away(document) == turned_away


def test_lines_of_json_say_what_the_filters_ask_for(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"text": "a", "year": "2020", "language": "en-US", "mesh": ["Thorax"]}\n')
    (document,) = read_documents(path)
    assert (document.year, document.language, document.mesh) == (2020, "eng", ("Thorax",))
