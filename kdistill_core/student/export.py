"""A student for others to use: adapters merged, half precision, its encoder as ONNX, and a card that says so."""

from __future__ import annotations

import importlib.util
import json
import logging
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from transformers import __version__ as transformers_version

import kdistill_core
from kdistill_core.student.adapters import merge_lora
from kdistill_core.student.errors import StudentError
from kdistill_core.student.loading import CONFIG_FILE, load_student, weights_sha256
from kdistill_core.student.modeling import StudentModel

ONNX_FILE = "encoder.onnx"
CARD_FILE = "README.md"
# The names of the ONNX file's input and outputs.
INPUT = "pixel_values"
OUTPUTS = ("condition_logits", "condition_probabilities", "condition_attention", "explanation_embedding", "feature_map")
_NEEDED = ("onnx", "onnxscript")
_OPSET = 18


@dataclass(frozen=True)
class Exported:
    """Where an exported student lies, and what its card says of it. megabytes: of the safetensors files."""

    folder: Path
    source_sha256: str
    weights_sha256: str
    megabytes: float
    parameters: int
    half: bool
    merged: bool
    onnx: bool


class Encoder(nn.Module):
    """The student without its text: pixel_values float [B, 1, S, S] of one frontal each to what it decides and why."""

    def __init__(self, student: StudentModel) -> None:
        super().__init__()
        self.student = student

    def forward(self, pixel_values: Tensor) -> tuple[Tensor, ...]:
        """Return the tensors that OUTPUTS names."""
        seen = self.student.encode(pixel_values)
        logits = cast("Tensor", seen.condition_logits)
        found = (
            logits,
            self.student.probabilities(logits),
            seen.condition_attention,
            seen.explanation_embedding,
            seen.feature_map,
        )
        return cast("tuple[Tensor, ...]", found)


def export_student(source: Path, out: Path, *, half: bool = False, onnx: bool = False) -> Exported:
    """Write the student in ``source`` into the new folder ``out``, all of it or nothing.

    half: weights in float16 instead of float32. onnx: also the encoder as ONNX, always in float32. Raises StudentError
    where the source cannot be loaded, ``out`` is there already, or the packages for ONNX are missing.
    """
    if out.exists():
        raise StudentError(f"{out} is there already.", "Give a new folder, or delete that one first.")
    if onnx:
        check_onnx()
    student, processor = load_student(source)
    merged = student.config.lora is not None
    merge_lora(student)
    arriving = out.with_name(out.name + ".arriving")
    shutil.rmtree(arriving, ignore_errors=True)
    try:
        arriving.mkdir(parents=True)
        if onnx:
            export_encoder(student, arriving / ONNX_FILE)
        if half:
            _check_half(student)
            student.half()  # type: ignore[no-untyped-call]
        student.save_pretrained(arriving)
        processor.save_pretrained(arriving)
        exported = Exported(
            folder=out,
            source_sha256=weights_sha256(source),
            weights_sha256=weights_sha256(arriving),
            megabytes=sum(path.stat().st_size for path in arriving.glob("*.safetensors")) / 1e6,
            parameters=sum(parameter.numel() for parameter in student.parameters()),
            half=half,
            merged=merged,
            onnx=onnx,
        )
        (arriving / CARD_FILE).write_text(_card(exported, source, arriving), encoding="utf-8")
        arriving.replace(out)
    finally:
        shutil.rmtree(arriving, ignore_errors=True)
    return exported


def check_onnx() -> None:
    """Raise StudentError where a package that writes ONNX is missing."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise StudentError(
            f"To write ONNX, {' and '.join(missing)} must be installed.", "Run: pip install 'kdistill[export]'."
        )


def export_encoder(student: StudentModel, path: Path) -> None:
    """Write the encoder of ``student``, in evaluation mode and float32, as ONNX with any number of images a batch."""
    side = student.config.image_size
    example = torch.zeros(2, 1, side, side)
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    try:
        logger.setLevel(logging.ERROR)
        with torch.no_grad(), warnings.catch_warnings():
            # torch's exporter warns of its own deprecated calls.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                Encoder(student),
                (example,),
                path,
                input_names=[INPUT],
                output_names=list(OUTPUTS),
                dynamic_shapes={INPUT: {0: torch.export.Dim("batch")}},
                opset_version=_OPSET,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    finally:
        logger.setLevel(level)


def _check_half(student: StudentModel) -> None:
    limit = torch.finfo(torch.float16).max
    for name, values in student.state_dict().items():
        if values.is_floating_point() and not bool((values.abs() <= limit).all()):
            raise StudentError(
                f"The weights of {name} are too large for half precision, or not numbers.", "Export without --half."
            )


def _card(exported: Exported, source: Path, folder: Path) -> str:
    """Return the model card; the source's own card, where there is one, follows as it was."""
    config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    backbone, text = config["backbone_config"], config["text_config"]
    own = source / CARD_FILE
    lines = [
        f"# {source.resolve().name}, exported",
        "",
        "A K-Distill student: it looks at a chest radiograph, decides on "
        f"{len(config['conditions'])} conditions and writes why.",
        "",
        "**Research software, not a medical device. Not for diagnosis.** No clinician has approved what it says.",
        "",
        "| | |",
        "| --- | --- |",
        f"| Source weights, SHA-256 | `{exported.source_sha256}` |",
        f"| These weights, SHA-256 | `{exported.weights_sha256}` |",
        f"| Precision | {'float16' if exported.half else 'float32'} |",
        f"| Parameters | {exported.parameters:,} in {exported.megabytes:.1f} MB |",
        f"| Adapters | {'LoRA, merged into the weights' if exported.merged else 'none'} |",
        f"| Image | {config['image_size']} x {config['image_size']} pixels, kinds of view: {config['views']} |",
        f"| Backbone | {backbone['model_type']} |",
        f"| Language model | {text['model_type']} |",
        f"| Calibration | {_calibration(config)} |",
        f"| ONNX | {_onnx_line(exported)} |",
        f"| Written by | kdistill {kdistill_core.__version__}, torch {torch.__version__}, "
        f"transformers {transformers_version} |",
        "",
        "Nothing was measured on the exported weights."
        + (" Half precision moves every number a little." if exported.half else ""),
        "",
        "```sh",
        f"kdistill explain IMAGE --model {exported.folder.name}",
        "```",
        "",
        "## Configuration",
        "",
        "```json",
        json.dumps(config, indent=2),
        "```",
        "",
    ]
    if own.is_file():
        lines += ["## Card of the source", "", _without_metadata(own.read_text(encoding="utf-8")).strip(), ""]
    return "\n".join(lines)


def _calibration(config: dict[str, object]) -> str:
    method, fitted_on = config.get("calibration_method"), config.get("calibration_fitted_on")
    return f"{method}, fitted on {fitted_on}" if method else "not recorded"


def _onnx_line(exported: Exported) -> str:
    if not exported.onnx:
        return "not written"
    return f"`{ONNX_FILE}`: the encoder in float32, opset {_OPSET}, `{INPUT}` to {', '.join(f'`{n}`' for n in OUTPUTS)}"


def _without_metadata(card: str) -> str:
    if card.startswith("---\n"):
        _, _, rest = card[4:].partition("\n---\n")
        return rest or card
    return card
