"""Literature made up for the tests, in the formats of its publishers."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from string import ascii_lowercase

import pytest
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from transformers import PreTrainedTokenizerFast


@pytest.fixture(scope="session")
def write_pubmed() -> Callable[..., Path]:
    """Return a function that writes a PubMed file of records (pmid, title, sections, and further fields)."""

    def write(path: Path, *records: dict) -> Path:
        text = "".join(pubmed_record(**record) for record in records)
        xml = (
            '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle//EN" '
            f'"https://dtd.nlm.nih.gov/pubmed.dtd">\n<PubmedArticleSet>{text}</PubmedArticleSet>\n'
        ).encode()
        path.write_bytes(gzip.compress(xml) if path.suffix == ".gz" else xml)
        return path

    return write


def pubmed_record(
    pmid: int,
    sections: list[tuple[str, str]],
    title: str = "A title",
    year: str = "<Year>2020</Year>",
    language: str = "eng",
    mesh: tuple[str, ...] = (),
    kind: str = "Journal Article",
) -> str:
    parts = "".join(f'<AbstractText Label="{label}">{text}</AbstractText>' for label, text in sections)
    abstract = f"<Abstract>{parts}<CopyrightInformation>© Someone</CopyrightInformation></Abstract>" if sections else ""
    headings = "".join(f"<MeshHeading><DescriptorName>{name}</DescriptorName></MeshHeading>" for name in mesh)
    return (
        f'<PubmedArticle><MedlineCitation><PMID Version="1">{pmid}</PMID><DateRevised><Year>1999</Year></DateRevised>'
        f"<Article><Journal><JournalIssue><PubDate>{year}</PubDate></JournalIssue></Journal>"
        f"<ArticleTitle>{title}</ArticleTitle>{abstract}<Language>{language}</Language><PublicationTypeList>"
        f"<PublicationType>{kind}</PublicationType></PublicationTypeList></Article>"
        f"<MeshHeadingList>{headings}</MeshHeadingList></MedlineCitation></PubmedArticle>"
    )


@pytest.fixture(scope="session")
def sentences() -> Callable[[int, int], str]:
    """Return a function that makes a text of so many words which shares none of its runs with other seeds."""

    def make(seed: int, words: int) -> str:
        return " ".join(f"word{seed}x{place}" for place in range(words))

    return make


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory) -> Path:
    """Return the folder of a tokenizer whose tokens are letters, digits and blanks."""
    inner = Tokenizer(WordLevel({"<unk>": 0, "</s>": 1, **{c: n + 2 for n, c in enumerate(ascii_lowercase)}}, "<unk>"))
    inner.pre_tokenizer = Split(Regex("."), "isolated")
    folder = tmp_path_factory.mktemp("tokenizer")
    PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="</s>", unk_token="<unk>").save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def word_tokenizer(tokenizer_folder) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast.from_pretrained(tokenizer_folder)
