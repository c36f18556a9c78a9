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
from kdistill_core.distillation.batches import (
    BOOKKEEPING,
    LABELS,
    STUDENT_INPUTS,
    TEACHER_TARGETS,
    Collator,
    DistillationDataset,
    View,
    case_key,
)
from kdistill_core.distillation.concepts import Concept, concept_labels, concepts_of
from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.targets import STUDENT_ROLES, TeacherTargets, TokenPredictions, teacher_targets, told
from kdistill_core.records import Finding, Patient, Rationale, RationaleAuthor, Report, Sentence, Side, Span, Study
from kdistill_core.student.processing import StudentProcessor
from kdistill_core.student.tiny import tiny_student
from kdistill_core.teacher.knowledge import load_knowledge
from kdistill_core.teacher.library import RationaleLibrary

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


def full_batch_of(cases: PixelCache, processor: StudentProcessor) -> dict[str, torch.Tensor]:
    """A batch with everything that the contract knows."""
    count = len(cases)
    predictions = TokenPredictions(np.array([[-1, -1], [7, 8], [9, 3]]), np.array([[0, 0], [0.6, 0.3], [0.5, 0.4]]))
    targets = dataclasses.replace(
        targets_of(cases, RecordingTeacher()),
        concepts=np.full((count, 3), np.nan, dtype=np.float32),
        tokens=((predictions, predictions),) * count,
    )
    prior = View(cases.pixels[0], kind=2, days=30)
    dataset = DistillationDataset(
        cases,
        targets,
        soft_labels=np.full((count, K), 0.25, dtype=np.float32),
        further_views=lambda index: [prior] * (index == 1),
    )
    return Collator(processor, max_text_length=64)([dataset[index] for index in range(count)])


def test_the_student_is_given_pixels_and_the_teachers_rationale_never_a_report(
    cases: PixelCache, processor: StudentProcessor
) -> None:
    batch = batch_of(cases, processor)
    assert set(batch) & STUDENT_INPUTS == {"pixel_values"}
    assert batch["pixel_values"].shape == (4, 1, 64, 64)
    for row, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True):
        text = processor.tokenizer.decode(row[mask.bool()], skip_special_tokens=True)
        assert text.startswith(("There is Pleural Effusion", "There is Pneumonia", "Nothing is seen"))
        assert "Zebra" not in text


def test_a_batch_holds_what_the_contract_names_and_nothing_else(cases: PixelCache, processor: StudentProcessor) -> None:
    batch = full_batch_of(cases, processor)
    assert set(batch) == STUDENT_INPUTS | TEACHER_TARGETS | LABELS | BOOKKEEPING
    assert set(STUDENT_INPUTS) == {"pixel_values", "view_ids", "view_times"}
    # No tensor but the rationale is long enough to hold a report, and none but the images holds pixels.
    for name, value in batch.items():
        assert isinstance(value, torch.Tensor)
        assert name == "pixel_values" or value.shape[-2:] != (64, 64)
    words = [processor.tokenizer.decode(batch["input_ids"][row].tolist()) for row in range(len(cases))]
    assert not [text for text in words if "Zebra" in text]


def test_a_further_view_stands_beside_the_first_and_absent_ones_are_marked(
    cases: PixelCache, processor: StudentProcessor
) -> None:
    batch = full_batch_of(cases, processor)
    assert batch["pixel_values"].shape == (4, 2, 1, 64, 64)
    assert batch["view_ids"].tolist() == [[0, -1], [0, 2], [0, -1], [0, -1]]
    assert batch["view_times"].tolist() == [[0, 0], [0, 30], [0, 0], [0, 0]]
    alone = processor.pixel_values(cases.pixels.astype(np.float32) / 255)
    assert torch.equal(batch["pixel_values"][:, 0], alone)
    assert torch.equal(batch["pixel_values"][1, 1], alone[0])
    assert not batch["pixel_values"][0, 1].any()


def test_the_teachers_predictions_stand_where_the_tokens_stand_that_they_tell_of(
    cases: PixelCache, processor: StudentProcessor
) -> None:
    batch = full_batch_of(cases, processor)
    assert batch["teacher_token_ids"].shape == (*batch["labels"].shape, 2)
    assert batch["teacher_token_ids"][0, :4].tolist() == [[-1, -1], [7, 8], [9, 3], [-1, -1]]
    assert batch["teacher_token_probs"][0, 1].tolist() == pytest.approx([0.6, 0.3])


def test_only_some_cases_with_a_target_are_refused(cases: PixelCache, processor: StudentProcessor) -> None:
    dataset = DistillationDataset(cases, targets_of(cases, RecordingTeacher()))
    with_some = dataclasses.replace(dataset[0], soft_labels=np.zeros(K, dtype=np.float32))
    with pytest.raises(DistillationError, match="Of 2 cases in a batch 1 have `soft_labels`"):
        Collator(processor, max_text_length=64)([with_some, dataset[1]])
    with pytest.raises(DistillationError, match=r"\(3, 14\)"):
        DistillationDataset(cases, targets_of(cases, RecordingTeacher()), labels=np.zeros((3, K), dtype=np.float32))


def test_cases_are_named_by_hashes(cases: PixelCache, processor: StudentProcessor) -> None:
    keys = batch_of(cases, processor)["case_keys"].tolist()
    assert keys == [case_key(f"case-{number}") for number in range(4)]
    assert len(set(keys)) == 4


def test_a_draw_is_augmented_alike_in_any_batch(cases: PixelCache, processor: StudentProcessor) -> None:
    dataset = DistillationDataset(cases, targets_of(cases, RecordingTeacher()))
    drawn = [dataclasses.replace(dataset[index], draw=100 + index) for index in range(4)]
    collate = Collator(processor, 64, Augmentation(), seed=5)
    together = collate(drawn)["pixel_values"]
    apart = torch.cat([collate([example])["pixel_values"] for example in reversed(drawn)]).flip(0)
    # A convolution of one image and of four may round otherwise.
    assert torch.allclose(together, apart, atol=1e-5)
    again = collate([dataclasses.replace(drawn[0], draw=7)])["pixel_values"]
    assert (again - together[:1]).abs().max() > 0.1


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


def test_conditions_told_and_their_sentences_are_targets_of_their_own(cases: PixelCache) -> None:
    both = study(9, Condition.PLEURAL_EFFUSION, Condition.FRACTURE)
    targets = targets_of(PixelCache(cases.pixels[:2], (both, study(3))), RecordingTeacher())
    effusion, fracture = CONDITIONS.index(Condition.PLEURAL_EFFUSION), CONDITIONS.index(Condition.FRACTURE)
    assert np.flatnonzero(targets.finding_sets[0]).tolist() == sorted([effusion, fracture])
    assert not targets.finding_sets[1].any()
    said = targets.condition_embeddings_of(0)
    assert said[effusion].tolist() == [28.0] * 8
    assert said[fracture].tolist() == [20.0] * 8
    assert np.isnan(np.delete(said, [effusion, fracture], axis=0)).all()
    later = targets.part(1, 2)
    assert np.flatnonzero(~np.isnan(later.condition_embeddings_of(0)[:, 0])).tolist() == [
        CONDITIONS.index(Condition.NO_FINDING)
    ]


def test_signs_that_the_teacher_names_are_present_and_those_of_a_denied_condition_absent() -> None:
    library, knowledge = RationaleLibrary.load(), load_knowledge()
    concepts = concepts_of(knowledge)
    assert (
        len({concept.name for concept in concepts}) == len(concepts) == sum(len(knowledge[c].signs) for c in CONDITIONS)
    )
    findings = (
        Finding(Condition.PLEURAL_EFFUSION, State.POSITIVE, side=Side.LEFT),
        Finding(Condition.PNEUMOTHORAX, State.NEGATIVE),
        Finding(Condition.EDEMA, State.BLANK),
    )
    (labels,) = concept_labels([findings], concepts, library, variants=2)
    by_condition = {
        condition: [value for concept, value in zip(concepts, labels, strict=True) if concept.condition is condition]
        for condition in CONDITIONS
    }
    assert 1.0 in by_condition[Condition.PLEURAL_EFFUSION]
    assert 0.0 not in by_condition[Condition.PLEURAL_EFFUSION]
    assert set(by_condition[Condition.PNEUMOTHORAX]) == {0.0}
    assert np.isnan(by_condition[Condition.EDEMA]).all()
    named = Concept(Condition.PLEURAL_EFFUSION, knowledge[Condition.PLEURAL_EFFUSION].signs[0].text)
    assert named in concepts


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
