"""A miniature MIMIC-CXR that can be trained on: phantoms as its frontal images, their reports as its reports.

Every report holds ``MARK`` among its findings, a word that nothing else in the project says: where it turns up, words
of a report have.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from kdistill_core.conditions import CONDITIONS, STATE_CODES
from kdistill_core.imaging.model_input import to_model_input
from kdistill_core.phantom import PhantomCase, simulate
from tests.datasets.mimic_tree import LABELS, Tree, write_table

MARK = "quinquennial"
SPLITS = {"train": 12, "validate": 8, "test": 8}
_FIRST_SEED, _SIDE = 77_000_000, 64


def write_miniature(root: Path) -> Tree:
    """Write studies of one frontal image and a lateral one each, of a patient each; the first has a second frontal."""
    tree = Tree(root)
    root.mkdir(parents=True)
    images, labels = [], []
    for number, split in enumerate(split for split, count in SPLITS.items() for _ in range(count)):
        subject, study = f"{10_000_000 + number}", f"{50_000_000 + number}"
        case = simulate(_FIRST_SEED + number, _SIDE, _SIDE)
        pixels = (to_model_input(case.radiograph, _SIDE).pixels * 255).astype(np.uint8)
        views = {"PA": pixels, "LATERAL": pixels.T}
        if not number:
            views["AP"] = np.ascontiguousarray(pixels[2:, 2:])
        for view, shown in views.items():
            name = f"image-{number}-{view.lower()}"
            path = tree.study(subject, study) / f"{name}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(shown).save(path)
            images.append((name, subject, study, view, *shown.shape, split))
        tree.study(subject, study).with_suffix(".txt").write_text(_report(case), encoding="utf-8")
        labels.append((subject, study, *_cells(case)))
    tree.write_metadata(images)
    tree.write_split(images)
    write_table(tree.table("chexpert"), LABELS, labels)
    return tree


def _report(case: PhantomCase) -> str:
    return f"FINAL REPORT\n\n{case.report.text.rstrip()} This is a {MARK} film.\n"


def _cells(case: PhantomCase) -> list[str]:
    codes = dict(zip((condition.value for condition in CONDITIONS), map(_cell, case.reported), strict=True))
    return [codes[column] for column in LABELS[2:]]


def _cell(finding) -> str:
    code = STATE_CODES[finding.state]
    return "" if code is None else f"{code}"
