"""Splitting reports: hand-made texts whose sentences are known."""

from __future__ import annotations

import pytest

from kdistill_core.labeling.sentences import shown_sentences, split_sentences


def texts(report: str) -> list[str]:
    return [report[span.start : span.end] for span in split_sentences(report)]


@pytest.mark.parametrize(
    ("report", "sentences"),
    [
        ("Clear lungs. No effusion.", ["Clear lungs.", "No effusion."]),
        ("A 1.5 cm nodule is seen. Stable.", ["A 1.5 cm nodule is seen.", "Stable."]),
        ("Seen by Dr. Miller today. Normal.", ["Seen by Dr. Miller today.", "Normal."]),
        ("1. Cardiomegaly. 2. Edema.", ["1. Cardiomegaly.", "2. Edema."]),
        ("Small left\neffusion. Normal heart.", ["Small left\neffusion.", "Normal heart."]),
        ("Clear lungs\n\nNormal heart", ["Clear lungs", "Normal heart"]),
        ("There is an effusion.There is edema.", ["There is an effusion.", "There is edema."]),
        ("FINDINGS: Clear lungs. IMPRESSION: Normal.", ["Clear lungs.", "Normal."]),
        ("", []),
        (" \n\n . ", []),
    ],
)
def test_sentences_end_where_a_reader_ends_them(report: str, sentences: list[str]) -> None:
    assert texts(report) == sentences


def test_only_sections_that_describe_the_image_are_shown() -> None:
    report = (
        "INDICATION: Rule out pneumonia.\n\nCOMPARISON: None.\n\nFINDINGS: Clear lungs.\n\nIMPRESSION: Normal chest."
    )
    shown = [report[span.start : span.end] for span in shown_sentences(report)]
    assert shown == ["Clear lungs.", "Normal chest."]
