"""What each side of the distillation sees: the one trap of this design."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.datasets.cache import PixelCache
from kdistill_core.distillation.augmentation import Augmentation
from kdistill_core.distillation.batches import LABELS, STUDENT_INPUTS, TEACHER_TARGETS, Collator, DistillationDataset
from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.targets import STUDENT_ROLES, TeacherTargets, teacher_targets, told
from kdistill_core.records import Finding, Patient, Rationale, RationaleAuthor, Report, Sentence, Side, Span, Study
from kdistill_core.student.processing import StudentProcessor
from kdistill_core.student.tiny import tiny_student

REPORT = "Zebra words that only the radiologist wrote: large left effusion."
K = len(CONDITIONS)


class RecordingTeacher:
    """A teacher that remembers everything it was given."""

    def __init__(self) -> None:
        self.given: list[Sequence[Finding]] = []

    def compose(self, findings: Sequence[Finding], *, roles: object = None, variant: int = 0) -> Rationale:
        assert roles == STUDENT_ROLES
        self.given.append(findings)
        said = {finding.condition: f"There is {finding.condition.value} {variant}." for finding in findings}
        said = said or {Condition.NO_FINDING: "Nothing is seen."}
        text, sentences = "", []
        for condition, sentence in said.items():
            sentences.append(Sentence(Span(len(text), len(text) + len(sentence)), condition, State.POSITIVE))
            text += f"{sentence} "
        return Rationale(text.strip(), RationaleAuthor.KNOWLEDGE, tuple(sentences))


def study(number: int, *positive: Condition) -> Study:
    findings = tuple(
        Finding(
            condition,
            State.POSITIVE if condition in positive else State.BLANK,
            probability=0.7,
            side=Side.LEFT if condition in positive else None,
            evidence=(Span(0, 5),),
        )
        for condition in CONDITIONS
    )
    return Study(f"case-{number}", Patient(id=str(number)), report=Report(REPORT), findings=findings)


@pytest.fixture(name="cases")
def make_cases() -> PixelCache:
    studies = (
        study(0, Condition.PLEURAL_EFFUSION),
        study(1, Condition.PNEUMONIA, Condition.CONSOLIDATION, Condition.LUNG_OPACITY),
        study(2, Condition.PLEURAL_EFFUSION),
        study(3),
    )
    pixels = np.random.default_rng(0).integers(0, 256, (4, 64, 64)).astype(np.uint8)
    return PixelCache(pixels, studies)


@pytest.fixture(name="processor", scope="module")
def make_processor() -> StudentProcessor:
    return tiny_student()[1]


def targets_of(cases: PixelCache, teacher: RecordingTeacher, seen: list[Sequence[str]] | None = None) -> TeacherTargets:
    def embed(texts: Sequence[str]) -> np.ndarray:
        if seen is not None:
            seen.append(texts)
        return np.stack([np.full(8, len(text), dtype=np.float32) for text in texts])

    return teacher_targets([case.findings for case in cases.studies], teacher, embed, variants=2)


def batch_of(cases: PixelCache, processor: StudentProcessor) -> dict[str, torch.Tensor]:
    dataset = DistillationDataset(cases, targets_of(cases, RecordingTeacher()))
    return Collator(processor, max_text_length=64)([dataset[index] for index in range(len(dataset))])


def test_the_student_is_given_pixels_and_the_teachers_rationale_never_a_report(
    cases: PixelCache, processor: StudentProcessor
) -> None:
    batch = batch_of(cases, processor)
    assert set(batch) == STUDENT_INPUTS | TEACHER_TARGETS | LABELS
    assert set(STUDENT_INPUTS) == {"pixel_values"}
    assert batch["pixel_values"].shape == (4, 1, 64, 64)
    for row, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True):
        text = processor.tokenizer.decode(row[mask.bool()], skip_special_tokens=True)
        assert text.startswith(("There is Pleural Effusion", "There is Pneumonia", "Nothing is seen"))
        assert "Zebra" not in text


def test_the_teacher_is_given_findings_and_never_pixels_or_report_words(cases: PixelCache) -> None:
    teacher, texts = RecordingTeacher(), []
    targets_of(cases, teacher, texts)
    assert teacher.given
    for findings in teacher.given:
        for finding in findings:
            assert isinstance(finding, Finding)
            values = [getattr(finding, field.name) for field in dataclasses.fields(finding)]
            assert not [value for value in values if isinstance(value, np.ndarray)]
            assert finding.evidence == ()  # where in the report it stood is the report's
            assert finding.probability is None
    assert "Zebra" not in " ".join(text for call in texts for text in call)


def test_the_teacher_is_told_the_most_specific_findings(cases: PixelCache) -> None:
    assert [finding.condition for finding in told(cases.studies[1].findings)] == [Condition.PNEUMONIA]
    assert told(cases.studies[3].findings) == ()


def test_equal_findings_make_a_group_and_are_put_to_the_teacher_once(cases: PixelCache) -> None:
    teacher = RecordingTeacher()
    targets = targets_of(cases, teacher)
    assert targets.groups.tolist() == [0, 1, 0, 2]
    assert len(teacher.given) == 3 * 2  # three kinds of case, two variants
    assert np.array_equal(targets.embeddings[0], targets.embeddings[2])


def test_a_rationale_is_embedded_as_the_mean_of_its_sentences(cases: PixelCache) -> None:
    both = study(9, Condition.PLEURAL_EFFUSION, Condition.FRACTURE)
    asked: list[Sequence[str]] = []
    targets = targets_of(PixelCache(cases.pixels[:1], (both,)), RecordingTeacher(), asked)
    assert asked == [["There is Pleural Effusion 0.", "There is Fracture 0."]]
    assert targets.embeddings[0].tolist() == [(28 + 20) / 2] * 8


def test_padding_and_blanks_are_masked(cases: PixelCache, processor: StudentProcessor) -> None:
    batch = batch_of(cases, processor)
    assert ((batch["labels"] == -100) == (batch["attention_mask"] == 0)).all()
    assert batch["condition_labels"].isnan().sum() == 4 * K - 5
    assert batch["condition_states"].sum(1).tolist() == [1.0, 1.0, 1.0, 1.0]


def test_pixels_reach_the_student_as_the_processor_makes_them_at_inference(
    cases: PixelCache, processor: StudentProcessor
) -> None:
    expected = processor.pixel_values(cases.pixels.astype(np.float32) / 255)
    assert torch.equal(batch_of(cases, processor)["pixel_values"], expected)


def test_images_whose_text_names_a_side_are_not_flipped(cases: PixelCache, processor: StudentProcessor) -> None:
    dataset = DistillationDataset(cases, targets_of(cases, RecordingTeacher()))
    flipping = Collator(processor, max_text_length=64, augmentation=Augmentation(flip=0.5))
    examples = [dataset[index] for index in range(len(dataset))]
    assert flipping(examples)["pixel_values"].shape == (4, 1, 64, 64)
    sided = dataclasses.replace(examples[1], text="There is a left pneumothorax.")
    with pytest.raises(DistillationError, match="left pneumothorax"):
        flipping([examples[0], sided])
    assert Collator(processor, max_text_length=64, augmentation=Augmentation())([sided])["labels"].shape[0] == 1
