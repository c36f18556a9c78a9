"""On-policy distillation: the student writes, the teacher is told the findings and scores, and the student learns."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.losses import UncertainPolicy
from kdistill_core.distillation.objective import DistillationSettings, Objective, Vocabulary
from kdistill_core.distillation.on_policy import OnPolicySettings, TeacherScores
from kdistill_core.distillation.run_settings import RunSettings
from kdistill_core.distillation.schedule import Stage
from kdistill_core.records import Finding, Side
from kdistill_core.student.processing import StudentProcessor
from kdistill_core.student.tiny import tiny_student
from kdistill_core.teacher.knowledge import load_knowledge
from kdistill_core.teacher.model import TeacherModel
from kdistill_core.teacher.prompts import load_prompt
from tests.distillation.small_runs import trainer_for

FINDINGS = (
    (Finding(Condition.PLEURAL_EFFUSION, State.POSITIVE, side=Side.LEFT), Finding(Condition.EDEMA, State.POSITIVE)),
    (),
)
POLICIES = (UncertainPolicy.IGNORE,) * len(CONDITIONS)


def scores_of(teacher: TeacherModel, processor: StudentProcessor, findings: object = FINDINGS) -> TeacherScores:
    settings = OnPolicySettings("unused", likeliest=8, new_tokens=8)
    return TeacherScores(teacher, processor, settings, findings, load_prompt(), load_knowledge(), seed=3)


@pytest.fixture(scope="module")
def other_teacher(tiny_folder: Path) -> TeacherModel:
    """A teacher whose tokens are bytes."""
    return TeacherModel.load(tiny_folder)


@pytest.fixture(scope="module")
def same_teacher(tmp_path_factory: pytest.TempPathFactory) -> TeacherModel:
    """A teacher of the student's vocabulary, sure of what it says."""
    folder = tmp_path_factory.mktemp("same-teacher")
    tokenizer = tiny_student()[1].tokenizer
    tokenizer.save_pretrained(folder)
    torch.manual_seed(5)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=4096, bos_token_id=0, eos_token_id=1, initializer_range=0.5,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return TeacherModel.load(folder)


def batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        "pixel_values": torch.randn(2, 1, 64, 64, generator=generator),
        "condition_states": torch.zeros(2, len(CONDITIONS)),
        "groups": torch.tensor([0, 1]),
    }


def test_the_student_writes_within_its_vocabulary_and_what_follows_its_end_is_left_out(
    other_teacher: TeacherModel,
) -> None:
    student, processor = tiny_student()
    scores = scores_of(other_teacher, processor)
    rows = []
    for step in range(6):
        written = scores.written(student, batch(), step)
        assert int(written["on_policy"]) == 1
        for ids, mask, labels in zip(
            *(written[name] for name in ("input_ids", "attention_mask", "labels")), strict=True
        ):
            text = ids.tolist()
            length = text.index(1) + 1 if 1 in text else len(text)
            assert mask.tolist() == [1] * length + [0] * (len(text) - length)
            assert labels[:length].tolist() == text[:length]
            assert set(labels[length:].tolist()) <= {-100}
            rows.append(text)
    assert len({tuple(row) for row in rows}) > 6
    again = scores.written(student, batch(), 0)
    assert again["input_ids"][0].tolist() == rows[0]


def test_sampling_leaves_the_training_where_it_was(other_teacher: TeacherModel) -> None:
    student, processor = tiny_student()
    student.train()
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    scores_of(other_teacher, processor).written(student, batch(), 0)
    assert torch.equal(torch.rand(3), expected)
    assert student.training


def test_the_teacher_is_told_the_findings_and_nothing_of_the_image(other_teacher: TeacherModel) -> None:
    scores = scores_of(other_teacher, tiny_student()[1])
    system, user = scores.messages(0)
    assert system.role == "system"
    assert "Condition: Pleural Effusion, present" in user.content
    assert "Side: left" in user.content
    assert "Condition: Edema, present" in user.content
    assert "Condition: No Finding, present" in scores.messages(1)[1].content


def test_the_teachers_scores_are_what_it_gives_to_prompt_and_text_at_once(
    same_teacher: TeacherModel, other_teacher: TeacherModel
) -> None:
    student, processor = tiny_student()
    same = scores_of(same_teacher, processor)
    assert same.shares_vocabulary
    scored = same.scored(same.written(student, batch(), 0))
    labels = scored["labels"][0]
    told = labels[labels != -100][1:]
    asked = same_teacher.tokenizer(same_teacher.prompt(same.messages(0)), add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        whole = same_teacher.model(input_ids=torch.tensor([[*asked, *told.tolist()]])).logits[0]
    for place in range(len(told)):
        assert torch.allclose(scored["teacher_logits"][0, place], whole[len(asked) + place - 1], atol=1e-4)

    other = scores_of(other_teacher, processor)
    assert not other.shares_vocabulary
    scored = other.scored(other.written(student, batch(), 0))
    likely = scored["teacher_token_probs"]
    assert likely.shape[-1] == 8
    assert not likely[:, 0].any()  # nothing predicts the begin of a text
    assert (likely[0, 1].diff() <= 0).all()
    assert 0 < float(likely[0, 1].sum()) < 1


@pytest.mark.parametrize("vocabulary", list(Vocabulary))
def test_the_gradient_lowers_the_divergence_from_the_teacher_on_the_students_own_texts(
    vocabulary: Vocabulary, same_teacher: TeacherModel, other_teacher: TeacherModel
) -> None:
    student, processor = tiny_student()
    teacher = same_teacher if vocabulary is Vocabulary.SAME else other_teacher
    scores = scores_of(teacher, processor)
    objective = Objective(POLICIES, told_share=1.0, distillation=DistillationSettings(vocabulary=vocabulary))
    held = scores.scored(scores.written(student, batch(), 999))
    weights = {"distillation": 1.0}

    def divergence() -> float:
        with torch.no_grad():
            return float(objective.terms(student, held, weights)[0]["distillation"].value)

    before = divergence()
    optimizer = torch.optim.Adam(student.language_model.parameters(), lr=3e-3)
    for step in range(10):
        scored = scores.scored(scores.written(student, batch(), step))
        optimizer.zero_grad()
        objective.terms(student, scored, weights)[0]["distillation"].value.backward()
        optimizer.step()
    assert divergence() < 0.9 * before


def test_a_share_of_the_steps_trains_on_own_texts_and_the_teacher_scores_the_others_too(
    tmp_path: Path, other_teacher: TeacherModel
) -> None:
    stage = Stage("own", 4, 1e-3, {"distillation": 1.0, "generation": 1.0}, on_policy=0.5)
    scores = scores_of(other_teacher, tiny_student()[1], findings=FINDINGS * 4)
    settings = RunSettings(batch_size=2, log_steps=1)
    objective = Objective(POLICIES, distillation=DistillationSettings(vocabulary=Vocabulary.OTHER))
    trainer = trainer_for(tmp_path, (stage,), settings, scores=scores, objective=objective)
    trainer.train_on()
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    # A text of its own is nothing that it should say again.
    assert ["generation/raw" in entry for entry in logged] == [True, False, True, False]
    assert all(entry["distillation/raw"] > 0 for entry in logged)


def test_own_texts_without_a_teacher_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DistillationError, match="nobody scores them"):
        trainer_for(tmp_path, (Stage("own", 4, 1e-3, {"distillation": 1.0}, on_policy=0.5),))
