"""A student with random weights that builds in a moment, for tests and smoke runs. What it says means nothing."""

from __future__ import annotations

from pathlib import Path

import torch

from kdistill_core.conditions import FINDING_CONDITIONS
from kdistill_core.student.configuration import tiny_config
from kdistill_core.student.modeling import StudentModel
from kdistill_core.student.processing import StudentProcessor
from kdistill_core.student.tokenizer import train_tokenizer


def tiny_student(seed: int = 0, image_size: int = 64) -> tuple[StudentModel, StudentProcessor]:
    """Return a random student of about 50,000 parameters, in evaluation mode, with its processor."""
    tokenizer = train_tokenizer((f"There is {condition.value.lower()}." for condition in FINDING_CONDITIONS), 300)
    config = tiny_config(vocab_size=len(tokenizer), image_size=image_size)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = StudentModel(config)
    model.eval()  # type: ignore[no-untyped-call]
    return model, StudentProcessor(tokenizer, image_size=image_size)


def save_tiny_student(folder: Path, seed: int = 0, image_size: int = 64) -> Path:
    """Write the checkpoint of :func:`tiny_student` into ``folder`` and return the folder."""
    model, processor = tiny_student(seed, image_size)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
