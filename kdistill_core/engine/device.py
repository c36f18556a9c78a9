"""The device and precision to compute with: what is there, or what was asked for and is there."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from kdistill_core.engine.errors import EngineError

AUTO = "auto"
DEVICES = (AUTO, "cpu", "cuda", "mps")  # and cuda:N
PRECISIONS: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
_ALIASES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


@dataclass(frozen=True)
class Placement:
    """Where the models are and how their numbers are stored."""

    device: torch.device
    dtype: torch.dtype

    @property
    def precision(self) -> str:
        """The name of the precision, such as ``float32``."""
        return str(self.dtype).removeprefix("torch.")


def choose_placement(device: str = AUTO, precision: str = AUTO) -> Placement:
    """Return the placement for what was asked; ``auto`` takes the fastest that is there.

    Left to choose, the precision is bfloat16 on a GPU that computes with it, float16 on an older one, and float32
    on Apple's GPU and on the CPU, where half precision gains little at the size of our models.
    Raises EngineError for a device that is not there or a precision that it does not compute with.
    """
    chosen = _choose_device(device.strip().lower())
    return Placement(chosen, _choose_dtype(precision.strip().lower(), chosen))


def _choose_device(asked: str) -> torch.device:
    if asked == AUTO:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind, _, index = asked.partition(":")
    if kind not in DEVICES or (index and not (kind == "cuda" and index.isdecimal())):
        raise EngineError(f'There is no device named "{asked}".', f"Choose one of {', '.join(DEVICES)} or cuda:N.")
    _require_device(kind, int(index or 0))
    return torch.device(asked)


def _require_device(kind: str, index: int) -> None:
    if kind == "cuda" and not torch.cuda.is_available():
        raise EngineError(
            "The device cuda was asked for, but this computer has no NVIDIA GPU that torch can use.",
            "Choose auto or cpu, or install the NVIDIA driver and a torch build with CUDA.",
        )
    if kind == "cuda" and index >= torch.cuda.device_count():
        raise EngineError(
            f"The device cuda:{index} was asked for, but there are {torch.cuda.device_count()}, counted from 0.",
            "Choose a smaller number, cuda, or auto.",
        )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise EngineError(
            "The device mps was asked for, but this computer has no Apple GPU that torch can use.",
            "Choose auto or cpu.",
        )


def _choose_dtype(asked: str, device: torch.device) -> torch.dtype:
    asked = _ALIASES.get(asked, asked)
    bfloat16_there = device.type != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)
    if asked == AUTO:
        if device.type != "cuda":
            return torch.float32
        return torch.bfloat16 if bfloat16_there else torch.float16
    if asked not in PRECISIONS:
        raise EngineError(f'There is no precision named "{asked}".', f"Choose auto, {', '.join(PRECISIONS)}.")
    if asked == "float16" and device.type == "cpu":
        raise EngineError("The CPU does not compute well in float16.", "Choose float32 or bfloat16, or a GPU.")
    if asked == "bfloat16" and not bfloat16_there:
        raise EngineError("This GPU does not compute in bfloat16.", "Choose float16 or float32.")
    return PRECISIONS[asked]
