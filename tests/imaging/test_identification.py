"""Patient, date and sides in words: a slip here is a mix-up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kdistill_core.imaging.identification import (
    SideMarkers,
    display_age,
    display_name,
    patient_line,
    patient_lines,
    side_markers,
)
from kdistill_core.records import ImageSource, Patient, Radiograph


@pytest.fixture
def make_radiograph() -> Callable[..., Radiograph]:
    def make(**fields) -> Radiograph:
        described = {
            "patient": Patient(id="P-17", name="Doe^Jane", sex="F", age="057Y"),
            "view_position": "PA",
            "study_date": "20240131",
        }
        return Radiograph(np.zeros((2, 2), np.float32), ImageSource("made-up.dcm"), "", **{**described, **fields})

    return make


def test_patient_is_named_with_id_sex_age_and_date(make_radiograph):
    assert patient_lines(make_radiograph()) == ("Doe, Jane", "ID P-17", "F, 57 y", "2024-01-31")


def test_missing_patient_data_is_said_to_be_missing(make_radiograph):
    assert patient_lines(make_radiograph(patient=Patient(), study_date="")) == (
        "no name in file",
        "no ID in file",
        "no sex or age in file",
        "no study date in file",
    )


def test_birth_date_stands_in_for_a_missing_age(make_radiograph):
    patient = Patient(id="1", sex="M", birth_date="19400305")
    assert patient_lines(make_radiograph(patient=patient))[2] == "M, born 1940-03-05"


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("Adams^John Robert Quincy^^Rev.^B.A. M.Div.", "Adams, John Robert Quincy Rev. B.A. M.Div."),  # PS3.5 6.2.1.1
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada, Tarou"),
        ("=山田^太郎", "山田, 太郎"),
        ("Doe", "Doe"),
        ("^Jane", "Jane"),
        ("^^^^", ""),
        ("", ""),
    ],
)
def test_names_are_written_as_people_write_them(stored, shown):
    assert display_name(stored) == shown


@pytest.mark.parametrize(
    ("stored", "shown"),
    [("057Y", "57 y"), ("006M", "6 mo"), ("003W", "3 wk"), ("010D", "10 d"), ("57", "57"), ("", "")],
)
def test_ages_carry_their_unit(stored, shown):
    assert display_age(stored) == shown


@pytest.mark.parametrize("view", ["PA", "AP", "pa"])
def test_frontal_view_without_orientation_has_assumed_sides(make_radiograph, view):
    markers = side_markers(make_radiograph(view_position=view))
    assert markers == SideMarkers(left="R", right="L", note="assumed")


@pytest.mark.parametrize("view", ["", "LATERAL", "LL", "AP LLD", "LAO"])
def test_sides_are_never_guessed_for_other_views(make_radiograph, view):
    assert side_markers(make_radiograph(view_position=view)) == SideMarkers(note="side not stated")


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (("L", "F"), SideMarkers(left="R", right="L")),
        (("R", "F"), SideMarkers(left="L", right="R")),  # stored as seen from behind
        (("A", "F"), SideMarkers(left="P", right="A")),  # lateral
        (("P", "FL"), SideMarkers(left="A", right="P")),
        (("L", "H"), SideMarkers(left="R", right="L", top="F", bottom="H")),  # upside down
        (("F", "R"), SideMarkers(left="H", right="F", top="L", bottom="R")),  # on its side
    ],
)
def test_stated_orientation_decides_the_markers(make_radiograph, orientation, expected):
    assert side_markers(make_radiograph(patient_orientation=orientation)) == expected


def test_unreadable_orientation_is_not_taken_for_a_statement(make_radiograph):
    radiograph = make_radiograph(patient_orientation=("", ""), view_position="LATERAL")
    assert side_markers(radiograph) == SideMarkers(note="side not stated")


def test_one_line_names_patient_and_study(make_radiograph):
    patient = Patient(id=" P-17 ", name="Yamada^Tarou=山田^太郎", birth_date="19400305")
    radiograph = make_radiograph(patient=patient, study_date="20240131")
    assert patient_line(radiograph) == "Yamada, Tarou · ID P-17 · born 1940-03-05 · study of 2024-01-31"


def test_a_file_without_patient_is_said_to_have_none(make_radiograph):
    assert patient_line(make_radiograph(patient=Patient(), study_date="")) == "The file names no patient"
