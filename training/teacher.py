"""Train a teacher: continued pre-training on literature, then instruction tuning on writing rationales.

    python -m training.teacher --config training/configs/teacher-demo.yaml
    accelerate launch --config_file training/configs/accelerate-fsdp.yaml -m training.teacher --config ...

Each stage goes on from the one before it. A run that was interrupted goes on where its last checkpoint stands; a stage
that is finished is not trained again. Losses go to TensorBoard (`tensorboard --logdir OUT`) and, at the end, to a page,
OUT/training.html.
"""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from jsonargparse import auto_cli
from torch.utils.data import ConcatDataset, Dataset
from transformers import AutoModelForCausalLM, PreTrainedTokenizerBase, TrainerCallback

from kdistill_core.teacher.errors import TeacherTrainingError
from kdistill_core.teacher.smollm2 import NAME as SMOLLM2
from kdistill_core.teacher.smollm2 import smollm2_folder
from kdistill_core.teacher.tuning.blocks import Block, ExampleBlocks, LiteratureBlocks
from kdistill_core.teacher.tuning.fine_tuning import (
    MODEL,
    STATE,
    LoraSettings,
    TrainingSettings,
    fine_tune,
    with_adapter,
)
from training.teacher_page import write_teacher_page


@dataclass(frozen=True)
class Stage:
    """One stage of the training.

    corpus: folder of a packed corpus, such as ``runs/corpus/packed/training``, of which ``corpus_blocks`` are read
    (all where None). examples: rationales to write, drawn from the knowledge base by the seed of ``training``.
    """

    name: str
    training: TrainingSettings
    corpus: Path | None = None
    corpus_blocks: int | None = None
    examples: int = 0


@dataclass(frozen=True)
class Base:
    """The language model a training begins with.

    model: a folder, or SmolLM2-135M-Instruct by its name. dtype: of its weights, a name of torch's. attention: how
    transformers computes it; ``sdpa`` keeps packed texts apart on every device.
    """

    model: str = SMOLLM2
    dtype: str = "float32"
    attention: str = "sdpa"

    @property
    def folder(self) -> Path:
        return smollm2_folder() if self.model == SMOLLM2 else Path(self.model)


def train_teacher(
    out: Path,
    stages: list[Stage],
    base: Base = Base(),
    lora: LoraSettings | None = None,
    length: int = 512,
    held_out: Path | None = None,
    held_out_blocks: int = 40,
    install: Path | None = None,
    threads: int | None = None,
) -> None:
    """Train all stages and write the finished model, or adapter, to ``out/model``.

    out: folder of this run. lora: train an adapter; the whole model where it is None. length: tokens a block. held_out:
    packed corpus whose loss is measured while training. install: folder that the finished model is copied to. threads:
    processor threads, torch's own choice where None.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    tokenizer = _tokenizer(base.folder)
    measured = None if held_out is None else LiteratureBlocks(held_out, held_out_blocks)
    earlier: Path | None = None
    for stage in stages:
        folder = out / stage.name
        if not (folder / STATE).is_file():
            model = _model(base, lora, earlier)
            data = _data(stage, tokenizer, length)
            _say(f"{stage.name}: {len(ConcatDataset(data))} blocks")
            fine_tune(model, data, stage.training, folder, measured, [_Progress()])
        earlier = folder / MODEL
    if earlier is None:
        raise TeacherTrainingError("The configuration has no stages.", "Name at least one.")
    if _processes().is_main_process:
        _finish(earlier, out / MODEL, base, lora)
        write_teacher_page(out, [stage.name for stage in stages])
        if install is not None:
            shutil.copytree(out / MODEL, install, dirs_exist_ok=True)
        _say(f"done: {install or out / MODEL}")


def _tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def _model(base: Base, lora: LoraSettings | None, earlier: Path | None) -> Any:
    folder = base.folder if lora is not None or earlier is None else earlier
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        local_files_only=True,
        use_safetensors=True,
        trust_remote_code=False,
        dtype=getattr(torch, base.dtype),
        attn_implementation=base.attention,
    )
    model.config.use_cache = False
    return model if lora is None else with_adapter(model, lora, earlier)


def _data(stage: Stage, tokenizer: PreTrainedTokenizerBase, length: int) -> list[Dataset[Block]]:
    data: list[Dataset[Block]] = []
    if stage.corpus is not None:
        data.append(LiteratureBlocks(stage.corpus, stage.corpus_blocks))
    if stage.examples:
        from kdistill_core.teacher.tuning.examples import rationale_examples

        examples = rationale_examples(tokenizer, stage.examples, stage.training.seed)
        data.append(ExampleBlocks(examples, length, tokenizer.eos_token_id))
    return data


def _finish(trained: Path, out: Path, base: Base, lora: LoraSettings | None) -> None:
    """Write what a reader of the model needs: half-precision weights, and the base by name instead of by path."""
    from kdistill_core.teacher.tuning.finished import finish_adapter, finish_model

    if lora is None:
        finish_model(trained, base.folder, out)
    else:
        finish_adapter(trained, base.model, out)


class _Progress(TrainerCallback):
    """Prints the loss, one line a log."""

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        del args, control
        if state.is_world_process_zero and logs:
            shown = {name: logs[name] for name in ("loss", "eval_loss", "learning_rate") if name in logs}
            figures = " ".join(f"{name} {value:.4g}" for name, value in shown.items())
            _say(f"step {state.global_step} of {state.max_steps}: {figures}")


def _processes() -> PartialState:
    """Return the processes of this run; without a GPU they talk by gloo, which has to be asked for."""
    return PartialState(cpu=not torch.cuda.is_available())


def _say(line: str) -> None:
    if _processes().is_main_process:
        print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def main(args: list[str] | None = None) -> None:
    """Run the command line."""
    auto_cli(train_teacher, as_positional=False, args=args)


if __name__ == "__main__":
    main()
