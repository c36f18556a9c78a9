"""Whether the text follows the image: its loss with the right image beside its loss with another case's.

A decoder that ignores the image is the known failure of a model that writes: its language model alone can lower the
loss. The difference of the two losses shows it: 0 for a text that does not depend on the image, the further below 0
the more it does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.losses import Term, generation
from kdistill_core.distillation.objective import student_inputs


@dataclass(frozen=True)
class ImageReliance:
    """Mean losses in nats a token of the teacher's text, over ``tokens``.

    right: given the case's own image. other: given the image of a case with other findings. Both 0 over no token.
    """

    right: float
    other: float
    tokens: int

    @property
    def difference(self) -> float:
        """Return right minus other: 0 where the image is ignored, lower the more it is used."""
        return self.right - self.other


def image_reliance(model: nn.Module, batch: Mapping[str, Tensor]) -> ImageReliance:
    """Return the loss of the text given the right image, and given another case's.

    batch: `pixel_values` (with `view_ids` and `view_times`), `input_ids`, `attention_mask`, `labels` and `groups`. The
    text is written from what the student decides by itself of either image, as at inference. Which image takes which
    one's place is fixed by ``groups``; see :func:`other_cases`.

    Raises DistillationError for a model in training mode, whose dropout would blur the difference.
    """
    if model.training:
        raise DistillationError(
            "Image reliance was asked of a model in training mode.", "Call `model.eval()` first, as evaluation does."
        )
    partners, differ = other_cases(batch["groups"])
    cases = differ.nonzero().squeeze(-1)
    if len(cases) == 0:
        return ImageReliance(0.0, 0.0, 0)
    right, other = (_text_loss(model, batch, cases, images) for images in (cases, partners[cases]))
    return ImageReliance(float(right.value), float(other.value), int(right.count))


def combined(parts: Sequence[ImageReliance]) -> ImageReliance:
    """Return the reliance over several batches, every token weighing the same."""
    tokens = sum(part.tokens for part in parts)
    right = sum(part.right * part.tokens for part in parts) / max(tokens, 1)
    other = sum(part.other * part.tokens for part in parts) / max(tokens, 1)
    return ImageReliance(right, other, tokens)


def other_cases(groups: Tensor) -> tuple[Tensor, Tensor]:
    """Return for every case one with other findings, int64 [B], and whether there was one left, bool [B].

    groups: int64 [B], equal where the findings are. The cases, in order of their groups, are shifted by the size of the
    largest group, which takes every case out of its own; where that group is over half of the batch, as many of it as
    the others outnumber meet another case, and the rest of it none. Every image is used once.
    """
    order = torch.argsort(groups, stable=True)
    sizes = torch.unique(groups, return_counts=True)[1]
    shift = int(sizes.max()) if len(groups) else 0
    partners = torch.empty_like(order)
    partners[order] = order.roll(-shift)
    return partners, groups[partners] != groups


@torch.no_grad()
def _text_loss(model: nn.Module, batch: Mapping[str, Tensor], cases: Tensor, images: Tensor) -> Term:
    output = model(
        **{name: value[images] for name, value in student_inputs(batch).items()},
        input_ids=batch["input_ids"][cases],
        attention_mask=batch["attention_mask"][cases],
    )
    return generation(output.logits, batch["labels"][cases])
