"""Labelers by name."""

from __future__ import annotations

import pytest

import kdistill_core
from kdistill_core.conditions import CONDITIONS
from kdistill_core.labeling import label_report, labelers
from kdistill_core.labeling.labelers import LabelingError, open_labeler

TEXTS = ("No pleural effusion.", "Cardiomegaly. Possible edema.", "")


def test_the_rules_are_the_built_in_labeler():
    findings = open_labeler("rules").label(TEXTS)

    assert findings == [label_report(text) for text in TEXTS]
    assert all([finding.condition for finding in row] == list(CONDITIONS) for row in findings)


def test_the_version_of_the_rules_changes_with_them(monkeypatch, tmp_path):
    before = open_labeler("rules").version
    assert before.startswith(kdistill_core.__version__)
    assert open_labeler("rules").version == before

    for number, wording in enumerate((b"effusion\n", b"effusion\r\n", b"effusions\n")):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "mentions.py").write_bytes(wording)
        (folder / "chexbert.py").write_text(f"not a rule, version {number}")
        monkeypatch.setattr(labelers, "__file__", str(folder / "labelers.py"))
        labelers._rules_sha256.cache_clear()
        wording_version = open_labeler("rules").version
        same = wording_version == before if number == 1 else wording_version != before
        assert same, wording
        before = wording_version
    labelers._rules_sha256.cache_clear()


def test_an_unknown_labeler_is_refused_with_the_known_ones_named():
    with pytest.raises(LabelingError, match=r"no labeler 'negbio'\. Choose one of rules, chexbert\."):
        open_labeler("negbio")


def test_chexbert_without_weights_says_what_it_needs():
    with pytest.raises(LabelingError, match=r"needs its weights\. Give the file chexbert\.pth"):
        open_labeler("chexbert")
