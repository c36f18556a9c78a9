"""The experiment on real images: who is in which split, what is masked, what arms learn, and a miniature of a cell."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
import yaml
from jsonargparse import ActionConfigFile, ArgumentParser
from PIL import Image
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from kdistill_core.condition_table import table_of_findings
from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.datasets import Split
from kdistill_core.datasets.nih import findings_of
from kdistill_core.distillation.batches import Collator
from kdistill_core.evaluation.label_counts import count_labels
from kdistill_core.labeling import label_report, with_implied
from kdistill_core.records import Finding
from kdistill_core.teacher.library import RationaleLibrary
from training.experiment.answers import ANSWERS, PREDICTIONS, Answers
from training.experiment.arms import ARMS
from training.experiment.cases import ExperimentCases
from training.experiment.errors import ExperimentError
from training.experiment.examples import ArmExamples
from training.experiment.fitting import HEADS, new_student, objective_of, stages_of
from training.experiment.folders import MARKER
from training.experiment.running import CURVES
from training.experiment.settings import BudgetSettings, CaseSettings, StudentSettings
from training.real_images.cases import MAPPED, UNMAPPED, joined, label_text, real_cases, reduced, with_label_texts
from training.real_images.cells import BOTH, DATA, budgets
from training.real_images.page import write_page
from training.real_images.running import do, materials, run_cells, targets_of, without_unmapped
from training.real_images.scoring import (
    MACRO_TEXT_F1,
    MICRO_AUC,
    MICRO_TEXT_F1,
    SCORES,
    auc_of,
    blind_statistics,
    cell_statistics,
    precision_of,
)
from training.real_images.settings import RealImageSettings

_CONFIGS = Path(__file__).parents[2] / "training" / "configs"
_SIDE = 32
_STUDENT = StudentSettings(
    backbone={
        "model_type": "resnet", "num_channels": 1, "embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1],
        "layer_type": "basic", "out_features": ["stage1", "stage2"],
    },
    text={
        "model_type": "llama", "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 64,
    },
    image_size=_SIDE, feature_size=16, vocabulary=300, text_length=32,
)  # fmt: skip
_LABELS = (
    "No Finding",
    "Effusion",
    "Infiltration|Effusion",
    "Mass",
    "Hernia",
    "Cardiomegaly",
    "No Finding",
    "Pneumonia",
)


@pytest.fixture(scope="module")
def library() -> RationaleLibrary:
    return RationaleLibrary.load()


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> RealImageSettings:
    """A miniature: 120 images of 80 patients, 12 phantoms, a handful of steps."""
    root = tmp_path_factory.mktemp("nih")
    (root / "32").mkdir()
    random = np.random.default_rng(0)
    header = ["Image Index", "Finding Labels", "Patient ID", "Patient Age", "Patient Gender", "View Position"]
    with (root / "labels_32.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(header)
        for number in range(120):
            patient = number % 80
            name = f"{patient:08d}_{number:03d}.png"
            table.writerow([name, _LABELS[number % len(_LABELS)], patient, 50, "F", "PA"])
            pixels = random.integers(0, 256, (_SIDE, _SIDE), dtype=np.uint8)
            Image.fromarray(pixels).save(root / "32" / f"{name.removesuffix('.png')}.jpg")
    return RealImageSettings(
        root / "32",
        root / "labels_32.csv",
        _STUDENT,
        seeds=1,
        phantoms=CaseSettings(train=12, validation=0, test=0, side=64, cache=root / "cache", workers=1),
        budget=BudgetSettings(heads=2, decoder=2, all=2, batch_size=8, validation_steps=2, log_steps=1),
        decoding_samples=2,
        variants=2,
        resamples=50,
    )


@pytest.fixture(scope="module")
def asked(settings: RealImageSettings) -> RealImageSettings:
    """One cell of the miniature: arm d on both, which has two phases."""
    return replace(settings, arms=("d",), data=(BOTH,))


@pytest.fixture(scope="module")
def finished(asked: RealImageSettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where that cell was run."""
    out, said = tmp_path_factory.mktemp("real-images"), list[str]()
    run_cells(asked.cells, asked, out, 1, said.append)
    assert said[-1].startswith(f"1 of 1: {asked.cells[0].name}")
    return out


def findings(*positive: Condition, normal: State = State.NEGATIVE) -> tuple[Finding, ...]:
    """Return the truth of a phantom: all 14 findings, none of them blank."""
    states = {condition: State.POSITIVE if condition in positive else State.NEGATIVE for condition in CONDITIONS}
    states[Condition.NO_FINDING] = normal
    return tuple(Finding(condition, states[condition]) for condition in CONDITIONS)


def test_no_patient_is_in_two_splits_and_every_image_in_one(settings: RealImageSettings) -> None:
    splits = [real_cases(settings, split) for split in Split]
    assert all(len(cases) for cases in splits)
    for first, second in combinations(splits, 2):
        assert not set(first.patients) & set(second.patients)
    everything = Counter(case for cases in splits for case in cases.ids)
    assert set(everything.values()) == {1}
    train = splits[list(Split).index(Split.TRAIN)]
    # Left out are the training images of a hernia alone, of which no rationale could speak.
    hernias = sum(1 for label in (_LABELS * 15) if label == "Hernia")
    assert 120 - hernias <= sum(everything.values()) <= 120
    assert all(any(f.state is State.POSITIVE for f in found) for found in train.truth)


def test_a_missing_folder_is_named_with_what_to_do(settings: RealImageSettings, tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=r"folder of NIH images .*nowhere is missing") as error:
        real_cases(replace(settings, images=tmp_path / "nowhere"), Split.TEST)
    assert "real.images" in error.value.advice
    with pytest.raises(ExperimentError, match=r"table of NIH labels .*nowhere\.csv is missing"):
        real_cases(replace(settings, table=tmp_path / "nowhere.csv"), Split.TEST)


def test_labels_of_a_phantom_are_those_that_nih_would_have_given() -> None:
    seen = reduced(findings(Condition.PLEURAL_EFFUSION, Condition.FRACTURE))
    assert seen == findings_of(["Effusion"])
    assert reduced(findings(normal=State.POSITIVE)) == findings_of(["No Finding"])
    # Something is there that NIH has no label for, as a hernia has none among ours: not normal, and nothing known.
    assert reduced(findings(Condition.FRACTURE)) == findings_of(["Hernia"])


def test_sides_and_severities_of_phantoms_are_not_told() -> None:
    from kdistill_core.phantom import simulate

    for number in range(3):
        for finding in reduced(simulate(number, 64, 64).findings):
            assert finding == Finding(finding.condition, finding.state)


@pytest.mark.parametrize(
    "labels", ["No Finding", "Effusion", "Mass|Pneumonia", "Edema|Cardiomegaly|Pneumothorax", "all"]
)
def test_sentences_of_labels_are_read_back_as_the_labels(labels: str, library: RationaleLibrary) -> None:
    names = "Atelectasis Cardiomegaly Consolidation Edema Effusion Infiltration Mass Pleural_Thickening Pneumonia"
    given = findings_of([*names.split(), "Pneumothorax"] if labels == "all" else labels.split("|"))
    text = label_text(given, library)
    read = {finding.condition: finding.state for finding in label_report(text)}
    for finding in given:
        if finding.condition is Condition.NO_FINDING and finding.state is State.NEGATIVE:
            assert read[finding.condition] is State.BLANK  # the labeler's word for it, as CheXpert's
        else:
            assert read[finding.condition] is finding.state
    assert text.count(".") == 10 + (labels == "No Finding")


def test_only_mapped_conditions_are_in_the_loss_of_a_batch(settings: RealImageSettings) -> None:
    shared = materials(settings, 0)
    cases = joined(shared.phantoms, shared.real)
    masked = [CONDITIONS.index(condition) for condition in UNMAPPED]
    for name in settings.arms:
        targets = targets_of(ARMS[name], cases, shared.teacher)
        assert np.isnan(targets.labels[:, masked]).all()
        assert not targets.teacher.states[:, masked].any()
    student = new_student(settings.harness, shared.processor, 0, shared.alignment_size)
    without_unmapped(student)
    examples = ArmExamples(cases, targets_of(ARMS["d"], cases, shared.teacher), 1)
    batch = Collator(shared.processor, _STUDENT.text_length)([examples[at] for at in range(len(examples))])
    objective = objective_of(ARMS["b"], settings.harness, settings.choice)
    (stage,) = stages_of(ARMS["b"], HEADS, settings.harness, settings.choice)
    objective(student, batch, dict(stage.weights))[0].backward()
    gradient = student.condition_queries.bias.grad
    assert gradient is not None
    assert not gradient[masked].any()
    assert gradient[[CONDITIONS.index(condition) for condition in (Condition.LUNG_LESION, Condition.NO_FINDING)]].all()
    with torch.inference_mode():
        logits = student.eval().encode(batch["pixel_values"]).condition_logits
    assert logits is not None
    assert (logits[:, masked] < -5).all()


def test_scores_are_those_of_scikit_learn_and_know_nothing_of_masked_conditions() -> None:
    cases, answers = _answered()
    found = cell_statistics(cases, answers)
    columns = [CONDITIONS.index(condition) for condition in MAPPED]
    truth = table_of_findings(cases.ids, cases.truth).values[:, columns]
    given, known = answers.probabilities[:, columns], ~np.isnan(truth)
    assert found.value(MICRO_AUC) == pytest.approx(roc_auc_score(truth[known], given[known]))
    for condition in (Condition.LUNG_LESION, Condition.NO_FINDING):
        at = MAPPED.index(condition)
        own = known[:, at]
        assert found.value(auc_of(condition)) == pytest.approx(roc_auc_score(truth[own, at], given[own, at]))
        expected = average_precision_score(truth[own, at], given[own, at])
        assert found.value(precision_of(condition)) == pytest.approx(expected)
    said = table_of_findings(cases.ids, [with_implied(label_report(text)) for text in answers.texts]).values[:, columns]
    stated, there = (said == 1) & known, (truth == 1) & known
    assert found.value(MICRO_TEXT_F1) == pytest.approx(f1_score(there.ravel(), stated.ravel()))
    assert found.value(MACRO_TEXT_F1) == pytest.approx(f1_score(there, stated, average="macro", zero_division=0))

    other = answers.probabilities.copy()
    other[:, [CONDITIONS.index(condition) for condition in UNMAPPED]] = np.random.default_rng(1).random((len(cases), 3))
    texts = tuple(f"{text} There is a fracture. There is a support device." for text in answers.texts)
    changed = cell_statistics(cases, replace(answers, probabilities=other, texts=texts))
    assert {name: changed.value(name) for name in changed.by_name} == {
        name: found.value(name) for name in found.by_name
    }


def test_prevalence_alone_ranks_no_condition() -> None:
    cases, _ = _answered()
    blind = blind_statistics(cases, count_labels(cases.truth))
    assert blind.value(auc_of(Condition.PLEURAL_EFFUSION)) == 0.5
    positive = np.nanmean(table_of_findings(cases.ids, cases.truth).column(Condition.PLEURAL_EFFUSION))
    assert blind.value(precision_of(Condition.PLEURAL_EFFUSION)) == pytest.approx(positive)


def test_phases_have_as_many_steps_together_as_one_alone() -> None:
    whole = BudgetSettings(heads=401, decoder=150, all=3)
    first, second = budgets(whole, 2)
    assert (first.heads, first.decoder, first.all) == (200, 75, 1)
    assert (second.heads, second.decoder, second.all) == (201, 75, 2)
    assert budgets(whole, 1) == (whole,)


def test_the_student_is_that_of_the_experiment_on_phantoms() -> None:
    ours, theirs = (yaml.safe_load((_CONFIGS / f"{name}.yaml").read_text()) for name in ("real-images", "experiment"))
    assert ours["real"]["student"] == theirs["experiment"]["student"]
    assert ours["real"]["phantoms"]["side"] == theirs["experiment"]["cases"]["side"]
    assert ours["real"]["phantoms"]["train"] == theirs["experiment"]["cases"]["train"]
    parser = ArgumentParser()
    parser.add_argument("--config", action=ActionConfigFile)
    parser.add_argument("--real", type=RealImageSettings)
    shipped = parser.instantiate(parser.parse_args(["--config", str(_CONFIGS / "real-images.yaml")])).real
    assert len(shipped.cells) == 3 * 3 * 3
    assert shipped.data == tuple(DATA)


@pytest.mark.timeout(120)
def test_a_miniature_is_trained_and_written_up(
    settings: RealImageSettings, asked: RealImageSettings, finished: Path, tmp_path: Path
) -> None:
    page = write_page(asked, finished, tmp_path / "results.md", "a command", whole=settings).read_text()
    assert page.startswith("# Does the simulator help on real radiographs?")
    assert "Research software" in page
    assert "**This is a part of the experiment**: arms d on both" in page
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    assert f"Trained on: {device}, 1 trainings." in page
    header, row = (
        next(line for line in page.splitlines() if line.startswith(f"| {start} |")) for start in ("Trained on", "both")
    )
    assert header.count("|") == row.count("|") == len(SCORES) + 3
    curves = msgspec.json.decode((asked.cells[0].folder(finished) / CURVES).read_bytes())
    assert list(curves) == [f"{images}: {part}" for images in DATA[BOTH] for part in ("heads", "texts")]


@pytest.mark.timeout(120)
def test_a_finished_cell_is_not_trained_again(
    asked: RealImageSettings, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a finished cell is trained again")

    (cell,) = asked.cells
    monkeypatch.setattr("training.real_images.running._train", fail)
    marker = (cell.folder(finished) / MARKER).read_bytes()
    assert not do(cell, asked, finished)
    run_cells(asked.cells, asked, finished, 1, fail)
    assert (cell.folder(finished) / MARKER).read_bytes() == marker
    with pytest.raises(ExperimentError, match=r"other settings: budget\.heads"):
        do(cell, replace(asked, budget=replace(asked.budget, heads=3)), finished)


@pytest.mark.timeout(120)
def test_a_finished_cell_is_archived_and_counts_where_its_folder_is_not(
    asked: RealImageSettings, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cell,), kept, said = asked.cells, tmp_path / "kept", list[str]()
    run_cells(asked.cells, asked, finished, 1, said.append, kept)
    monkeypatch.setattr("training.real_images.running._train", pytest.fail)
    elsewhere = tmp_path / "elsewhere"
    run_cells(asked.cells, asked, elsewhere, 1, said.append, kept)
    assert said == []
    restored, original = cell.folder(elsewhere), cell.folder(finished)
    assert {path.name for path in restored.iterdir()} == {path.name for path in original.iterdir()}
    assert all((restored / path.name).read_bytes() == path.read_bytes() for path in original.iterdir())


@pytest.mark.timeout(120)
def test_a_cell_that_was_ended_before_it_answered_goes_on_to_the_same_answers(
    asked: RealImageSettings, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    (cell,) = asked.cells
    with monkeypatch.context() as patch:
        patch.setattr("training.real_images.running.answer", killed)
        with pytest.raises(KeyboardInterrupt):
            do(cell, asked, tmp_path)
    assert do(cell, asked, tmp_path)
    for name in (ANSWERS, PREDICTIONS):
        whole, ended = ((cell.folder(run) / name).read_bytes() for run in (finished, tmp_path))
        assert whole == ended
    parts = msgspec.json.decode((cell.folder(tmp_path) / CURVES).read_bytes())
    assert all(any("validation/macro AUC" in entry for entry in curve) for curve in parts.values())


def _answered() -> tuple[ExperimentCases, Answers]:
    """Return 40 cases of mixed labels, one of which knows nothing of No Finding, and what somebody says of them."""
    random = np.random.default_rng(2)
    library = RationaleLibrary.load()
    truth = tuple(findings_of(_LABELS[at % len(_LABELS)].split("|")) for at in range(40))
    names = tuple(f"case-{at}" for at in range(40))
    cases = ExperimentCases(names, names, np.zeros((40, 2, 2), dtype=np.uint8), truth)
    written = with_label_texts(cases, library).reports
    texts = tuple(written[at].ordered for at in random.permutation(40))
    probabilities = random.random((40, len(CONDITIONS))).astype(np.float32)
    return cases, Answers(names, probabilities, (0.5,) * len(CONDITIONS), texts)
