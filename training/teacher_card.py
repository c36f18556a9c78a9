"""Write the model card of a trained teacher: what it read, how it was trained, and what it scored beside its base.

    python -m training.teacher_card resources/models/teacher-demo training/configs/teacher-demo.yaml \
        runs/corpus-literature runs/teacher-quality/teachers.json
"""

from __future__ import annotations

import json
from pathlib import Path

import peft
import transformers
from jsonargparse import auto_cli

from kdistill_core.evaluation.summary import interval_text, number_text
from kdistill_core.evaluation.teachers.result import TeacherQuality
from kdistill_core.evaluation.teachers.summary import comparison_text, main_rows
from kdistill_core.serialization import from_json
from kdistill_core.teacher.model import TeacherModel
from training.page import machine, markdown, versions

CARD = "README.md"


def write_teacher_card(model: Path, training_config: Path, corpus: Path, quality: Path) -> None:
    """Write ``model/README.md``.

    model: folder of the adapter. training_config: of its training. corpus: folder of the corpus it read. quality:
    teachers.json of `kdistill teacher evaluate`, the base first.
    """
    measured = from_json(quality.read_bytes(), TeacherQuality)
    teacher = TeacherModel.load(model)
    own = next((each for each in measured.teachers if each.model_sha256 == teacher.sha256), None)
    if own is None:
        raise SystemExit(f"{quality} measures other weights than those in {model}: evaluate this model first.")
    adapter = json.loads((model / "adapter_config.json").read_text(encoding="utf-8"))
    card = markdown(
        "teacher-card.md.jinja",
        {"number": number_text, "interval": interval_text, "comparison": comparison_text},
        name=model.resolve().name,
        adapter=adapter,
        megabytes=sum(path.stat().st_size for path in model.glob("*.safetensors")) / 1e6,
        sha256=teacher.sha256,
        config=training_config.as_posix(),
        settings=training_config.read_text(encoding="utf-8"),
        corpus_summary=(corpus / CARD).read_text(encoding="utf-8").splitlines()[2],
        teachers=measured.teachers,
        rows=main_rows(measured),
        protocol=measured.protocol,
        notes=measured.notes,
        machine=machine(),
        versions=versions(transformers, peft),
    )
    (model / CARD).write_text(card, encoding="utf-8")


if __name__ == "__main__":
    auto_cli(write_teacher_card)
