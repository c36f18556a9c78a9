"""How the loss of a teacher fell while it was trained, from the log that the trainer keeps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from kdistill_core.evaluation.errors import EvaluationError

# What transformers' Trainer leaves in a checkpoint, and what our own training leaves beside the model.
LOG_FILES = ("trainer_state.json", "log.json")


@dataclass(frozen=True)
class LossAtStep:
    """A loss, in nats a token, after so many steps."""

    step: int
    loss: float


@dataclass(frozen=True)
class LearningCurve:
    """The losses of a training. held_out: on documents that it did not see."""

    name: str
    training: tuple[LossAtStep, ...]
    held_out: tuple[LossAtStep, ...]


class _Entry(msgspec.Struct):
    step: int = 0
    loss: float | None = None
    eval_loss: float | None = None


class _State(msgspec.Struct):
    log_history: list[_Entry]


def read_learning_curve(path: Path) -> LearningCurve:
    """Return the curve in a log of transformers' Trainer, its state or its history alone, or in the folder of one.

    Raises EvaluationError for a file that is none, or that holds no loss.
    """
    file = next((path / name for name in LOG_FILES if (path / name).is_file()), path)
    try:
        found = msgspec.json.decode(file.read_bytes(), type=_State | list[_Entry])
    except OSError as error:
        raise EvaluationError(
            f"{file} cannot be read: {error.strerror}.", f"Give the {LOG_FILES[0]} of a training, or its folder."
        ) from error
    except msgspec.DecodeError as error:
        raise EvaluationError(f"{file} is no log of a training: {error}.", f"Give its {LOG_FILES[0]}.") from error
    history = found.log_history if isinstance(found, _State) else found
    training = tuple(LossAtStep(entry.step, entry.loss) for entry in history if entry.loss is not None)
    held_out = tuple(LossAtStep(entry.step, entry.eval_loss) for entry in history if entry.eval_loss is not None)
    if not training and not held_out:
        raise EvaluationError(f"{file} holds no loss.", "Train with logging_steps set.")
    # A log lies in a folder of its own run, and in one of its checkpoint.
    folder = file.resolve().parent
    while folder.name.startswith("checkpoint") and folder.parent != folder:
        folder = folder.parent
    return LearningCurve(folder.name, training, held_out)
