"""Reports of a noise level: of what the image shows, the same every time, and less of it with more noise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.labeling import label_report
from kdistill_core.phantom import simulate
from training.experiment.errors import ExperimentError
from training.experiment.reports import ReportStore, codes_of, noisy_report, read_reports
from training.experiment.settings import Noise
from training.experiment.texts import ordered_report

_SEEDS = range(700, 760)


@pytest.mark.parametrize("seed", [700, 703])
def test_a_report_is_written_of_what_the_image_shows(seed: int) -> None:
    _, written_from = noisy_report(seed, Noise("any", 0.3))
    assert written_from == simulate(seed, 64, 64).findings


def test_the_same_seed_and_noise_give_the_same_text() -> None:
    for seed in _SEEDS[:5]:
        assert noisy_report(seed, Noise("one", 0.4)) == noisy_report(seed, Noise("another", 0.4))


def test_more_is_left_out_at_the_higher_level() -> None:
    def share_left_out(omission: float) -> float:
        left_out = present = 0
        for seed in _SEEDS:
            text, found = noisy_report(seed, Noise("any", omission))
            said = {finding.condition: finding.state for finding in label_report(text)}
            there = [finding.condition for finding in found if finding.state is State.POSITIVE]
            present += len(there)
            left_out += sum(said[condition] is State.BLANK for condition in there)
        return left_out / present

    none, low, high = (share_left_out(omission) for omission in (0.0, 0.12, 0.4))
    assert none < low < high
    assert high - none > 0.15


def test_what_was_read_is_kept_and_a_cache_of_another_simulator_refused(tmp_path: Path) -> None:
    noise = Noise("any", 0.2)
    shown = [noisy_report(seed, noise)[1] for seed in _SEEDS[:3]]
    store = ReportStore(noise, tmp_path)
    read = store.of("train", _SEEDS[:3], shown)
    assert store.of("train", (), ()) == read  # from the file alone
    with pytest.raises(ExperimentError, match="report on phantom 700 would be about other findings"):
        ReportStore(noise, tmp_path / "elsewhere").of("train", _SEEDS[:1], [shown[0][:-1]])


def test_codes_are_one_a_condition() -> None:
    (read,) = read_reports(["Possible edema. There is a left pleural effusion. No pneumothorax."])
    codes = codes_of([read.teacher])[0]
    assert codes[CONDITIONS.index(Condition.EDEMA)] == -1
    assert codes[CONDITIONS.index(Condition.PLEURAL_EFFUSION)] == 1
    assert codes[CONDITIONS.index(Condition.PNEUMOTHORAX)] == 0
    assert np.isnan(codes[CONDITIONS.index(Condition.FRACTURE)])
    assert len(read.findings) == len(CONDITIONS)


def test_a_report_is_put_in_anatomical_order_once_and_without_numbers() -> None:
    text = (
        "INDICATION: Fall.\nFINDINGS: 1. There is a left pleural effusion.\n2. The heart is enlarged.\n"
        "3. There is a left pleural effusion.\nIMPRESSION: Pleural effusion."
    )
    assert ordered_report(text) == "The heart is enlarged. There is a left pleural effusion."


def test_findings_carry_side_and_severity_as_far_as_they_are_said() -> None:
    (read,) = read_reports(["Large right pleural effusion."])
    effusion = next(finding for finding in read.findings if finding.condition is Condition.PLEURAL_EFFUSION)
    assert (effusion.side, effusion.severity) == ("right", "large")
    assert replace(effusion, side=None, severity=None, evidence=()).state is State.POSITIVE
