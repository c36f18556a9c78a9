"""PubMedQA (Jin et al., EMNLP 2019): yes, no or maybe to a research question, from the abstract without its conclusion.

The expert-labeled questions (PQA-L) in the reasoning-required setting: question and contexts are given, the long answer
is not. An answer is scored by its likelihood after a fixed prompt; nothing is generated and nothing is tuned, so the
half of the questions that the authors keep for training is not used.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kdistill_core.corpora.reading import opened
from kdistill_core.corpora.records import PubMedQuestion, questions_in
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.measures import Floats, Measure, divide, mean_over_cases
from kdistill_core.evaluation.scores import Score
from kdistill_core.evaluation.teachers.facts import ACCURACY, MACRO_F1
from kdistill_core.evaluation.teachers.likelihood import (
    BATCH_TOKENS,
    Advance,
    next_token_log_likelihoods,
    no_report,
)
from kdistill_core.teacher.model import TeacherModel

ANSWERS = ("yes", "no", "maybe")
# As the LM Evaluation Harness words it.
PROMPT = "Abstract: {contexts}\nQuestion: {question}\nAnswer:"
PROMPT_TOKENS = 1024
# Of the sorted PMIDs of data/test_ground_truth.json as the authors publish it, joined by line breaks.
PUBLISHED_SHA256 = "406e3b89eff577ed38571eca5a5819734a6f49ac0437d171b6c64e5c3cd195f8"
MAJORITY = "always the commonest answer"


@dataclass(frozen=True)
class Question:
    """A question as the model is asked it. truth: the experts' answer."""

    id: str
    question: str
    contexts: tuple[str, ...]
    truth: str


@dataclass(frozen=True)
class QuestionSet:
    """The questions to be answered. published: whether they are exactly those of the published test set.

    available: in the test half; commonest: the answer that most questions of the other half have.
    """

    questions: tuple[Question, ...]
    published: bool
    available: int
    commonest: str

    @property
    def sha256(self) -> str:
        """Hash of questions and truths."""
        return hashlib.sha256(repr(self.questions).encode()).hexdigest()


@dataclass(frozen=True)
class Answered:
    """What a model thinks of a question. log_likelihoods: of each of ``ANSWERS``, in nats."""

    id: str
    truth: str
    log_likelihoods: tuple[float, ...]

    @property
    def answer(self) -> str:
        return ANSWERS[int(np.argmax(self.log_likelihoods))]


@dataclass(frozen=True)
class PubMedQAEvidence:
    """Every answer. shortened: questions whose contexts were cut in the middle to fit the prompt."""

    answers: tuple[Answered, ...]
    shortened: int


def read_test_questions(path: Path, limit: int | None = None) -> QuestionSet:
    """Return the test questions of ``ori_pqal.json``, the first ``limit`` of them in the order of their PMIDs' hashes.

    Raises EvaluationError for questions without an answer; CorpusError for a file that cannot be read.
    """
    with opened(path) as stream:
        entries = questions_in(stream.read(), path.name)
    odd = next((pmid for pmid, entry in entries.items() if entry.final_decision not in ANSWERS), None)
    if odd is not None or not entries:
        what = f"the question {odd} has none of the answers {', '.join(ANSWERS)}" if odd else "there is no question"
        raise EvaluationError(f"{path}: {what}.", "Give ori_pqal.json as published.")
    chosen = ids_of_test(entries)
    published = hashlib.sha256("\n".join(sorted(chosen)).encode()).hexdigest() == PUBLISHED_SHA256
    others = [entry.final_decision for pmid, entry in entries.items() if pmid not in set(chosen)]
    # A part of the questions is a fair part: in the published order all that are answered yes come first.
    asked = sorted(chosen, key=lambda pmid: hashlib.sha256(pmid.encode()).digest())[:limit] if limit else chosen
    questions = tuple(
        Question(pmid, entries[pmid].question, tuple(entries[pmid].contexts), entries[pmid].final_decision)
        for pmid in asked
    )
    return QuestionSet(questions, published, len(chosen), Counter(others).most_common(1)[0][0])


def ids_of_test(entries: Mapping[str, PubMedQuestion]) -> list[str]:
    """Return the PMIDs of the test half, as the authors' ``split_dataset.py pqal`` draws it with seed 0.

    The questions of each answer are shuffled and halved; where the halves differ, one question moves to the test.
    """
    # Python's generator and not numpy's: the published list was drawn with it.
    generator = random.Random(0)
    training: list[str] = []
    test: list[str] = []
    for answer in ANSWERS:
        pmids = [pmid for pmid, entry in entries.items() if entry.final_decision == answer]
        generator.shuffle(pmids)
        half = math.ceil(len(pmids) / 2)
        training += pmids[:half]
        test += pmids[half:]
    if len(test) != len(training):
        test.append(generator.choice(training))
    return test


def measure_pubmedqa(
    teacher: TeacherModel,
    questions: Sequence[Question],
    prompt_tokens: int = PROMPT_TOKENS,
    batch_tokens: int = BATCH_TOKENS,
    on_rows: Advance = no_report,
) -> PubMedQAEvidence:
    """Return the likelihood of every answer to every question.

    An answer of several tokens has the product of their likelihoods; each beginning of an answer is computed once.
    """
    answers = [tuple(_encoded(teacher, f" {answer}")) for answer in ANSWERS]
    beginnings = sorted({tokens[:length] for tokens in answers for length in range(len(tokens))})
    rows: list[list[int]] = []
    shortened = 0
    for question in questions:
        prompt, cut = _prompt(teacher, question, prompt_tokens)
        shortened += cut
        rows.extend([*prompt, *beginning] for beginning in beginnings)
    wanted: Floats = np.zeros((len(questions), len(ANSWERS)))
    for place, after in next_token_log_likelihoods(teacher, rows, batch_tokens, on_rows):
        number, beginning = place // len(beginnings), beginnings[place % len(beginnings)]
        for column, tokens in enumerate(answers):
            if len(beginning) < len(tokens) and tokens[: len(beginning)] == beginning:
                wanted[number, column] += after[tokens[len(beginning)]]
    return PubMedQAEvidence(
        tuple(
            Answered(question.id, question.truth, tuple(found.tolist()))
            for question, found in zip(questions, wanted, strict=True)
        ),
        shortened,
    )


def pubmedqa_measures(evidence: PubMedQAEvidence) -> tuple[Measure, ...]:
    """Return accuracy and macro-F1; cases are questions."""
    answers = [answered.answer for answered in evidence.answers]
    note = "likelihood of yes, no and maybe; question and contexts given, no example shown"
    if evidence.shortened:
        note += f"; {evidence.shortened} contexts cut in the middle"
    return _measures([answered.truth for answered in evidence.answers], answers, note)


def majority_measures(evidence: PubMedQAEvidence, commonest: str) -> tuple[Measure, ...]:
    """Return accuracy and macro-F1 of always answering ``commonest``."""
    truths = [answered.truth for answered in evidence.answers]
    return _measures(truths, [commonest] * len(truths), "")


def _measures(truths: Sequence[str], answers: Sequence[str], note: str) -> tuple[Measure, ...]:
    right = np.array([truth == answer for truth, answer in zip(truths, answers, strict=True)], dtype=np.float64)
    asked = np.array([[truth == name for name in ANSWERS] for truth in truths], dtype=np.float64)
    given = np.array([[answer == name for name in ANSWERS] for answer in answers], dtype=np.float64)
    counted = np.concatenate([asked * given, asked, given], axis=1)
    scope = "test questions"
    return (
        mean_over_cases(Score(ACCURACY.name, scope, None, len(truths), note=note), right, ACCURACY.name),
        Measure(Score(MACRO_F1.name, scope, None, len(truths), note=note), counted, _macro_f1),
    )


def _macro_f1(sums: Floats) -> Floats:
    """Return the mean F1 of the answers that occur, from sums [..., 9]: both, asked, given. It is 0 where none is."""
    both, asked, given = (sums[..., start : start + len(ANSWERS)] for start in range(0, 3 * len(ANSWERS), len(ANSWERS)))
    occurs = (asked + given) > 0
    f1 = np.where(occurs, divide(2 * both, asked + given), 0.0)
    return divide(f1.sum(axis=-1), occurs.sum(axis=-1))


def _prompt(teacher: TeacherModel, question: Question, most: int) -> tuple[list[int], bool]:
    """Return the prompt's tokens, and whether words were cut from the middle of the contexts to make it fit."""
    words = " ".join(question.contexts).split()

    def tokens(kept: int) -> list[int]:
        said = words if kept == len(words) else [*words[: kept - kept // 2], "...", *words[len(words) - kept // 2 :]]
        return _encoded(teacher, PROMPT.format(contexts=" ".join(said), question=question.question))

    whole = tokens(len(words))
    if len(whole) <= most:
        return whole, False
    fits, too_many = 0, len(words)
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        fits, too_many = (middle, too_many) if len(tokens(middle)) <= most else (fits, middle)
    return tokens(fits), True


def _encoded(teacher: TeacherModel, text: str) -> list[int]:
    return list(teacher.tokenizer(text, add_special_tokens=False)["input_ids"])
