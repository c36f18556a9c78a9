"""Fit the numbers by which pictures that are no frontal chest radiographs are declined.

A linear classifier on the coarse features of :mod:`kdistill_core.imaging.chest_features` tells upright frontal chests
from the same pictures turned, upside down or negative, and from other things: scrambled and cropped radiographs,
noise, drawn shapes. A second number, the distance from the subspace of chest pictures, catches what resembles
neither. Fitted on NIH ChestX-ray14 (Wang et al., CVPR 2017; no restriction on use), split by patient:

    python training/chest_screening.py ../shared/data/images/nih/128 ../shared/data/images/nih/labels_128.csv \
        resources/screening/chest.npz
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage
from sklearn.linear_model import LogisticRegression

from kdistill_core.imaging.chest_features import FEATURES, chest_features
from kdistill_core.imaging.chest_likeness import Kind

_SIDE = 128
_COMPONENTS = 48
_Picture = NDArray[Any]  # float32 [rows, columns] in [0, 1], dense tissue bright


def main(images: Path, table: Path, out: Path, *, seed: int = 0) -> None:
    """Fit on 85 % of the patients, set the thresholds on the rest, and write the numbers to ``out``."""
    patients = pd.read_csv(table).set_index("Image Index")["Patient ID"]
    names = sorted(path.stem for path in images.glob("*.jpg"))
    held_out = {name for name in names if patients[f"{name}.png"] % 20 < 3}
    rng = np.random.default_rng(seed)
    features, kinds = [], []
    for number, name in enumerate(name for name in names if name not in held_out):
        picture = _read(images / f"{name}.jpg")
        for kind, example in _examples(picture, rng):
            features.append(chest_features(example))
            kinds.append(list(Kind).index(kind))
        if number % 1000 == 0:
            print(f"{number} radiographs", flush=True)
    x, y = np.stack(features), np.array(kinds)
    classifier = LogisticRegression(C=0.03, max_iter=300, class_weight="balanced").fit(x, y)
    chests = x[y == list(Kind).index(Kind.FRONTAL_CHEST)].astype(np.float64)
    mean = chests.mean(axis=0)
    _, _, axes = np.linalg.svd(chests - mean, full_matrices=False)
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        out,
        features=np.array(FEATURES),
        kinds=np.array([kind.value for kind in Kind]),
        weights=classifier.coef_.astype(np.float32),
        bias=classifier.intercept_.astype(np.float32),
        mean=mean.astype(np.float32),
        axes=axes[:_COMPONENTS].astype(np.float32),
    )
    print(f"{len(x)} examples of {len(names) - len(held_out)} radiographs; {len(held_out)} held out; wrote {out}")


def _read(path: Path) -> _Picture:
    with Image.open(path) as image:
        return np.asarray(image.convert("L"), dtype=np.float32) / np.float32(255)


def _examples(picture: _Picture, rng: np.random.Generator) -> list[tuple[Kind, _Picture]]:
    turned = [_varied(picture, rng) for _ in range(5)]
    return [
        (Kind.FRONTAL_CHEST, picture),
        (Kind.FRONTAL_CHEST, _monitored(_sharpened(turned[0], rng), rng)),
        (Kind.FRONTAL_CHEST, _collimated(_sharpened(turned[1], rng), rng)),
        (Kind.TURNED_LEFT, np.rot90(turned[1], 1)),
        (Kind.TURNED_RIGHT, np.rot90(turned[2], -1)),
        (Kind.UPSIDE_DOWN, np.rot90(turned[3], 2)),
        (Kind.NEGATIVE, 1 - turned[4]),
        (Kind.OTHER, _other(picture, rng)),
        (Kind.OTHER, _other(picture, rng)),
    ]


def _varied(picture: _Picture, rng: np.random.Generator) -> _Picture:
    """Return the picture as another day's: a little turned, shifted, stretched, and with another tone curve."""
    angle = np.deg2rad(rng.normal(0, 4))
    stretch = np.exp(rng.normal(0, 0.1, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / stretch
    center = (np.array(picture.shape) - 1) / 2
    shift = center - turn @ (center + rng.normal(0, 5, 2))
    moved = ndimage.affine_transform(picture, turn, offset=shift, order=1, mode="nearest")
    toned = np.clip(moved, 0, 1) ** np.exp(rng.normal(0, 0.35))
    return np.asarray(toned + rng.normal(0, rng.uniform(0, 0.04), toned.shape), dtype=np.float32)


def _collimated(picture: _Picture, rng: np.random.Generator) -> _Picture:
    """Return the picture behind a collimator's edge, black or white, or in a plain frame."""
    framed = picture.copy()
    top, left = (int(value) for value in rng.integers(0, _SIDE // 6, 2))
    bottom, right = (_SIDE - int(value) for value in rng.integers(0, _SIDE // 6, 2))
    inside = np.zeros(framed.shape, dtype=bool)
    inside[top:bottom, left:right] = True
    framed[~inside] = rng.choice([0.0, 1.0, float(rng.uniform(0, 1))])
    return framed


def _sharpened(picture: _Picture, rng: np.random.Generator) -> _Picture:
    """Return the picture as local contrast enhancement, which many units apply, would leave it."""
    detail = picture - ndimage.gaussian_filter(picture, rng.uniform(3, 15))
    return (picture * rng.uniform(0.4, 1) + detail * rng.uniform(0, 2)).astype(np.float32)


def _monitored(picture: _Picture, rng: np.random.Generator) -> _Picture:
    """Return the picture with cables and tubes across it, as in intensive care."""
    layer = Image.new("L", picture.shape[::-1])
    draw = ImageDraw.Draw(layer)
    for _ in range(int(rng.integers(0, 9))):
        way = np.cumsum(rng.normal(0, 12, (12, 2)), axis=0) + rng.uniform(0, _SIDE, 2)
        smooth = ndimage.gaussian_filter1d(way, 1.5, axis=0)
        draw.line([tuple(point) for point in smooth], fill=int(rng.integers(60, 256)), width=int(rng.integers(1, 3)))
    cables = ndimage.gaussian_filter(np.asarray(layer, dtype=np.float32) / 255, 0.5)
    return np.asarray(picture + cables * rng.uniform(0.1, 0.5) * np.ptp(picture), dtype=np.float32)


def _other(picture: _Picture, rng: np.random.Generator) -> _Picture:
    makers = (
        _scrambled,
        _cropped,
        _cropped,
        _noise,
        _clouds,
        _shapes,
        _shapes,
        _stripes,
        _section,
        _section,
        _fan,
        _text,
    )
    return makers[rng.integers(len(makers))](picture, rng)


def _scrambled(picture: _Picture, rng: np.random.Generator) -> _Picture:
    parts = int(rng.integers(2, 5))
    side = _SIDE // parts
    tiles = [
        picture[row * side : (row + 1) * side, column * side : (column + 1) * side]
        for row in range(parts)
        for column in range(parts)
    ]
    order = rng.permutation(len(tiles))
    if parts == 2 and np.array_equal(order, np.arange(4)):
        order = order[::-1]
    shuffled = [np.rot90(tiles[index], int(rng.integers(4))) for index in order]
    return np.vstack([np.hstack(shuffled[row * parts : (row + 1) * parts]) for row in range(parts)])


def _cropped(picture: _Picture, rng: np.random.Generator) -> _Picture:
    side = int(rng.uniform(0.2, 0.45) * _SIDE)
    top, left = rng.integers(0, _SIDE - side, 2)
    crop = picture[top : top + side, left : left + side]
    return np.rot90(crop, int(rng.integers(4))) if rng.random() < 0.5 else 1 - crop if rng.random() < 0.3 else crop


def _noise(_picture: _Picture, rng: np.random.Generator) -> _Picture:
    return rng.random((_SIDE, _SIDE), dtype=np.float32)


def _clouds(_picture: _Picture, rng: np.random.Generator) -> _Picture:
    field = ndimage.gaussian_filter(rng.normal(size=(_SIDE, _SIDE)), rng.uniform(2, 25, 2))
    return np.asarray((field - field.min()) / np.ptp(field), dtype=np.float32)


def _shapes(_picture: _Picture, rng: np.random.Generator) -> _Picture:
    """Return drawn disks, rings and boxes: a head or a belly in cross-section is not far from such."""
    image = Image.new("L", (_SIDE, _SIDE), int(rng.integers(0, 256)) if rng.random() < 0.5 else 0)
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(1, 12))):
        center, half = rng.uniform(0, _SIDE, 2), rng.uniform(4, 60, 2)
        box = [*(center - half), *(center + half)]
        shade = int(rng.integers(0, 256))
        drawer = draw.ellipse if rng.random() < 0.6 else draw.rectangle
        drawer(box, fill=shade if rng.random() < 0.7 else None, outline=int(rng.integers(0, 256)), width=3)
    blurred = ndimage.gaussian_filter(np.asarray(image, dtype=np.float32) / 255, rng.uniform(0, 4))
    return (blurred + rng.normal(0, rng.uniform(0, 0.1), blurred.shape)).astype(np.float32)


def _section(picture: _Picture, rng: np.random.Generator) -> _Picture:
    """Return texture in an oval with a rim on black: what slices through a head or a trunk have in common."""
    y, x = (np.mgrid[:_SIDE, :_SIDE] + 0.5) / _SIDE * 2 - 1
    radius = np.hypot(x / rng.uniform(0.5, 1.1), y / rng.uniform(0.5, 1.1))
    inside = _cropped(picture, rng)
    texture = np.asarray(Image.fromarray(np.ascontiguousarray(inside)).resize((_SIDE, _SIDE)))
    section = np.where(radius < rng.uniform(0.6, 0.95), texture * rng.uniform(0.2, 1), rng.uniform(0, 1))
    return np.where(radius < 1, section, 0).astype(np.float32)


def _fan(picture: _Picture, rng: np.random.Generator) -> _Picture:
    """Return speckled texture in a sector on black, as an ultrasound probe shows it."""
    y, x = (np.mgrid[:_SIDE, :_SIDE] + 0.5) / _SIDE * 2 - 1
    depth = np.hypot(x + rng.uniform(-0.2, 0.2), y + 1)
    sector = (np.abs(np.arctan2(x, y + 1)) < rng.uniform(0.4, 0.9)) & (depth < rng.uniform(1.2, 2))
    texture = np.asarray(Image.fromarray(np.ascontiguousarray(_cropped(picture, rng))).resize((_SIDE, _SIDE)))
    speckle = ndimage.gaussian_filter(rng.exponential(size=texture.shape), rng.uniform(0.5, 2))
    return np.where(sector & (depth > rng.uniform(0, 0.4)), texture * speckle * rng.uniform(0.3, 1), 0).astype(
        np.float32
    )


def _text(_picture: _Picture, rng: np.random.Generator) -> _Picture:
    """Return lines of strokes on paper or on a dark screen."""
    page = np.ones((_SIDE, _SIDE), dtype=np.float32)
    for row in range(int(rng.integers(2, 12)), _SIDE - 8, int(rng.integers(5, 14))):
        ink = rng.random((3, int(rng.integers(20, _SIDE - 10)))) < 0.6
        page[row : row + 3, 5 : 5 + ink.shape[1]] -= 0.8 * ink
    return page if rng.random() < 0.7 else 1 - page


def _stripes(_picture: _Picture, rng: np.random.Generator) -> _Picture:
    levels = rng.random(int(rng.integers(2, 20)))
    column = np.repeat(levels, -(-_SIDE // len(levels)))[:_SIDE]
    stripes = np.broadcast_to(column[:, None], (_SIDE, _SIDE)).astype(np.float32)
    return np.rot90(stripes, int(rng.integers(2)))


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]))
