"""The views of a study: which there are, when they were taken, and what tells the student of it.

The kinds of view are counted from 0; by convention 0 is the frontal, 1 the lateral and 2 a prior radiograph. The first
view of a study has to be there: the maps that the student returns are its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import initialization as init

from kdistill_core.student.errors import StudentError

ABSENT = -1
_FREQUENCIES = 8
# log(1 + days) of 22 years: the slowest sine goes through half a period until then.
_LONGEST = 9.0


@dataclass(frozen=True, eq=False)
class StudyViews:
    """Images of B studies of V views: pixel_values float [B, V, 1, S, S], ids int64 [B, V], times float [B, V]."""

    pixel_values: Tensor
    ids: Tensor
    times: Tensor


def study_views(pixel_values: Tensor, view_ids: Tensor | None, view_times: Tensor | None, kinds: int) -> StudyViews:
    """Return the views of a batch of studies.

    pixel_values: float [B, 1, S, S] of current frontals, or [B, V, 1, S, S] with ``view_ids`` int64 [B, V], -1 where
    there is no view, and ``view_times`` float [B, V], days before the current study, None for 0. ``kinds``: how many
    the student knows. Raises StudentError.
    """
    if pixel_values.dim() not in (4, 5) or pixel_values.shape[-3] != 1:
        raise StudentError(
            f"pixel_values have the shape {tuple(pixel_values.shape)}.",
            "Pass gray images as [studies, 1, size, size], or [studies, views, 1, size, size] with view_ids.",
        )
    if pixel_values.dim() == 4:
        pixel_values = pixel_values.unsqueeze(1)
    studies, count = pixel_values.shape[:2]
    if kinds == 1 and count != 1:
        raise StudentError(
            f"A study came with {count} views, and this student looks at one.",
            "Pass the current frontal alone, or train a student with more `views` in its configuration.",
        )
    if view_ids is None:
        _check_without_ids(count, view_times)
        view_ids = torch.zeros(studies, 1, dtype=torch.int64, device=pixel_values.device)
        return StudyViews(pixel_values, view_ids, view_ids.float())
    views = StudyViews(pixel_values, view_ids, view_ids.float() * 0 if view_times is None else view_times)
    _check_shapes(views)
    _check_values(views, kinds)
    return views


class ViewEmbedding(nn.Module):
    """What is added to every token of a view: one learned vector per kind and one of the time since it was taken.

    The time goes through sines of its logarithm (as positions in Vaswani et al., NeurIPS 2017), so that a day and a
    week are as far apart as a year and seven, and a small multilayer perceptron. Both start at 0: a student that gains
    views starts as the one it was.
    """

    def __init__(self, kinds: int, width: int) -> None:
        super().__init__()
        self.kind = nn.Parameter(torch.zeros(kinds, width))
        self.time = nn.Sequential(nn.Linear(2 * _FREQUENCIES, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, ids: Tensor, times: Tensor) -> Tensor:
        """Return vectors [B, V, C] of views ``ids`` int64 [B, V] taken ``times`` days ago, float [B, V]."""
        there = ids != ABSENT
        features = time_features(times.masked_fill(~there, 0.0)).to(self.kind)
        return self.kind[ids.masked_fill(~there, 0)] + self.time(features)  # type: ignore[no-any-return]

    def start(self) -> None:
        """Set both parts to 0, whatever the days."""
        init.zeros_(self.kind)
        last: Any = self.time[-1]
        init.zeros_(last.weight)
        init.zeros_(last.bias)


def time_features(days: Tensor) -> Tensor:
    """Return sines and cosines [..., 16] of log(1 + ``days``), the slowest of half a period in 22 years."""
    frequencies = math.pi / _LONGEST * 2.0 ** torch.arange(_FREQUENCIES, device=days.device)
    angles = torch.log1p(days.float()).unsqueeze(-1) * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def _check_without_ids(count: int, view_times: Tensor | None) -> None:
    if count != 1:
        raise StudentError(
            f"Studies of {count} views came without view_ids.",
            "Pass view_ids [studies, views]: the kind of each view, -1 where there is none.",
        )
    if view_times is not None:
        raise StudentError("view_times came without view_ids.", "Pass both, or none for one current frontal a study.")


def _check_shapes(views: StudyViews) -> None:
    expected = tuple(views.pixel_values.shape[:2])
    for name, given in (("view_ids", views.ids), ("view_times", views.times)):
        if tuple(given.shape) != expected:
            raise StudentError(
                f"{name} have the shape {tuple(given.shape)}, the images {tuple(views.pixel_values.shape)}.",
                f"Pass one of {name} per image: {list(expected)}.",
            )


def _check_values(views: StudyViews, kinds: int) -> None:
    present = views.ids != ABSENT
    highest, lowest = int(views.ids.max()), int(views.ids.min())
    if highest >= kinds or lowest < ABSENT:
        raise StudentError(
            f"A view is of kind {highest if highest >= kinds else lowest}; this student knows {kinds}, counted from 0.",
            "Leave that view out (-1), or train a student with more `views` in its configuration.",
        )
    if not bool(present[:, 0].all()):
        raise StudentError(
            "The first view of a study is absent.", "Put a view that is there first, best the current frontal."
        )
    times = views.times[present]
    if not bool((times.isfinite() & (times >= 0)).all()):
        raise StudentError(
            "A view's time is negative or not a number.",
            "view_times are days before the current study: 0 for a current view, more for a prior one.",
        )
