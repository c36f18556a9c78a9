"""LoRA adapters in the student's language model (Hu et al., ICLR 2022): a large one learns few weights.

The configuration says which adapter there is, so that a checkpoint of an adapted student opens like any other; merging
makes it a plain one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

from torch import nn

from kdistill_core.student.errors import StudentError

if TYPE_CHECKING:
    from kdistill_core.student.modeling import StudentModel

ALL_LINEAR = "all-linear"


@dataclass(frozen=True)
class LoraSettings:
    """Rank, scale (alpha / rank), dropout and the names of the adapted layers; all linear ones but the output's."""

    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.05
    targets: Sequence[str] | str = ALL_LINEAR


def add_lora(student: StudentModel, settings: LoraSettings | None = None) -> None:
    """Freeze the language model of ``student`` and put trainable adapters into it. Raises StudentError."""
    if student.config.lora is not None:
        raise StudentError("The student's language model has adapters already.", "Merge them first: merge_lora.")
    described = asdict(settings or LoraSettings())
    insert_lora(student.language_model, described)
    student.config.lora = described


def insert_lora(language_model: nn.Module, settings: dict[str, Any]) -> None:
    """Put adapters into ``language_model`` in place, as ``StudentConfig.lora`` describes them. Raises StudentError."""
    from peft import LoraConfig, inject_adapter_in_model

    try:
        named = LoraSettings(**settings)
        targets = named.targets if isinstance(named.targets, str) else list(named.targets)
        config = LoraConfig(
            r=named.rank, lora_alpha=cast("int", named.alpha), lora_dropout=named.dropout, target_modules=targets,
            bias="none", task_type="CAUSAL_LM",
        )  # fmt: skip
        inject_adapter_in_model(config, language_model)
    except (ValueError, TypeError) as error:
        raise StudentError(
            f"The adapter does not fit the language model: {str(error).splitlines()[0]}",
            f'Give rank, alpha, dropout and targets: "{ALL_LINEAR}", or names of its linear layers.',
        ) from error


def merge_lora(student: StudentModel) -> None:
    """Add the adapters to the weights they adapt and take them out; the student says the same as before."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    adapted = [
        (name, module) for name, module in student.language_model.named_modules() if isinstance(module, BaseTunerLayer)
    ]
    for name, module in adapted:
        module.merge()
        owner, _, own = name.rpartition(".")
        setattr(student.language_model.get_submodule(owner), own, module.get_base_layer())
    for parameter in student.language_model.parameters():
        parameter.requires_grad_(True)
    student.config.lora = None
