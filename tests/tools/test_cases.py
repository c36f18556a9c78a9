"""The bundled cases are what the manual says of them."""

from __future__ import annotations

import json

import pydicom
import pytest

from kdistill_core.conditions import CONDITIONS, Condition
from kdistill_core.imaging import read_radiograph
from kdistill_core.imaging.screening import screen
from kdistill_core.resources import resource

CASES = sorted(path.stem for path in resource("cases").glob("*.dcm"))
SHOWN = {
    "effusion": Condition.PLEURAL_EFFUSION,
    "pneumothorax": Condition.PNEUMOTHORAX,
    "cardiomegaly": Condition.CARDIOMEGALY,
    "normal": Condition.NO_FINDING,
}


def truth(case: str) -> dict:
    return json.loads(resource(f"cases/{case}.truth.json").read_text(encoding="utf-8"))


def test_the_cases_are_those_of_the_manual():
    assert set(CASES) == set(SHOWN)


@pytest.mark.parametrize("case", CASES)
def test_a_case_is_taken_for_a_frontal_chest_radiograph(case):
    assert screen(read_radiograph(resource(f"cases/{case}.dcm"))) is None


@pytest.mark.parametrize("case", CASES)
def test_a_cases_truth_is_complete_and_holds_what_the_case_shows(case):
    states = {finding["condition"]: finding["state"] for finding in truth(case)["findings"]}
    assert list(states) == list(CONDITIONS)
    assert states[SHOWN[case]] == "positive"
    assert (states[Condition.NO_FINDING] == "positive") is (case == "normal")


@pytest.mark.parametrize("case", CASES)
def test_a_case_says_that_no_such_person_exists(case):
    dataset = pydicom.dcmread(resource(f"cases/{case}.dcm"), stop_before_pixels=True)
    assert dataset.PatientIdentityRemoved == "YES"
    assert "imulated" in dataset.PatientComments
