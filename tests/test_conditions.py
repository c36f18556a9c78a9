"""Labels are mapped by name, never by position."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdistill_core.conditions import (
    CHEXBERT_CLASSES,
    CONDITIONS,
    FINDING_CONDITIONS,
    FIVE_CONDITIONS,
    STATE_CODES,
    Condition,
    Source,
    State,
    condition_named,
    spellings,
    state_of_code,
)

# Irvin et al. (AAAI 2019), the header of train.csv after AP/PA.
CHEXPERT_HEADER = [
    "No Finding",
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
]
# The heads of CheXbert's published model (Smit et al., EMNLP 2020), in the order of its constants file.
CHEXBERT_HEADS = [*CHEXPERT_HEADER[1:], "No Finding"]


def test_the_order_is_that_of_chexberts_heads():
    assert [condition.value for condition in CONDITIONS] == CHEXBERT_HEADS


def test_there_are_14_of_which_13_are_findings():
    assert len(CONDITIONS) == 14
    assert set(CONDITIONS) - set(FINDING_CONDITIONS) == {Condition.NO_FINDING}


def test_the_five_of_the_papers_are_chexperts_competition_tasks():
    assert {condition.value for condition in FIVE_CONDITIONS} == {
        "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion",
    }  # fmt: skip


@pytest.mark.parametrize("shuffle_seed", range(5))
def test_a_row_reads_the_same_whatever_the_order_of_its_columns(shuffle_seed):
    row = dict(zip(CHEXPERT_HEADER, [None, 1, 0, -1, None, 1, 0, -1, None, 1, 0, -1, None, 1], strict=True))
    header = list(row)
    random.Random(shuffle_seed).shuffle(header)
    read = {condition_named(name): state_of_code(row[name]) for name in header}
    assert read[Condition.ENLARGED_CARDIOMEDIASTINUM] is State.POSITIVE
    assert read[Condition.CARDIOMEGALY] is State.NEGATIVE
    assert read[Condition.LUNG_OPACITY] is State.UNCERTAIN
    assert read[Condition.LUNG_LESION] is State.BLANK
    assert read[Condition.SUPPORT_DEVICES] is State.POSITIVE
    assert len(read) == 14


@pytest.mark.parametrize("source", Source)
def test_every_spelling_of_a_source_is_found_again_whatever_its_case(source):
    for name, condition in spellings(source).items():
        assert condition_named(name, source) is condition
        assert condition_named(f" {name.upper()} ", source) is condition
        assert condition_named(name.replace(" ", "_"), source) is condition


def test_changing_the_spellings_that_were_handed_out_changes_nothing():
    spellings(Source.NIH).clear()
    assert spellings(Source.NIH)


@pytest.mark.parametrize(
    ("name", "source", "condition"),
    [
        ("Effusion", Source.NIH, Condition.PLEURAL_EFFUSION),
        ("Infiltrate", Source.NIH, Condition.LUNG_OPACITY),
        ("Infiltration", Source.NIH, Condition.LUNG_OPACITY),
        ("Pleural_Thickening", Source.NIH, Condition.PLEURAL_OTHER),
        ("Mass", Source.NIH, Condition.LUNG_LESION),
        ("Airspace Opacity", Source.CHEXLOCALIZE, Condition.LUNG_OPACITY),
        ("Nodule/Mass", Source.VINDR, Condition.LUNG_LESION),
        ("NSG tube", Source.PADCHEST, Condition.SUPPORT_DEVICES),
    ],
)
def test_spellings_that_differ_from_chexperts(name, source, condition):
    assert condition_named(name, source) is condition


@pytest.mark.parametrize("name", ["Emphysema", "Fibrosis", "Hernia"])
def test_a_label_without_counterpart_is_none(name):
    assert condition_named(name, Source.NIH) is None


@pytest.mark.parametrize("source", Source)
def test_no_source_spells_one_name_for_two_conditions(source):
    folded = [name.replace("_", " ").casefold() for name in spellings(source)]
    assert len(folded) == len(set(folded))


@pytest.mark.parametrize("state", State)
def test_codes_lead_back_to_their_state(state):
    assert state_of_code(STATE_CODES[state]) is state


def test_an_empty_cell_read_as_nan_is_blank_and_never_uncertain():
    assert state_of_code(float("nan")) is State.BLANK
    assert state_of_code(-1.0) is State.UNCERTAIN


@given(st.floats(allow_nan=False).filter(lambda code: code not in (1.0, 0.0, -1.0)))
def test_any_other_number_is_refused(code):
    with pytest.raises(ValueError, match="is not a label"):
        state_of_code(code)


def test_chexberts_classes_are_its_published_ones():
    assert [state.value for state in CHEXBERT_CLASSES] == ["blank", "positive", "negative", "uncertain"]


@pytest.mark.real_data
def test_every_label_of_the_nih_table_is_known_or_known_to_have_no_counterpart(shared_data: Path):
    table = next(iter((shared_data / "images" / "nih").glob("labels_512.csv")))
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    labels = {label for row in rows for label in row["Finding Labels"].split("|")}
    unknown = {label for label in labels if condition_named(label, Source.NIH) is None}
    assert unknown <= {"Emphysema", "Fibrosis", "Hernia"}
    assert len(labels) > 10
