"""Builds a cache of slow little squares in a process of its own, so that tests can kill it.

python cache_builder.py ROOT COUNT WORKERS writes a line to ROOT/calls each time a square is prepared.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kdistill_core.datasets.cache import Gathered, gather
from kdistill_core.datasets.pixel_store import About
from kdistill_core.datasets.workers import Prepared

ABOUT = About("squares", 8)
SECONDS = 0.02


@dataclass(frozen=True)
class Square:
    """A square of one brightness; 13 takes its process down, as a decoder may."""

    brightness: int
    calls: str
    seconds: float = SECONDS

    def known_key(self, files: object) -> str:
        return f"square:{self.brightness}"

    def prepare(self, size: int, held: Collection[str]) -> Prepared:
        with Path(self.calls).open("a") as stream:
            stream.write(f"{self.brightness}\n")
        time.sleep(self.seconds)
        if self.brightness == 13:
            os._exit(1)
        return Prepared(self.known_key({}), np.full((size, size), self.brightness, dtype=np.uint8))


def build(root: Path, count: int, workers: int = 1, first: int = 20) -> Gathered:
    squares = [Square(first + number, str(root / "calls")) for number in range(count)]
    return gather(root / "cache", ABOUT, squares, workers)


if __name__ == "__main__":
    gathered = build(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    print([int(gathered.pixels[number][0, 0]) for number in range(len(gathered.pixels))], flush=True)
