"""NIH ChestX-ray14: labels by name, splits by patient."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.datasets import DatasetError, Split, split_of
from kdistill_core.datasets.nih import KNOWN_CONDITIONS, findings_of, read_nih
from kdistill_core.datasets.splits import Shares
from kdistill_core.tables import TableError

HEADER = ["Image Index", "Finding Labels", "Patient ID", "Patient Age", "Patient Gender", "View Position"]


def states(labels: str) -> dict[Condition, State]:
    return {finding.condition: finding.state for finding in findings_of(labels.split("|"))}


def test_no_finding_makes_every_condition_negative_that_the_set_knows() -> None:
    found = states("No Finding")
    assert list(found) == list(CONDITIONS)
    assert found[Condition.NO_FINDING] is State.POSITIVE
    for condition in CONDITIONS:
        if condition in {Condition.ENLARGED_CARDIOMEDIASTINUM, Condition.FRACTURE, Condition.SUPPORT_DEVICES}:
            assert found[condition] is State.BLANK  # the set does not label these
        elif condition is not Condition.NO_FINDING:
            assert found[condition] is State.NEGATIVE
    assert len(KNOWN_CONDITIONS) == 11


def test_labels_are_mapped_by_name_and_closed_under_the_hierarchy() -> None:
    found = states("Effusion|Mass|Cardiomegaly")
    positive = {condition for condition, state in found.items() if state is State.POSITIVE}
    assert positive == {
        Condition.PLEURAL_EFFUSION,
        Condition.LUNG_LESION,
        Condition.LUNG_OPACITY,  # a lesion is an opacity
        Condition.CARDIOMEGALY,
    }
    # Implied by cardiomegaly, but never negative in this set: a positive there would only tell the set apart.
    assert found[Condition.ENLARGED_CARDIOMEDIASTINUM] is State.BLANK
    assert found[Condition.NO_FINDING] is State.NEGATIVE


def test_a_label_without_counterpart_is_neither_normal_nor_a_finding() -> None:
    found = states("Hernia")
    assert found[Condition.NO_FINDING] is State.BLANK
    assert State.POSITIVE not in found.values()


def test_a_foreign_label_is_refused_by_name() -> None:
    with pytest.raises(DatasetError, match="Airspace Disease"):
        findings_of(["Airspace Disease"])


def write_set(folder: Path, rows: list[list[str]], missing: int = 0) -> tuple[Path, Path]:
    images, table = folder / "images", folder / "labels.csv"
    images.mkdir()
    for row in rows[: len(rows) - missing]:
        Image.new("L", (8, 8)).save(images / f"{Path(row[0]).stem}.jpg")
    with table.open("w", newline="") as stream:
        csv.writer(stream).writerows([HEADER, *rows])
    return images, table


def test_images_are_found_by_stem_and_carry_their_patient(tmp_path: Path) -> None:
    rows = [
        ["00000001_000.png", "Effusion", "1", "057Y", "F", "PA"],
        ["00000002_000.png", "Mass", "2", "80", "M", "AP"],
    ]
    (study,) = read_nih(*write_set(tmp_path, rows, missing=1))
    (image,) = study.images
    assert Path(image.source.path).name == "00000001_000.jpg"
    assert study.patient.id == "1"
    assert study.patient.age == "057Y"
    assert image.view_position == "PA"


def test_a_table_of_something_else_is_refused(tmp_path: Path) -> None:
    images, table = write_set(tmp_path, [])
    table.write_text("a,b\n1,2\n")
    with pytest.raises(TableError, match="Image Index"):
        read_nih(images, table)
    with pytest.raises(TableError, match=r"nowhere\.csv"):
        read_nih(images, tmp_path / "nowhere.csv")


def test_an_empty_image_folder_is_refused(tmp_path: Path) -> None:
    rows = [["00000001_000.png", "Effusion", "1", "57", "F", "PA"]]
    with pytest.raises(DatasetError, match="No image"):
        read_nih(*write_set(tmp_path, rows, missing=1))


def test_splits_have_about_the_shares_asked_for() -> None:
    counted = Counter(split_of("nih", str(patient), Shares(0.1, 0.2)) for patient in range(20000))
    assert counted[Split.TEST] / 20000 == pytest.approx(0.2, abs=0.01)
    assert counted[Split.VALIDATION] / 20000 == pytest.approx(0.1, abs=0.01)


def test_splits_never_change() -> None:
    # From `printf nih:1 | sha256sum`, its first 16 digits over 16 ** 16, against 0.18 and 0.28. A change here would let
    # test patients into training.
    assert [split_of("nih", str(patient)).value for patient in (1, 2, 3, 1337, 1338)] == [
        "test",
        "train",
        "train",
        "train",
        "train",
    ]


@pytest.mark.real_data
def test_patients_never_cross_between_the_two_parts_of_the_real_set(shared_data: Path) -> None:
    root = shared_data / "images" / "nih"
    parts = [read_nih(root / side, root / f"labels_{side}.csv") for side in ("512", "128")]
    assert [len(part) for part in parts] == [1307, 7427]
    of_patient: dict[str, set[str]] = {}
    studies = [study for part in parts for study in part]
    for study in studies:
        of_patient.setdefault(study.patient.id, set()).add(study.split)
    assert all(len(splits) == 1 for splits in of_patient.values())
    share = sum(study.split == Split.TEST for study in studies) / len(studies)
    assert 0.12 < share < 0.22


@pytest.mark.real_data
def test_the_real_labels_are_counted_as_a_plain_reading_of_the_table_counts_them(shared_data: Path) -> None:
    root = shared_data / "images" / "nih"
    studies = read_nih(root / "512", root / "labels_512.csv")
    with (root / "labels_512.csv").open(newline="") as stream:
        rows = [row["Finding Labels"].split("|") for row in csv.DictReader(stream)]

    def positives(condition: Condition) -> int:
        return sum(
            finding.state is State.POSITIVE
            for study in studies
            for finding in study.findings
            if finding.condition is condition
        )

    assert positives(Condition.PLEURAL_EFFUSION) == sum("Effusion" in row for row in rows)
    assert positives(Condition.LUNG_LESION) == sum("Mass" in row or "Nodule" in row for row in rows)
    assert positives(Condition.NO_FINDING) == sum(row == ["No Finding"] for row in rows)
