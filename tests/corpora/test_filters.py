"""Which documents are taken."""

from __future__ import annotations

import pytest

from kdistill_core.corpora.contamination import EvaluationTexts
from kdistill_core.corpora.documents import Document, Section
from kdistill_core.corpora.filters import Selection, without_asides
from kdistill_core.corpora.shingles import shingled


def document(text: str = "one two three", **fields) -> Document:
    return Document("pubmed:1", "", (Section("", text),), **fields)


@pytest.mark.parametrize(
    ("selection", "given", "reason"),
    [
        (Selection(), document(), ""),
        (Selection(), document(publication_types=("Journal Article", "Retracted Publication")), "retracted"),
        (Selection(languages=("eng",)), document(language="ger"), "language"),
        (Selection(languages=("eng",)), document(), ""),
        (Selection(years=(2000, 2010)), document(year=1999), "year"),
        (Selection(years=(2000, 2010)), document(year=2010), ""),
        (Selection(years=(None, 2010)), document(year=2011), "year"),
        (Selection(mesh=("radiography",)), document(mesh=("Humans", "Radiography, Thoracic")), ""),
        (Selection(mesh=("radiography",)), document(mesh=("Humans",)), "MeSH heading"),
        (Selection(mesh=("radiography",)), document(), ""),
        (Selection(mesh=("radiography",), without_mesh=False), document(), "MeSH heading"),
        (Selection(words=(4, None)), document(), "too short"),
        (Selection(words=(1, 2)), document(), "too long"),
        (Selection(words=(3, 3)), document(), ""),
    ],
)
def test_each_rule_turns_away_what_it_says(selection, given, reason):
    assert selection.turned_away(given) == reason


def test_what_an_article_says_of_itself_is_left_out():
    article = Document("a", "", (Section("Results", "R."), Section("Competing interests", "None."), Section("", "x")))
    assert [section.text for section in without_asides(article).sections] == ["R.", "x"]


QUESTION = "Do statins lower the risk of pneumonia in older adults?"  # ten words
CONTEXT = " ".join(f"w{number}" for number in range(40))


@pytest.mark.parametrize(
    ("text", "held"),
    [
        (f"We asked: do STATINS lower the risk of pneumonia, in older adults. Then {CONTEXT[:20]}.", True),
        ("Statins lower the risk of pneumonia in older adults.", False),
        (f"Before. {' '.join(f'w{n}' for n in range(7, 20))} after.", True),  # 13 words in a row
        (f"Before. {' '.join(f'w{n}' for n in range(7, 19))} after.", False),  # 12
        ("", False),
    ],
)
def test_what_an_evaluation_asks_is_found_whatever_its_case_and_punctuation(text, held):
    evaluation = EvaluationTexts(["pubmed:9"], [QUESTION, CONTEXT, "Too short to tell."])
    assert bool(evaluation.overlap("pubmed:1", shingled(text))) is held


def test_a_document_that_an_evaluation_was_made_from_is_known_by_its_id():
    assert EvaluationTexts(["pubmed:1"]).overlap("pubmed:1", shingled(""))
    assert not EvaluationTexts(["pubmed:2"]).overlap("pubmed:1", shingled(""))
