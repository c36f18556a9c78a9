"""What each arm sees of its training cases: its report's reading, never the truth but for the ceiling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.distillation.attributes import attributes_of
from kdistill_core.distillation.batches import Collator
from kdistill_core.distillation.soft_labels import SoftLabels
from kdistill_core.labeling import label_report
from kdistill_core.records import Finding
from kdistill_core.student import StudentProcessor
from kdistill_core.student.tokenizer import train_tokenizer
from kdistill_core.teacher.knowledge import load_knowledge
from kdistill_core.teacher.library import RationaleLibrary
from training.experiment.arms import ARMS, Arm, Labels, Texts
from training.experiment.cases import ExperimentCases
from training.experiment.errors import ExperimentError
from training.experiment.examples import ArmExamples
from training.experiment.fitting import HEADS, TEXTS, stages_of
from training.experiment.reports import noisy_report, read_reports
from training.experiment.settings import Choice, ExperimentSettings, Noise, WeightSettings
from training.experiment.softening import OutOfFold, soft_labels_of
from training.experiment.targets import ArmTargets, TeacherHelp, arm_targets, codes_read, with_likely

_COUNT = 60
_PLACE = {condition: place for place, condition in enumerate(CONDITIONS)}


@pytest.fixture(scope="module")
def cases() -> ExperimentCases:
    written = [noisy_report(seed, Noise("any", 0.3)) for seed in range(500, 500 + _COUNT)]
    names = tuple(f"case-{number}" for number in range(_COUNT))
    return ExperimentCases(
        names,
        names,
        np.random.default_rng(0).integers(0, 256, (_COUNT, 32, 32), dtype=np.uint8),
        tuple(found for _, found in written),
        read_reports([text for text, _ in written]),
    )


@pytest.fixture(scope="module")
def teacher(library: RationaleLibrary) -> TeacherHelp:
    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([[len(text), text.count("a"), 1.0] for text in texts], dtype=np.float32)

    tokenizer = StudentProcessor(train_tokenizer(library.texts(), 300), image_size=32).tokenizer
    return TeacherHelp(library, embed, tokenizer, variants=2, attributes=attributes_of(load_knowledge()))


@pytest.fixture(scope="module")
def soft(cases: ExperimentCases, settings: ExperimentSettings) -> SoftLabels:
    logits = np.random.default_rng(1).normal(size=(len(cases), len(CONDITIONS))).astype(np.float32)
    return soft_labels_of(cases, OutOfFold(logits, np.arange(len(cases)) % 2), settings)


def same(one: ArmTargets, other: ArmTargets) -> bool:
    arrays = (
        (one.labels, other.labels),
        (one.soft_labels, other.soft_labels),
        (one.attributes, other.attributes),
        (one.teacher.states, other.teacher.states),
        (one.teacher.embeddings, other.teacher.embeddings),
    )
    return one.teacher.texts == other.teacher.texts and all(
        (first is None and second is None) or np.array_equal(first, second, equal_nan=True)  # type: ignore[arg-type]
        for first, second in arrays
    )


@pytest.mark.parametrize("arm", ARMS.values(), ids=list(ARMS))
def test_the_truth_reaches_the_ceiling_alone(
    arm: Arm, cases: ExperimentCases, teacher: TeacherHelp, soft: SoftLabels
) -> None:
    upside_down = tuple(
        tuple(
            Finding(finding.condition, State.NEGATIVE if finding.state is State.POSITIVE else State.POSITIVE)
            for finding in found
        )
        for found in cases.truth
    )
    given = arm_targets(arm, cases, teacher, soft)
    changed = arm_targets(arm, replace(cases, truth=upside_down), teacher, soft)
    assert same(given, changed) is not arm.sees_truth
    assert arm.sees_truth is (arm.name == "f")


@pytest.mark.parametrize("arm", ARMS.values(), ids=list(ARMS))
def test_reports_are_written_by_the_end_to_end_arms_and_by_no_other(
    arm: Arm, cases: ExperimentCases, teacher: TeacherHelp, soft: SoftLabels
) -> None:
    texts = arm_targets(arm, cases, teacher, soft).teacher.texts
    said = {report.ordered for report in cases.reports}
    if arm.texts is Texts.REPORT:
        assert [version for (version,) in texts] == [report.ordered for report in cases.reports]
    else:
        assert {len(versions) for versions in texts} == {2}
        assert not said & {version for versions in texts for version in versions}


def test_a_rationale_asserts_what_was_read_and_nothing_else(cases: ExperimentCases, teacher: TeacherHelp) -> None:
    targets = arm_targets(ARMS["d"], cases, teacher, None)
    for report, (text, _), states in zip(cases.reports, targets.teacher.texts, targets.teacher.states, strict=True):
        read = {f.condition for f in report.findings if f.state is State.POSITIVE}
        asserted = {f.condition for f in label_report(text) if f.state is State.POSITIVE}
        assert asserted - {Condition.NO_FINDING} <= read
        assert {CONDITIONS[place] for place in np.flatnonzero(states)} <= asserted | {Condition.NO_FINDING}


def test_the_teacher_reads_what_follows_and_a_labeler_does_not(cases: ExperimentCases, teacher: TeacherHelp) -> None:
    by_labeler = arm_targets(ARMS["b"], cases, teacher, None)
    by_teacher = arm_targets(ARMS["d"], cases, teacher, None)
    read = codes_read(cases)
    child, parent = _PLACE[Condition.CONSOLIDATION], _PLACE[Condition.LUNG_OPACITY]
    unsaid = (read[:, child] == 1) & np.isnan(read[:, parent])
    assert unsaid.any()
    assert (by_teacher.labels[unsaid, parent] == 1).all()
    assert not (by_labeler.labels[unsaid, parent] == 1).any()
    # Whatever the report does say is the same to both.
    said = ~np.isnan(read) & (read != 1)
    said[:, parent] = said[:, _PLACE[Condition.ENLARGED_CARDIOMEDIASTINUM]] = False
    np.testing.assert_array_equal(by_teacher.labels[said], by_labeler.labels[said])


def test_sides_and_severities_are_known_to_arms_that_learn_from_the_teacher(
    cases: ExperimentCases, teacher: TeacherHelp, soft: SoftLabels, settings: ExperimentSettings
) -> None:
    settings = replace(settings, weights=WeightSettings(concept=2.0))
    for arm in ARMS.values():
        targets = arm_targets(arm, cases, teacher, soft)
        stages = [stage for part in (HEADS, TEXTS) for stage in stages_of(arm, part, settings, Choice())]
        asked = {name for stage in stages for name in stage.weights}
        assert ("concept" in asked) is (targets.attributes is not None) is arm.reads_as_teacher
        assert ("alignment" in asked) is arm.alignment
        assert ("classification" in asked) is arm.has_heads
        assert ("distillation" in asked) is arm.tokens
        if targets.attributes is not None:
            assert set(np.unique(targets.attributes[~np.isnan(targets.attributes)])) == {0, 1}


def test_soft_labels_are_the_same_to_both_arms_and_need_to_be_made(
    cases: ExperimentCases, teacher: TeacherHelp, soft: SoftLabels
) -> None:
    ours, theirs = (arm_targets(ARMS[name], cases, teacher, soft) for name in ("d+", "b+"))
    np.testing.assert_array_equal(ours.labels, theirs.labels)
    np.testing.assert_array_equal(ours.soft_labels, theirs.soft_labels)
    with pytest.raises(ExperimentError, match=r"The arm b\+ needs soft labels"):
        arm_targets(ARMS["b+"], cases, teacher, None)
    assert {arm.name for arm in ARMS.values() if arm.labels is Labels.SOFT} == {"b+", "d+"}


def test_a_likely_finding_is_told_without_side_or_severity_and_normality_never() -> None:
    (report,) = read_reports(["Large left pleural effusion."])
    likely = np.full(len(CONDITIONS), np.nan)
    likely[[_PLACE[Condition.EDEMA], _PLACE[Condition.FRACTURE], _PLACE[Condition.NO_FINDING]]] = 0.5, 0.49, 0.9
    told = {finding.condition: finding for finding in with_likely(report.findings, likely, 0.5)}
    assert (told[Condition.EDEMA].state, told[Condition.EDEMA].side) == (State.POSITIVE, None)
    assert told[Condition.FRACTURE].state is State.BLANK
    assert told[Condition.NO_FINDING].state is not State.POSITIVE
    assert told[Condition.PLEURAL_EFFUSION].side == "left"


def test_every_arm_draws_the_same_images_in_the_same_order(
    cases: ExperimentCases, teacher: TeacherHelp, soft: SoftLabels
) -> None:
    drawn = [ArmExamples(cases, arm_targets(arm, cases, teacher, soft), versions=2) for arm in ARMS.values()]
    assert {len(examples) for examples in drawn} == {2 * len(cases)}
    for index in (0, len(cases) + 7):
        keys = {examples[index].key for examples in drawn}
        assert len(keys) == 1
    versions = {drawn[4][7].text, drawn[4][len(cases) + 7].text}
    assert len(versions) == 2


@pytest.mark.parametrize("name", ["c", "d", "d+", "e"])
def test_neither_words_of_the_report_nor_pixels_reach_the_teacher_or_what_it_gives(
    name: str, cases: ExperimentCases, teacher: TeacherHelp, soft: SoftLabels
) -> None:
    asked: list[str] = []

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        asked.extend(texts)
        assert teacher.embed is not None
        return teacher.embed(texts)

    given = arm_targets(ARMS[name], cases, replace(teacher, embed=embed), soft)
    reports = tuple(replace(report, ordered="Mrs. Example fell off a ladder.") for report in cases.reports)
    other = replace(cases, reports=reports, pixels=np.zeros_like(cases.pixels[:]))
    assert same(given, arm_targets(ARMS[name], other, teacher, soft))
    assert bool(asked) is ARMS[name].alignment
    spoken = " ".join(text for versions in given.teacher.texts for text in versions)
    assert all(sentence in spoken for sentence in asked)


def test_a_batch_of_the_student_holds_the_rationale_and_no_name(cases: ExperimentCases, teacher: TeacherHelp) -> None:
    processor = StudentProcessor(teacher.tokenizer, image_size=32)
    examples = ArmExamples(cases, arm_targets(ARMS["d"], cases, teacher, None), versions=1)
    batch = Collator(processor, 400)([examples[at] for at in range(8)])
    decoded = processor.tokenizer.batch_decode(batch["input_ids"], skip_special_tokens=True)
    assert decoded == [examples[at].text for at in range(8)]
    assert all(isinstance(value, torch.Tensor) for value in batch.values())
    assert set(batch) >= {"pixel_values", "condition_labels", "concept_labels", "teacher_embeddings"}
