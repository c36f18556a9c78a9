"""What the benchmarks of training train: the student of a configuration, on made-up images and the teacher's texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor

from kdistill_core.conditions import CONDITIONS, State
from kdistill_core.datasets.cache import PixelCache
from kdistill_core.distillation.augmentation import Augmentation
from kdistill_core.distillation.batches import Collator, DistillationDataset
from kdistill_core.distillation.losses import UncertainPolicy
from kdistill_core.distillation.objective import AlignmentSettings, Objective, Positives
from kdistill_core.distillation.run_settings import RunSettings
from kdistill_core.distillation.schedule import Schedule, Stage
from kdistill_core.distillation.targets import teacher_targets
from kdistill_core.distillation.trainer import DistillationTrainer
from kdistill_core.records import Finding, Patient, Study
from kdistill_core.student import StudentConfig, StudentModel, StudentProcessor
from kdistill_core.student.tokenizer import train_tokenizer
from kdistill_core.teacher.library import RationaleLibrary

CASES = 512
EMBEDDING = 576  # of the bundled teacher
VARIANTS = 3


@dataclass(frozen=True)
class Bench:
    """A student with what it learns from. tokens: of a text with begin and end, the mean of the cases."""

    name: str
    student: StudentModel
    cases: DistillationDataset
    collator: Collator
    objective: Objective
    stage: Stage
    settings: RunSettings
    tokens: float

    def trainer(self, out: Path, settings: RunSettings, steps: int) -> DistillationTrainer:
        """Return the trainer of ``steps`` steps of the configuration's last stage, at a rate that does not change."""
        stage = replace(self.stage, steps=steps, warmup=0.0, final_share=1.0)
        return DistillationTrainer(
            self.student, self.cases, self.collator, self.objective, Schedule((stage,)), settings, out
        )

    def batches(self, count: int, size: int, device: torch.device) -> list[dict[str, Tensor]]:
        """Return ``count`` batches of ``size`` cases, on the device."""
        drawn = np.random.default_rng(1).integers(len(self.cases), size=(count, size))
        made = [
            self.collator([replace(self.cases[int(case)], draw=place) for place, case in enumerate(row)])
            for row in drawn
        ]
        return [{name: value.to(device) for name, value in batch.items()} for batch in made]


def bench_of(path: Path, batch_size: int) -> Bench:
    """Return the student and the run of a training's configuration file, with cases in place of its data."""
    whole = yaml.safe_load(path.read_text(encoding="utf-8"))
    model, training = whole["model"], whole["training"]
    side, longest = model["image_size"], training.get("text_length", 256)
    studies = tuple(_study(index) for index in range(CASES))
    embeddings = np.random.default_rng(2)
    targets = teacher_targets(
        [study.findings for study in studies],
        RationaleLibrary.load(),
        lambda texts: embeddings.normal(size=(len(texts), EMBEDDING)).astype(np.float32),
        VARIANTS,
    )
    texts = [text for versions in targets.texts for text in versions]
    processor = StudentProcessor(train_tokenizer(iter(texts), model["vocabulary"]), image_size=side)
    pixels = np.random.default_rng(3).integers(0, 256, (CASES, side, side), dtype=np.uint8)
    lengths = [int(processor.targets([text], longest)["attention_mask"].sum()) for text in texts[::VARIANTS]]
    positives = Positives[training.get("alignment", {}).get("positives", "EQUAL")]
    return Bench(
        name=f"{path.parent.name}/{path.stem}, {side} pixels, {batch_size} cases a batch",
        student=_student(model, processor),
        cases=DistillationDataset(PixelCache(pixels, studies), targets),
        collator=Collator(processor, longest, Augmentation()),
        objective=Objective(
            (UncertainPolicy.IGNORE,) * len(CONDITIONS), alignment=AlignmentSettings(positives=positives)
        ),
        stage=Stage(**training["stages"][-1]),
        settings=RunSettings(**{**training["run"], "batch_size": batch_size, "accumulate": 1, "bf16": False}),
        tokens=float(np.mean(lengths)),
    )


def _study(index: int) -> Study:
    """Return a case with one to three findings, the rest of them negative or not spoken of."""
    rng = np.random.default_rng([4, index])
    states = rng.choice([State.NEGATIVE, State.BLANK], size=len(CONDITIONS))
    states[rng.choice(len(CONDITIONS), size=rng.integers(1, 4), replace=False)] = State.POSITIVE
    pairs = zip(CONDITIONS, states, strict=True)
    findings = tuple(Finding(condition, State(state)) for condition, state in pairs)
    return Study(f"case-{index}", Patient(id=str(index)), findings=findings)


def _student(model: Mapping[str, Any], processor: StudentProcessor) -> StudentModel:
    tokenizer = processor.tokenizer
    special = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    shape = {name: model[name] for name in ("image_size", "feature_size", "query_heads", "visual_grid")}
    torch.manual_seed(5)
    student = StudentModel(
        StudentConfig(
            backbone_config=model["backbone"],
            text_config={**model["text"], "vocab_size": len(tokenizer), **special},
            alignment_size=EMBEDDING,
            **shape,
        )
    )
    student.vision.to(memory_format=torch.channels_last)
    return student
