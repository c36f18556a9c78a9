"""An evaluation from beginning to end: cases, predictions, thresholds, scores, comparison, and what is to be said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kdistill_core.datasets.contract import DataSet
from kdistill_core.evaluation.cases import (
    ALL,
    VALIDATION,
    CaseSet,
    Survey,
    cases_of,
    count_states,
    is_labeled,
    require_split,
    survey,
)
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.evaluating import (
    Evidence,
    Prior,
    Scored,
    ScoringSettings,
    gather,
    meanings,
    score,
    texts_and_truth,
)
from kdistill_core.evaluation.generation_scores import CONTRADICTIONS, METRICS, TEXT_F1
from kdistill_core.evaluation.operating_points import choose_operating_points, threshold_rule
from kdistill_core.evaluation.opposing import differences
from kdistill_core.evaluation.result import EvaluationResult, Opponent, ScoredCases, Thresholds
from kdistill_core.evaluation.scores import Section, Unit
from kdistill_core.evaluation.sources import Answer, PredictionSource
from kdistill_core.labeling.labelers import Labeler

STORED = "stored"
UNKNOWN_THRESHOLD = 0.5
_LABEL_METRICS = (TEXT_F1, CONTRADICTIONS)

OnStage = Callable[[str], None]


@dataclass(frozen=True)
class EvaluationSettings:
    """What is scored, and how.

    section: of the reference reports; None for the findings where the data set has them, else its labels. limit: the
    most cases, None for all. thresholds: ``stored``, or a rule of
    :func:`kdistill_core.evaluation.operating_points.threshold_rule`, applied to the validation split.
    text_metrics: beside those of labels, where there are reference texts.
    """

    split: str = "test"
    unit: Unit = Unit.IMAGE
    section: Section | None = None
    limit: int | None = None
    thresholds: str = STORED
    resamples: int = 2000
    seed: int = 0
    text_metrics: tuple[str, ...] = METRICS


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A finished evaluation. result: what is published of it; the rest is what its tables and figures are made of."""

    result: EvaluationResult
    evidence: Evidence
    scored: Scored
    answer: Answer
    held: Survey


def evaluate(
    model: PredictionSource,
    data_set: DataSet,
    labeler: Labeler,
    settings: EvaluationSettings,
    *,
    opponent: PredictionSource | None = None,
    on_stage: OnStage | None = None,
) -> Evaluation:
    """Score what ``model`` says of a split of ``data_set``, and compare it with ``opponent`` where there is one.

    on_stage: told in words what comes next. Raises EvaluationError and what reading, labeling and running raise.
    """
    stage = on_stage or _ignore
    stage(f"reading {data_set.title}")
    held = survey(data_set)
    require_split(held, settings.split, data_set.title)
    _require_validation_for_thresholds(data_set, held, settings)
    asked, section = _cases_and_section(data_set, settings)
    stage(f"asking {model.provenance.model_name} of {len(asked.cases)} cases")
    answer = model.predict(asked, settings.split, held)
    answers = [answer]
    if opponent is not None:
        stage(f"asking {opponent.provenance.model_name} of the same cases")
        answers.append(opponent.predict(asked, settings.split, held))
    both = frozenset.intersection(*(frozenset(one.cases.ids) for one in answers))
    case_set = asked.only(both)
    if not case_set.cases:
        raise EvaluationError("There is no case of which both models say something.", "Check the ids of the tables.")
    stage("choosing thresholds")
    chosen = _thresholds(model, answer, data_set, held, settings)
    prior = _prior(model, data_set, held)
    name = f"{labeler.name} {labeler.version}"
    scoring = ScoringSettings(section, settings.resamples, settings.seed, _text_metrics(section, settings))
    stage("labeling texts")
    evidence = gather(case_set, answer.cases.rows([case.id for case in case_set.cases]), labeler, section)
    stage(f"scoring {len(case_set.cases)} cases, {settings.resamples} resamples")
    scored = score(evidence, scoring, thresholds=chosen, prior=prior, labeler=name)
    against = None
    if opponent is not None:
        stage(f"comparing with {opponent.provenance.model_name}")
        theirs = gather(case_set, answers[1].cases.rows([case.id for case in case_set.cases]), labeler, section)
        limits = chosen, _thresholds(opponent, answers[1], data_set, held, settings)
        against = Opponent(opponent.provenance, differences(evidence, theirs, scoring, thresholds=limits, labeler=name))
    result = EvaluationResult(
        model=model.provenance,
        data=_account(data_set, settings, asked, evidence, section, name, answers),
        scores=scored.scores,
        thresholds=chosen,
        baselines=meanings(scored.scores, prior),
        opponent=against,
        notes=(
            *_notes_on_cases(settings, answers, asked),
            *_notes_on_truth(evidence, section, chosen, prior),
        ),
        resamples=settings.resamples,
        seed=settings.seed,
    )
    return Evaluation(result, evidence, scored, answer, held)


def _ignore(_: str) -> None:
    return


def _cases_and_section(data_set: DataSet, settings: EvaluationSettings) -> tuple[CaseSet, Section]:
    """Return the cases, and the section that texts are scored on."""
    wanted = settings.section or Section.FINDINGS
    case_set = cases_of(data_set, settings.split, settings.unit, wanted, settings.limit)
    if wanted is Section.LABELS or any(case.reference for case in case_set.cases):
        return case_set, wanted
    if settings.section is None:
        return case_set, Section.LABELS
    raise EvaluationError(
        f"None of the {len(case_set.cases)} cases has a report with {wanted}.",
        "Choose another --section, such as report, or labels for the labels of the data set.",
    )


def _text_metrics(section: Section, settings: EvaluationSettings) -> tuple[str, ...]:
    return _LABEL_METRICS if section is Section.LABELS else settings.text_metrics


def _prior(model: PredictionSource, data_set: DataSet, held: Survey) -> Prior | None:
    """Return the training labels: those that the model stores of this data set, else those of its training split."""
    stored = model.label_counts
    if data_set.name in stored:
        return Prior(stored[data_set.name], f"those of {data_set.name} that are stored with the model")
    if held.trained is not None:
        return Prior(held.trained, f"the training split of {data_set.title}")
    return None


def _thresholds(
    model: PredictionSource, answer: Answer, data_set: DataSet, held: Survey, settings: EvaluationSettings
) -> Thresholds | None:
    probabilities = answer.cases.probabilities
    if probabilities is None:
        return None
    if settings.thresholds == STORED:
        stored = model.thresholds
        if all(condition in stored for condition in probabilities.conditions):
            return Thresholds("those stored with the model", "chosen before this evaluation", stored)
        half = dict.fromkeys(probabilities.conditions, UNKNOWN_THRESHOLD)
        return Thresholds(f"{UNKNOWN_THRESHOLD} for every condition, since none are stored", "chosen on nothing", half)
    return _chosen_on_validation(model, data_set, held, settings)


def _require_validation_for_thresholds(data_set: DataSet, held: Survey, settings: EvaluationSettings) -> None:
    """Raise EvaluationError, before anything is predicted, where thresholds cannot be chosen as they are asked for."""
    if settings.thresholds == STORED:
        return
    threshold_rule(settings.thresholds)
    if settings.split in (VALIDATION, ALL):
        raise EvaluationError(
            f"Thresholds cannot be chosen on the validation split while --split {settings.split} is scored on it.",
            "Score another split, or keep the stored thresholds.",
        )
    require_split(held, VALIDATION, data_set.title)


def _chosen_on_validation(
    model: PredictionSource, data_set: DataSet, held: Survey, settings: EvaluationSettings
) -> Thresholds:
    """Return the thresholds that a rule chooses on the data set's validation split, never on what is scored."""
    rule = threshold_rule(settings.thresholds)
    case_set = cases_of(data_set, VALIDATION, settings.unit, Section.LABELS)
    said = model.predict(case_set, VALIDATION, held).cases
    if said.probabilities is None:
        raise EvaluationError("There are no probabilities to choose thresholds for.", "Leave --thresholds out.")
    truth = case_set.only(said.ids).labels.select(said.probabilities.conditions)
    where = f"the validation split of {data_set.title}, {len(truth)} cases"
    points = choose_operating_points(truth, said.probabilities, rule, where)
    return Thresholds(f"{settings.thresholds}: {rule.aim}", f"chosen on {where}", points.thresholds)


def _notes_on_cases(settings: EvaluationSettings, answers: list[Answer], asked: CaseSet) -> list[str]:
    """Return what a reader has to know of the cases that are scored."""
    notes = []
    if settings.limit is not None:
        notes.append(
            f"No more than {settings.limit} cases were asked for: these are the first {len(asked.cases)} of the split."
        )
    if settings.split == ALL:
        notes.append("All splits are scored together: a model that was trained on some of them has seen the answers.")
    for answer in answers:
        notes += answer.notes
        if answer.failures:
            notes.append(f"{len(answer.failures)} images could not be predicted; they are named under Data.")
    return notes


def _notes_on_truth(
    evidence: Evidence, section: Section, thresholds: Thresholds | None, prior: Prior | None
) -> list[str]:
    """Return what is not scored, and which baselines are not there."""
    notes = []
    total = len(evidence.cases.cases)
    missing = total - len(evidence.referenced)
    if section is not Section.LABELS and missing:
        notes.append(
            f"{missing} of {total} cases have no {section} to score texts against; their texts are not scored."
        )
    if not is_labeled(evidence.labels):
        notes.append("The data set has no labels of its own, so probabilities are not scored.")
    elif evidence.probabilities is None:
        notes.append("The table has no probabilities, so only texts are scored.")
    if evidence.said is None:
        notes.append("The table has no texts, so only probabilities are scored.")
    if evidence.probabilities is not None and thresholds is not None:
        without = [c.value for c in evidence.probabilities.conditions if c not in thresholds.values]
        if without:
            notes.append(
                f"No threshold could be chosen for {', '.join(without)}, because a class is missing there; scores at "
                "thresholds are of the other conditions alone."
            )
    if prior is None:
        notes.append(
            "No training labels are known, so texts have no constant baseline and probabilities are held against the "
            "prevalence of these very cases."
        )
    return notes


def _account(
    data_set: DataSet,
    settings: EvaluationSettings,
    asked: CaseSet,
    evidence: Evidence,
    section: Section,
    labeler: str,
    answers: list[Answer],
) -> ScoredCases:
    cases = evidence.cases.cases
    failures = tuple(dict.fromkeys(failure for answer in answers for failure in answer.failures))
    failed = {failure.id for failure in failures}
    return ScoredCases(
        name=data_set.name,
        title=data_set.title,
        split="" if settings.split == ALL else settings.split,
        splits=data_set.splits,
        label_source=data_set.label_source,
        unit=evidence.cases.unit,
        section=section,
        labeler=labeler,
        studies=len({case.study for case in cases}),
        images=sum(image.id not in failed for image in evidence.cases.images),
        cases=len(cases),
        patients=len({case.patient for case in cases}),
        referenced=0 if evidence.reported is None else len(evidence.referenced),
        limit=settings.limit,
        labels=count_states(evidence.labels) if is_labeled(evidence.labels) else (),
        reported=() if evidence.reported is None else count_states(texts_and_truth(evidence)[0]),
        filters=asked.filters,
        surplus=asked.surplus,
        silent=len(asked.cases) - len(cases),
        failures=failures,
    )
