"""Where in the original image a condition, a sentence or a word of an explanation came from."""

from __future__ import annotations

from collections.abc import Callable

import torch

from kdistill_core.engine.cases import Case
from kdistill_core.engine.errors import EngineError
from kdistill_core.engine.models import Models
from kdistill_core.records import Explanation, SaliencyMap, SaliencyTarget, Span, TargetKind
from kdistill_core.saliency import (
    ConditionTarget,
    Target,
    TextTarget,
    attribute,
    influence,
    methods_for,
    place_on_image,
)

# Words that the image makes less than a tenth more or less likely follow from the words before them.
_HARDLY_NATS = 0.1
FROM_THE_TEXT = "The image hardly changes how likely these words are: they follow from the words before them."


def attribute_case(
    models: Models,
    case: Case,
    explanation: Explanation,
    target: SaliencyTarget,
    method: str = "",
    *,
    check: Callable[[], None] = lambda: None,
) -> SaliencyMap:
    """Return the overlay for ``target`` of ``explanation``, which ``models`` made of ``case``.

    Raises EngineError for a target that the explanation does not have, SaliencyError for a method that does not
    serve it.
    """
    if explanation.provenance.weights_sha256 != models.weights_sha256:
        raise EngineError(
            f"The explanation was made by another model ({explanation.provenance.model_name}).",
            "Load that model, or explain the image again.",
        )
    method = method or methods_for(target.kind)[0]
    scored = _scored(models, explanation, target)
    grid = attribute(models.student, case.pixel_values, scored, method, check=check)
    placed = place_on_image(grid, models.processor.image_size, case.image_to_model, case.shape, case.padding)
    return SaliencyMap(
        values=placed.values,
        target=target,
        method=method,
        peak=placed.peak,
        provenance=models.provenance(explanation.provenance.seed),
        note=placed.note or _note(models, case, scored),
    )


def _scored(models: Models, explanation: Explanation, target: SaliencyTarget) -> Target:
    if target.kind is TargetKind.CONDITION:
        names = list(models.student.config.conditions)
        if target.condition is None or target.condition.value not in names:
            raise EngineError(f"The model has no finding for {target.condition or 'an unnamed condition'}.")
        return ConditionTarget(names.index(target.condition.value))
    if target.span is None:
        raise EngineError(f"An overlay for a {target.kind} was asked for, but not of which.")
    tokens = explanation.student.tokens
    wanted = [index for index, token in enumerate(tokens) if _overlap(token.span, target.span)]
    if not wanted:
        raise EngineError(
            f"Nothing of the student's rationale stands at characters {target.span.start} to {target.span.end}."
        )
    prompt = models.processor(text="")["input_ids"][0]
    ids = torch.cat([prompt, torch.tensor([token.id for token in tokens])]).to(models.placement.device)
    return TextTarget(ids, tuple(len(prompt) + index for index in wanted), target.kind)


def _note(models: Models, case: Case, scored: Target) -> str:
    """Return a warning for words that owe nothing to the image: their overlay is as bright as any other."""
    if isinstance(scored, ConditionTarget):
        return ""
    gained = influence(models.student, case.pixel_values, scored)
    return FROM_THE_TEXT if abs(gained) < _HARDLY_NATS else ""


def _overlap(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end
