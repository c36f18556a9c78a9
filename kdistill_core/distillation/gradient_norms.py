"""How hard each term pulls at the encoder that all terms share.

A term's value says little about its say: what moves the encoder is its gradient. Where one norm is far above the
others, that term decides what the encoder learns (Chen et al., ICML 2018, balance terms by these norms).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

import torch
from torch import nn

from kdistill_core.distillation.losses import Term
from kdistill_core.student.modeling import StudentModel


def shared_encoder(model: StudentModel) -> list[nn.Parameter]:
    """Return the parameters that every term's gradient runs through, as far as they learn at present."""
    parameters = chain(model.vision.parameters(), model.condition_queries.parameters())
    return [parameter for parameter in parameters if parameter.requires_grad]


def gradient_norms(
    terms: Mapping[str, Term], weights: Mapping[str, float], parameters: Sequence[nn.Parameter]
) -> dict[str, float]:
    """Return the Euclidean norm of every weighted term's gradient on ``parameters``, as ``name/gradient_norm``.

    It costs one backward pass a term, keeps the graph for the step's own one, and leaves ``.grad`` alone; so call it
    before that step, every so many steps. With several processes it is the norm of this process's share of the batch.
    Empty where no parameter learns. The graph must not come from reentrant gradient checkpointing, which cannot be
    asked for the gradient of single parameters.
    """
    if not parameters:
        return {}
    return {f"{name}/gradient_norm": _norm(term, weights[name], parameters) for name, term in terms.items()}


def _norm(term: Term, weight: float, parameters: Sequence[nn.Parameter]) -> float:
    if not term.value.requires_grad:
        return 0.0
    # A term need not reach every parameter: the text does not go through the score of a condition.
    gradients = torch.autograd.grad(term.value, parameters, retain_graph=True, materialize_grads=True)
    return abs(weight) * float(torch.stack([gradient.double().square().sum() for gradient in gradients]).sum().sqrt())
