"""How pages about trainings are filled and curves are drawn: summaries in HTML, cards and results in Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib as mpl
import torch
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from kdistill_core.evaluation.figures import STYLE, svg_of
from kdistill_core.evaluation.result import NOTICE

PAGE = "training.html"
_TEMPLATES = Path(__file__).parent / "templates"
# Colors that differ in lightness as well, after Okabe and Ito (2008).
_COLORS = ("#0b62b8", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#8a949e")

# Values at steps.
Curve = Sequence[tuple[float, float]]


def write_page(out: Path, template: str, **values: Any) -> Path:
    """Write ``out/training.html`` from ``template`` in the folder ``templates``; the notice is added."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    path = out / PAGE
    path.write_text(environment.get_template(template).render(notice=NOTICE, **values), encoding="utf-8")
    return path


def markdown(template: str, filters: Mapping[str, Callable[..., str]], **values: Any) -> str:
    """Return ``template`` in the folder ``templates``, filled. filters: by the name that the template gives them."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Markdown, not HTML
    )
    environment.filters.update(filters)
    return environment.get_template(template).render(**values)


def machine() -> str:
    """Return what a page says of the computer that it was made on."""
    return f"{os.cpu_count()} CPU cores ({platform.machine()})"


def versions(*more: ModuleType) -> str:
    """Return the versions of Python, torch and ``more`` packages."""
    packages = [f"{package.__name__} {package.__version__}" for package in (torch, *more)]
    return ", ".join([f"Python {platform.python_version()}", *packages])


def markup(svg: bytes) -> Markup:
    """Return a drawing of ours as it goes into a page."""
    return Markup(svg.decode("utf-8"))  # noqa: S704 - drawn here, not read from anywhere


def draw_curves(curves: Mapping[str, Curve], label: str, marks: Sequence[float] = (), *, dots: bool = False) -> Markup:
    """Return curves over the steps in one panel. marks: steps at which a stage begins."""
    with mpl.rc_context(STYLE):  # type: ignore[arg-type] # its stubs list every name
        figure = Figure(figsize=(6.2, 2.4), layout="constrained")
        axes = figure.add_subplot()
        for mark in marks:
            axes.axvline(mark, color="#d0d7de", linewidth=0.8)
        for number, (name, curve) in enumerate(curves.items()):
            steps, values = zip(*curve, strict=True)
            style = "o-" if dots else "-"
            color = _COLORS[number % len(_COLORS)]
            axes.plot(steps, values, style, color=color, linewidth=1.1, markersize=3, label=name)
        axes.set(xlabel="step", ylabel=label)
        if len(curves) > 1:
            axes.legend(frameon=False, ncols=2)
        return markup(svg_of(figure))
