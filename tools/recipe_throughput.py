"""How fast a student of a training configuration learns on this machine, and how much arithmetic a case is.

    python3 tools/recipe_throughput.py training/configs/mimic-cxr/student.yaml [--batch 4] [--steps 3]

For each stage of the schedule: floating point operations of a case forward and backward (counted by torch; a
multiplication with its addition is two), the median rate of whole steps (its objective, its frozen modules, AdamW) on
made-up images with the library's own rationales, data already in memory, and the hours of the stage at that rate. On a
GPU in bfloat16, with the memory it took at most. What making the batches costs is not in it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ActionConfigFile, ArgumentParser
from torch.utils.flop_counter import FlopCounterMode

# Runs where the package is not installed, too.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from kdistill_core.conditions import CONDITIONS, FINDING_CONDITIONS, State
from kdistill_core.distillation.objective import ALIGNMENT, Objective
from kdistill_core.distillation.schedule import Stage, frozen_at
from kdistill_core.distillation.targets import STUDENT_ROLES
from kdistill_core.records import Finding
from kdistill_core.student import StudentModel, StudentProcessor
from kdistill_core.student.tokenizer import train_tokenizer
from kdistill_core.teacher.embedding import StoredEmbeddings
from kdistill_core.teacher.library import RationaleLibrary
from training.student import new_student, train_student

_WARM_UP = 2  # steps beside the one whose operations are counted


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("config", type=Path)
    asked.add_argument("--batch", type=int, default=4)
    asked.add_argument("--steps", type=int, default=3)
    given = asked.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    settings = _settings(given.config)
    training = settings.training
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    library = RationaleLibrary.load()
    tokenizer = train_tokenizer(library.texts(), settings.model.vocabulary)
    processor = StudentProcessor(tokenizer, image_size=settings.model.image_size)
    width = StoredEmbeddings.load().dimensions if training.weighs(ALIGNMENT) else 0
    student = new_student(settings.model, training, processor, width).to(device)
    batch = {name: value.to(device) for name, value in _batch(processor, library, settings, given.batch, width).items()}
    print(f"{given.config}: {student.num_parameters() / 1e6:.1f} million parameters, {_machine(device)}")
    print(
        f"text of {int((batch['labels'] >= 0).sum()) / given.batch:.0f} tokens a case on average, batch {given.batch}"
    )
    hours = 0.0
    for stage in training.stages:
        rate = _measure(student, batch, training.objective, stage, given.steps)
        cases = stage.steps * training.run.batch_size * training.run.accumulate
        print(f"  {cases:,} cases in {stage.steps:,} steps by one process: {cases / rate / 3600:.2f} hours", flush=True)
        hours += cases / rate / 3600
    print(f"whole schedule: {hours:.2f} hours")


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
    student: StudentModel, batch: dict[str, torch.Tensor], objective: Objective, stage: Stage, steps: int
) -> float:
    """Print what a stage takes, and return its cases a second."""
    learning = _enter(student, stage)
    device = batch["labels"].device
    on_gpu = device.type == "cuda"
    optimizer = torch.optim.AdamW(learning, lr=1e-5, fused=on_gpu)
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()

    def step() -> float:
        began = time.perf_counter()
        with torch.autocast("cuda", torch.bfloat16) if on_gpu else nullcontext():
            loss, _, _ = objective(student, batch, dict(stage.weights))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if on_gpu:
            torch.cuda.synchronize()
        return time.perf_counter() - began

    with FlopCounterMode(display=False) as counter:
        step()
    for _ in range(_WARM_UP if on_gpu else 0):
        step()
    size = len(batch["labels"])
    a_case = counter.get_total_flops() / size
    rate = size / statistics.median(step() for _ in range(steps))
    memory = f", {torch.cuda.max_memory_allocated() / 1e9:.1f} GB of GPU memory at most" if on_gpu else ""
    print(
        f"{stage.name}: {a_case / 1e9:.4g} GFLOP a case, {rate:.3g} images a second (median of n = {steps} steps), "
        f"{a_case * rate / 1e12:.3g} TFLOP/s{memory}"
    )
    return rate


def _enter(student: StudentModel, stage: Stage) -> list[torch.nn.Parameter]:
    """Put the student into ``stage``, and return the parameters that learn in it."""
    frozen = frozen_at(stage, [name for name, _ in student.named_parameters()])
    student.train()
    for name, module in student.named_modules():
        if name in stage.frozen:
            module.eval()
    for name, parameter in student.named_parameters():
        parameter.requires_grad_(name not in frozen)
        parameter.grad = None
    return [parameter for parameter in student.parameters() if parameter.requires_grad]


def _machine(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, bfloat16, torch {torch.__version__}"
    threads = f"{torch.get_num_threads()} CPU thread(s)"
    return f"{threads}, float32, load {os.getloadavg()[0]:.1f}, torch {torch.__version__}"


if __name__ == "__main__":
    main()
