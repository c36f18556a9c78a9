"""Writing many texts at once: the likeliest tokens, or drawn ones.

All texts begin alike in length and go on token by token together; those that have ended make room for the rest, so that
a long text among short ones is not paid for by all of them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kdistill_core.student.errors import StudentError
from kdistill_core.student.greedy import writes_greedily
from kdistill_core.student.llama_layers import LlamaLayers
from kdistill_core.student.modeling import StudentModel

# Texts that have ended leave once they are as large a share as this; leaving costs a copy of what the others hold.
_LEAVING_SHARE = 0.2


@torch.inference_mode()
def written_together(
    student: StudentModel,
    prefix_embeds: Tensor,
    begin_id: int,
    max_new_tokens: int,
    generator: torch.Generator | None = None,
) -> list[list[int]]:
    """Return the tokens of a text after each of ``prefix_embeds``, the end token left out.

    prefix_embeds: float [B, P, H] of :meth:`.modeling.StudentModel.prefix`. generator: draws every token by its
    probability; without it the likeliest one is taken. Raises StudentError for a student that
    :func:`.greedy.writes_greedily` is not true of.
    """
    if not writes_greedily(student):
        raise StudentError("The language model of this student cannot write many texts together.")
    model = student.language_model.model
    ends = _ends(student, prefix_embeds.device)
    begin = torch.full((len(prefix_embeds), 1), begin_id, device=prefix_embeds.device)
    hidden = torch.cat([prefix_embeds.to(model.embed_tokens.weight), model.embed_tokens(begin)], dim=1)
    layers = LlamaLayers(model, hidden.shape[1] + max_new_tokens, hidden)
    tokens = torch.full((len(hidden), max_new_tokens), int(ends[0]), device=hidden.device)
    rows = torch.arange(len(hidden), device=hidden.device)
    going = torch.ones_like(rows, dtype=torch.bool)
    for place in range(max_new_tokens):
        logits = student.language_model.lm_head(model.norm(layers(hidden)[:, -1])).float()
        chosen = _chosen(logits, generator)
        going = going & ~torch.isin(chosen, ends)
        tokens[rows[going], place] = chosen[going]
        left = int(going.sum())
        if not left:
            break
        if left <= (1 - _LEAVING_SHARE) * len(rows):
            staying = going.nonzero()[:, 0]
            layers.keep(staying)
            rows, chosen, going = rows[staying], chosen[staying], going[staying]
        hidden = model.embed_tokens(chosen[:, None])
    at_end = torch.isin(tokens, ends).cpu()
    return [
        row[: int(end.int().argmax()) if end.any() else None].tolist() for row, end in zip(tokens, at_end, strict=True)
    ]


def _chosen(logits: Tensor, generator: torch.Generator | None) -> Tensor:
    if generator is None:
        return logits.argmax(dim=-1)
    return torch.multinomial(logits.softmax(dim=-1), 1, generator=generator)[:, 0]


def _ends(student: StudentModel, device: torch.device) -> Tensor:
    generation: Any = student.generation_config
    ends = generation.eos_token_id
    return torch.tensor(ends if isinstance(ends, list) else [ends], device=device)
