"""What ends a training before its time, told so that the reader knows what to change: nonsense, memory, the disk."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.processes import of_process

# How torch and the operating system say that there is no memory left, without a GPU.
_NO_MEMORY = ("not enough memory", "can't allocate memory", "cannot allocate memory", "unable to allocate")
# What a library that writes a file raises when the disk is full, beside OSError.
WRITING_ERRORS = (OSError, SafetensorError, RuntimeError)


def nonsense(
    what: str, value: float, step: int, batches: Sequence[Mapping[str, Tensor]], out: Path
) -> DistillationError:
    """Save the batches that led to a loss or gradient that is no number; return the error that names the file.

    Each of several processes has batches of its own, and so a file of its own.
    The file holds every tensor of the batches, the images too, and of the cases only hashes of their ids.
    """
    path = out / f"nonsense-step-{step}{of_process()}.safetensors"
    tensors = {
        (name if len(batches) == 1 else f"{place}/{name}"): value.detach().cpu().contiguous()
        for place, batch in enumerate(batches)
        for name, value in batch.items()
    }
    try:
        save_file(tensors, path, {"step": str(step), "what": what, "value": str(value)})
    except WRITING_ERRORS as error:
        return DistillationError(
            f"{what} is {value} at step {step}, and its batch could not be saved to {path}: {error}.",
            "Free disk space and go on from the last checkpoint to see it again.",
        )
    named = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return DistillationError(
        f"{what} is {value} at step {step}; the batch is in {path} (sha256 {named}...).",
        "Lower the learning rate or switch bf16 off, then go on from the last checkpoint. The file holds images: "
        "keep it as carefully as the data set.",
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, on a GPU or on a CPU."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _NO_MEMORY)


def out_of_memory(batch_size: int, accumulate: int, checkpoint: Path | None) -> DistillationError:
    """Return the error that says which setting to lower, and from where the training goes on."""
    going_on = f"The last checkpoint is {checkpoint}." if checkpoint else "There is no checkpoint yet."
    # A divisor, else a step would lose cases and the checkpoint be refused as one of another configuration.
    fewer = max((size for size in range(1, batch_size // 2 + 1) if batch_size % size == 0), default=1)
    advice = (
        f"Lower `batch_size` to {fewer} and raise `accumulate` to {accumulate * batch_size // fewer}: a step keeps its "
        "cases, and the run goes on."
        if batch_size > 1
        else "Lower `image_size` or `text_length`."
    )
    return DistillationError(
        f"Memory ran out with {batch_size} cases a batch. {going_on}",
        f"{advice} Or set `gradient_checkpointing`, which trades time for memory.",
    )


def not_kept(folder: Path, error: BaseException) -> DistillationError:
    """Return the error of weights that could not be written to ``folder``, which is as it was."""
    return DistillationError(
        f"The student could not be kept in {folder}: {error}.",
        "Free disk space and start the same command again; it goes on from the newest checkpoint.",
    )


def unwritten(step: int, error: BaseException, earlier: Path | None) -> DistillationError:
    """Return the error of a checkpoint that could not be written."""
    going_on = f"{earlier} is still the newest." if earlier else "There is no earlier one."
    return DistillationError(
        f"The checkpoint of step {step} could not be written: {error}. {going_on}",
        "Free disk space and start the same command again; it goes on from the newest checkpoint.",
    )
