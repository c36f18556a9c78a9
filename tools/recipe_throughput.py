"""How fast a student of a training configuration learns on this machine, and how much arithmetic a case is.

    python tools/recipe_throughput.py training/configs/mimic-cxr/student.yaml [--batch 4] [--steps 3]

Prints parameters, floating point operations of a case forward and backward (counted by torch; a multiplication with its
addition is two), and the median rate of whole steps (objective of the last stage, AdamW) on made-up images with the
library's own rationales, data already in memory. On a GPU in bfloat16, with the memory it took at most.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ActionConfigFile, ArgumentParser
from torch.utils.flop_counter import FlopCounterMode

from kdistill_core.conditions import CONDITIONS, FINDING_CONDITIONS, State
from kdistill_core.distillation.objective import ALIGNMENT
from kdistill_core.distillation.targets import STUDENT_ROLES
from kdistill_core.records import Finding
from kdistill_core.student import StudentModel, StudentProcessor
from kdistill_core.student.tokenizer import train_tokenizer
from kdistill_core.teacher.embedding import StoredEmbeddings
from kdistill_core.teacher.library import RationaleLibrary
from training.student import new_student, train_student


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("config", type=Path)
    asked.add_argument("--batch", type=int, default=4)
    asked.add_argument("--steps", type=int, default=3)
    given = asked.parse_args()
    settings = _settings(given.config)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    library = RationaleLibrary.load()
    tokenizer = train_tokenizer(library.texts(), settings.model.vocabulary)
    processor = StudentProcessor(tokenizer, image_size=settings.model.image_size)
    width = StoredEmbeddings.load().dimensions if settings.training.weighs(ALIGNMENT) else 0
    student = new_student(settings.model, settings.training, processor, width).to(device).train()
    batch = _batch(processor, library, settings, given.batch, width)
    batch = {name: value.to(device) for name, value in batch.items()}
    print(f"{given.config}: {student.num_parameters() / 1e6:.1f} million parameters, {_machine(device)}")
    print(f"text of {int((batch['labels'] >= 0).sum()) / given.batch:.0f} tokens a case on average")
    _measure(student, batch, settings.training, given.steps, device)


def _settings(config: Path) -> Any:
    parser = ArgumentParser()
    parser.add_function_arguments(train_student)
    parser.add_argument("--config", action=ActionConfigFile)
    return parser.instantiate(parser.parse_args(["--config", str(config)]))


def _batch(
    processor: StudentProcessor, library: RationaleLibrary, settings: Any, size: int, width: int
) -> dict[str, torch.Tensor]:
    """Return made-up cases of two findings each, in turn over all."""
    drawn = torch.Generator().manual_seed(0)
    count = len(FINDING_CONDITIONS)
    told = [(FINDING_CONDITIONS[case % count], FINDING_CONDITIONS[(5 * case + 3) % count]) for case in range(size)]
    texts = [library.compose([Finding(one, State.POSITIVE) for one in of], roles=STUDENT_ROLES).text for of in told]
    present = torch.tensor([[float(one in of) for one in CONDITIONS] for of in told])
    side = settings.model.image_size
    return {
        "pixel_values": torch.randn(size, 1, side, side, generator=drawn).contiguous(memory_format=torch.channels_last),
        **processor.targets(texts, settings.training.text_length),
        "condition_states": present,
        "condition_labels": present,
        "finding_sets": present.bool(),
        "groups": torch.arange(size),
        "teacher_embeddings": torch.randn(size, width, generator=drawn),
    }


def _measure(
    student: StudentModel, batch: dict[str, torch.Tensor], training: Any, steps: int, device: torch.device
) -> None:
    objective, weights = training.objective, dict(training.stages[-1].weights)
    optimizer = torch.optim.AdamW(student.parameters(), lr=1e-5)
    half = torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else nullcontext()

    def step() -> None:
        with half:
            loss, _, _ = objective(student, batch, weights)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if device.type == "cuda":
            torch.cuda.synchronize()

    counter = FlopCounterMode(display=False)
    with counter:
        step()
    size = len(batch["labels"])
    print(f"{counter.get_total_flops() / size / 1e9:.1f} GFLOP a case, forward and backward")
    rates = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        rates.append(size / (time.perf_counter() - start))
    print(f"{statistics.median(rates):.3g} cases a second, batch {size}, median of n = {steps} steps")
    if device.type == "cuda":
        print(f"{torch.cuda.max_memory_allocated() / 1e9:.1f} GB of GPU memory at most")


def _machine(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, bfloat16"
    return f"{torch.get_num_threads()} CPU thread(s), float32, load {os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    main()
