"""One teacher measured on everything that was given, each measurement kept as soon as it is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kdistill_core.evaluation.teachers.contexts import CONTEXTS
from kdistill_core.evaluation.teachers.drafts import DraftEvidence, write_drafts
from kdistill_core.evaluation.teachers.likelihood import BATCH_TOKENS, Advance
from kdistill_core.evaluation.teachers.measured import MeasuredStore
from kdistill_core.evaluation.teachers.perplexity import FIRST_TOKENS, PerplexityEvidence, measure_perplexity
from kdistill_core.evaluation.teachers.pubmedqa import (
    PROMPT,
    PROMPT_TOKENS,
    PubMedQAEvidence,
    QuestionSet,
    measure_pubmedqa,
)
from kdistill_core.evaluation.teachers.texts import SampledTexts
from kdistill_core.teacher.context import RationaleContext
from kdistill_core.teacher.drafts import Writer
from kdistill_core.teacher.model import TeacherModel

# What is being measured of whom, and how many cases there are; it returns what counts them.
Watch = Callable[[str, int], Advance]


@dataclass(frozen=True)
class QualitySettings:
    """How teachers are measured.

    documents: the most that perplexity is taken of, of each kind of text; first_tokens: of each. questions: the most
    of PubMedQA, None for all; prompt_tokens: the most of one. contexts: that rationales are written for, 0 for none.
    seed: of what is drawn, and of the bootstrap with ``resamples``. batch_tokens: computed at once.
    """

    documents: int = 200
    first_tokens: int = FIRST_TOKENS
    questions: int | None = None
    prompt_tokens: int = PROMPT_TOKENS
    contexts: int = CONTEXTS
    seed: int = 0
    resamples: int = 2000
    batch_tokens: int = BATCH_TOKENS


@dataclass(frozen=True)
class Materials:
    """What every teacher of a run is measured on. texts: by their kind, such as ``literature``."""

    texts: dict[str, SampledTexts]
    questions: QuestionSet | None
    contexts: tuple[RationaleContext, ...]


@dataclass(frozen=True)
class TeacherEvidence:
    """Everything measured of a teacher, before it is scored. perplexities: by the kind of text."""

    name: str
    model_sha256: str
    precision: str
    perplexities: dict[str, PerplexityEvidence]
    pubmedqa: PubMedQAEvidence | None
    drafts: DraftEvidence | None


def measure_teacher(
    teacher: TeacherModel,
    writer: Writer | None,
    materials: Materials,
    settings: QualitySettings,
    store: MeasuredStore,
    watch: Watch,
) -> TeacherEvidence:
    """Return what is measured of a teacher; what ``store`` has of it already is not measured again.

    writer: writes with this teacher; needed only where there are contexts.
    """
    precision = str(teacher.model.dtype).removeprefix("torch.")
    who: dict[str, object] = {"model": teacher.sha256, "precision": precision}
    perplexities = {
        kind: store.kept_or(
            f"perplexity-{kind.replace(' ', '-')}",
            {**who, "texts": sampled.sha256, "first_tokens": settings.first_tokens},
            PerplexityEvidence,
            lambda kind=kind, sampled=sampled: measure_perplexity(  # type: ignore[misc] # mypy sees no default types
                teacher,
                sampled,
                settings.first_tokens,
                settings.batch_tokens,
                watch(f"{teacher.name}: perplexity, {kind}", len(sampled.texts)),
            ),
        )
        for kind, sampled in materials.texts.items()
    }
    return TeacherEvidence(
        teacher.name,
        teacher.sha256,
        precision,
        perplexities,
        _pubmedqa(teacher, materials.questions, settings, store, watch, who),
        _drafts(writer, materials.contexts, settings.seed, store, watch, precision),
    )


def _pubmedqa(
    teacher: TeacherModel,
    asked: QuestionSet | None,
    settings: QualitySettings,
    store: MeasuredStore,
    watch: Watch,
    who: dict[str, object],
) -> PubMedQAEvidence | None:
    if asked is None:
        return None
    return store.kept_or(
        "pubmedqa",
        {**who, "questions": asked.sha256, "prompt": PROMPT, "prompt_tokens": settings.prompt_tokens},
        PubMedQAEvidence,
        lambda: measure_pubmedqa(
            teacher,
            asked.questions,
            settings.prompt_tokens,
            settings.batch_tokens,
            watch(f"{teacher.name}: PubMedQA", len(asked.questions)),
        ),
    )


def _drafts(
    writer: Writer | None,
    contexts: tuple[RationaleContext, ...],
    seed: int,
    store: MeasuredStore,
    watch: Watch,
    precision: str,
) -> DraftEvidence | None:
    if writer is None or not contexts:
        return None
    identity = writer.identity
    return store.kept_or(
        "drafts",
        {
            "model": identity.model_sha256,
            "precision": precision,
            "prompt": identity.prompt_sha256,
            "decoding": identity.settings,
            "seed": seed,
            "contexts": [context.sha256 for context in contexts],
        },
        DraftEvidence,
        lambda: write_drafts(writer, contexts, seed, watch(f"{identity.model_name}: rationales", len(contexts))),
    )
