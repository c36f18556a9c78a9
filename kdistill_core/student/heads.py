"""The head for concepts: signs that the teacher names, as further binary targets."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import initialization as init


class ConceptHead(nn.Module):
    """One logit per concept, scored on a learned mixture of the condition embeddings, even at the start.

    So a sign is read from the conditions it belongs to, and the weights ``mixture`` say from which.
    """

    def __init__(self, conditions: int, width: int, concepts: int) -> None:
        super().__init__()
        self.mixture = nn.Parameter(torch.zeros(concepts, conditions))
        self.score = nn.Parameter(torch.empty(concepts, width))
        self.bias = nn.Parameter(torch.zeros(concepts))

    def forward(self, condition_embeddings: Tensor) -> Tensor:
        """Return logits [B, concepts] of ``condition_embeddings`` [B, K, C]."""
        # Each concept's logit of every condition first: [B, concepts, K].
        apart = self.score @ condition_embeddings.transpose(-1, -2)
        return (torch.softmax(self.mixture, dim=-1) * apart).sum(-1) + self.bias

    def start(self) -> None:
        """Set the weights to where training starts."""
        init.zeros_(self.mixture)
        init.normal_(self.score, std=0.02)
        init.zeros_(self.bias)
