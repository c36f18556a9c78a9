"""What `kdistill phantom generate` writes is read back as it was simulated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kdistill_core.datasets.contract import DatasetError, Ledger, ReadOptions
from kdistill_core.datasets.masks import array_of_mask
from kdistill_core.datasets.phantom_folder import SOURCES
from kdistill_core.imaging import read_radiograph
from kdistill_core.phantom import simulate, write_cases
from kdistill_core.records import Study

(PHANTOM,) = SOURCES
SIDE, COUNT = 64, 4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_cases(COUNT, SIDE, 0, tmp_path)
    return tmp_path


def read(root: Path, options: ReadOptions) -> tuple[list[Study], dict[str, int]]:
    ledger = Ledger()
    studies = list(PHANTOM.open(root, options).iterate(ledger))
    return studies, {remark.kind: remark.count for remark in ledger.remarks()}


def test_truth_masks_and_report_come_back_as_they_were_simulated(folder: Path) -> None:
    assert PHANTOM.recognizes(folder)
    studies, remarks = read(folder, ReadOptions())
    reported, _ = read(folder, ReadOptions(labels="reported", reports=False))
    assert remarks == {}
    for seed, (study, as_reported) in enumerate(zip(studies, reported, strict=True)):
        case = simulate(seed, SIDE, SIDE)
        (image,) = study.images
        assert study.findings == case.findings
        assert as_reported.findings == case.reported
        assert as_reported.report is None
        assert study.report is not None
        assert study.report.text == case.report.text
        assert study.report.sections
        masks = {region.condition: region.mask for region in image.regions}
        assert set(masks) == set(case.masks)
        for condition, mask in case.masks.items():
            given = masks[condition]
            assert given is not None
            assert np.array_equal(array_of_mask(given), mask)
        assert read_radiograph(image.source).pixels.shape == (image.rows, image.columns) == (SIDE, SIDE)
    assert sum(len(study.images[0].regions) for study in studies) > COUNT


def test_files_that_are_gone_are_noted(folder: Path) -> None:
    (folder / "images/phantom-000000.dcm").unlink()
    (folder / "reports/phantom-000001.txt").unlink()
    next((folder / "masks").glob("*/*.png")).write_bytes(b"")
    studies, remarks = read(folder, ReadOptions())
    assert len(studies) == COUNT
    assert remarks == {"missing image": 1, "missing report": 1, "missing mask": 1}


def test_another_truth_and_another_label_set_are_refused(folder: Path) -> None:
    with pytest.raises(DatasetError, match="no label set 'chexpert'"):
        read(folder, ReadOptions(labels="chexpert"))
    (folder / "truth.json").write_text('{"seed": 0}')
    with pytest.raises(DatasetError, match=r"truth\.json"):
        read(folder, ReadOptions())
    (folder / "truth.json").unlink()
    assert not PHANTOM.recognizes(folder)
    with pytest.raises(DatasetError, match=r"no truth\.json"):
        read(folder, ReadOptions())
