"""transformers' Trainer with the distillation objective, a schedule by steps, and checkpoints that are whole.

Mixed precision, accumulation, DDP and FSDP are transformers' own. What a run does is settled by its configuration and
seed: a case's place in the order of draws settles its augmentation, and all other random states are in the checkpoints.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from torch.utils.data import Dataset, Sampler, SequentialSampler
from transformers import PrinterCallback, Trainer, TrainerState, set_seed
from transformers.trainer import TRAINER_STATE_NAME
from typing_extensions import override

from kdistill_core.distillation.averaging import items_of_step, shares_of, terms_of_all
from kdistill_core.distillation.batches import Example
from kdistill_core.distillation.checkpoints import (
    ARRIVING,
    Seal,
    check_configuration,
    newest_checkpoint,
    put_in_place,
)
from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.faults import (
    WRITING_ERRORS,
    is_out_of_memory,
    nonsense,
    out_of_memory,
    unwritten,
)
from kdistill_core.distillation.gradient_norms import gradient_norms, shared_encoder
from kdistill_core.distillation.losses import Term
from kdistill_core.distillation.normalization import share_batch_statistics
from kdistill_core.distillation.objective import DISTILLATION, GENERATION, Objective
from kdistill_core.distillation.on_policy import ON_POLICY, TeacherScores
from kdistill_core.distillation.processes import of_first_process, process_count
from kdistill_core.distillation.run_settings import RunSettings, training_arguments
from kdistill_core.distillation.sampling import DrawnCases
from kdistill_core.distillation.schedule import Schedule, Stage, frozen_at
from kdistill_core.distillation.term_log import TermLog
from kdistill_core.student.modeling import StudentModel, StudentOutput


class DistillationTrainer(Trainer):
    """Trains a student by an :class:`Objective` through the stages of a :class:`Schedule`.

    cases: what is drawn from; weights: the probability [N] of each case, None for each once a pass. configuration: of
    the whole run, kept in every checkpoint; a checkpoint of another one is refused. scores: the teacher that scores
    texts as they come, those that the student writes itself and those that nobody has scored before.
    """

    def __init__(
        self,
        model: StudentModel,
        cases: Dataset[Example],
        collate: Callable[[Sequence[Example]], dict[str, Tensor]],
        objective: Objective,
        schedule: Schedule,
        settings: RunSettings,
        out: Path,
        *,
        weights: NDArray[np.floating] | None = None,
        configuration: Mapping[str, Any] | None = None,
        scores: TeacherScores | None = None,
    ) -> None:
        arguments = training_arguments(out, schedule, settings)
        if process_count() > 1:
            share_batch_statistics(model)
        cases_a_step = settings.batch_size * settings.accumulate * process_count()
        drawn = DrawnCases(cases, schedule.steps * cases_a_step, settings.seed, weights)
        super().__init__(model=model, args=arguments, train_dataset=drawn, data_collator=collate)
        self.remove_callback(PrinterCallback)
        self.objective: Objective = objective
        self.schedule = schedule
        self.settings = settings
        self.out = out
        self._configuration = {**(configuration or {}), "cases_a_step": cases_a_step}
        self._scores = scores
        for stage in schedule.stages:
            if stage.on_policy and (scores is None or not stage.weights.get(DISTILLATION)):
                raise DistillationError(
                    f"The stage {stage.name!r} is to train on the student's own texts, and nobody scores them.",
                    "Name a teacher in `on_policy` and weigh the distillation term, or set the share to 0.",
                )
        self._stage: Stage | None = None
        self._frozen: list[nn.Module] = []
        self._still: list[nn.Parameter] = []
        self._step_batches: list[dict[str, Tensor]] = []
        self._whole: dict[str, float] = {}
        self._terms_so_far = TermLog()
        self._norms: dict[str, float] = {}
        self._arriving = False
        self._started = time.monotonic()
        self._earlier_minutes = 0.0
        self.ended = False

    @property
    def minutes(self) -> float:
        """The minutes trained so far, over all interruptions."""
        return self._earlier_minutes + (time.monotonic() - self._started) / 60

    @property
    def stage(self) -> Stage:
        """The stage that the training is in."""
        return self.schedule.at(self.state.global_step)[0]

    @property
    def student(self) -> StudentModel:
        """The student itself, whatever wraps it for several processes."""
        return cast("StudentModel", self.accelerator.unwrap_model(self.model))

    def train_on(self) -> None:
        """Train to the end, from the newest whole checkpoint where there is one.

        Raises DistillationError for a checkpoint of another configuration, a loss that is no number, memory or a disk
        that does not suffice.
        """
        found = newest_checkpoint(self.out)
        if found is not None:
            check_configuration(*found, self._configuration)
            self._earlier_minutes = found[1].minutes
        self._started = time.monotonic()
        # What was drawn between here and the seeding by transformers is nobody's business.
        set_seed(self.args.seed)
        if found is not None and (found[1].ended or self.is_over_budget):
            self._load_from_checkpoint(str(found[0]))
            self.state = TrainerState.load_from_json(str(found[0] / TRAINER_STATE_NAME))
            return
        try:
            self.train(resume_from_checkpoint=str(found[0]) if found else None)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            newest = newest_checkpoint(self.out)
            kept = newest[0] if newest else None
            raise out_of_memory(self.settings.batch_size, self.settings.accumulate, kept) from error

    @property
    def is_over_budget(self) -> bool:
        """Whether the minutes that a run may take are used up, as the first process counts them."""
        most = self.schedule.max_minutes
        return most is not None and bool(of_first_process(float(self.minutes >= most)))

    def end(self) -> None:
        """End the training after this step, for good: a run that is started again trains no further."""
        self.ended = True
        self.control.should_training_stop = self.control.should_save = True

    @override
    def create_scheduler(self, num_training_steps: int, optimizer: Optimizer | None = None) -> LRScheduler:
        del num_training_steps  # the schedule's own
        self.lr_scheduler = LambdaLR(optimizer or cast("Optimizer", self.optimizer), self.schedule.learning_rate)
        self._created_lr_scheduler = True
        return self.lr_scheduler

    @override
    def get_batch_samples(
        self, epoch_iterator: Iterator[dict[str, Tensor]], num_batches: int, device: torch.device
    ) -> tuple[list[dict[str, Tensor]], None]:
        """Return the micro-batches of a step; how much each of them counts follows from what all of them hold."""
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        batches = [self._with_scores(batch, place) for place, batch in enumerate(batches)]
        names = [name for name, weight in self._weights(batches[0]).items() if weight]
        whole = items_of_step(batches, self.objective, names)
        self._whole = dict(zip(names, whole.tolist(), strict=True))
        self._step_batches = batches
        return batches, None

    @override
    def training_step(self, model: nn.Module, inputs: dict[str, Tensor], num_items_in_batch: Any = None) -> Tensor:
        loss = super().training_step(model, inputs, num_items_in_batch)
        for parameter in self._still:
            # A sharded parameter may get a gradient although it is frozen.
            parameter.grad = None
        return loss

    @override
    def compute_loss(  # type: ignore[override]
        self, model: nn.Module, inputs: dict[str, Tensor], return_outputs: bool = False, **kwargs: Any
    ) -> Tensor | tuple[Tensor, StudentOutput]:
        del kwargs  # what it averages over is counted here
        self._enter(self.stage)
        for module in self._frozen:
            module.eval()
        weights = self._weights(inputs)
        terms, output = terms_of_all(self.objective, model, inputs, weights)
        shares = shares_of(terms, self._whole, len(self._step_batches))
        self._measure_norms(terms, weights)
        total = torch.stack([weights[name] * shares[name] * term.value for name, term in terms.items()]).sum()
        if not bool(torch.isfinite(total)):
            raise nonsense("The loss", float(total.detach()), self.state.global_step + 1, [inputs], self.out)
        self._terms_so_far.add(terms, shares, weights, len(self._step_batches))
        return (total, output) if return_outputs else total

    @override
    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the terms, averaged since the last report over all processes, and the time to what is logged."""
        logs |= self._terms_so_far.report() | self._norms
        self._norms = {}
        super().log({**logs, "minutes": round(self.minutes, 3)}, start_time)

    def report(self, values: Mapping[str, float]) -> None:
        """Log what was measured beside the training, such as validation scores."""
        due = self.control.should_log
        super().log(dict(values))
        # A report resets it, and the step's own is still to come.
        self.control.should_log = due

    def _weights(self, batch: Mapping[str, Tensor]) -> dict[str, float]:
        """Return the weights of the stage; a text of the student's own is no target of its own."""
        weights = dict(self.stage.weights)
        if ON_POLICY in batch:
            weights.pop(GENERATION, None)
        return weights

    def _with_scores(self, batch: dict[str, Tensor], place: int) -> dict[str, Tensor]:
        """Return the ``place``-th micro-batch of a step as the teacher scores it now, where the stage asks for that."""
        if self._scores is None or not self.stage.weights.get(DISTILLATION):
            return batch
        if self._is_on_policy():
            numbers = (self.state.global_step, self.args.process_index, place)
            batch = self._scores.written(self.student, batch, *numbers)
        elif "teacher_token_probs" in batch:
            return batch
        return self._scores.scored(batch)

    def _is_on_policy(self) -> bool:
        """Return whether this step is one of those, spread evenly over the stage."""
        stage, done = self.schedule.at(self.state.global_step)
        return int((done + 1) * stage.on_policy) > int(done * stage.on_policy)

    def _measure_norms(self, terms: Mapping[str, Term], weights: Mapping[str, float]) -> None:
        every = self.settings.gradient_norm_steps
        # The parameters of a sharded model are not those that its graph holds.
        if not every or self.is_fsdp_enabled or self._norms or self.state.global_step % every:
            return
        self._norms = gradient_norms(terms, weights, shared_encoder(self.student))

    @override
    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm)  # type: ignore[no-untyped-call]
        value = float(norm)
        if not np.isfinite(value):
            step = self.state.global_step + 1
            raise nonsense("The gradient's norm", value, step, self._step_batches, self.out)
        return norm

    @override
    def _get_train_sampler(self, train_dataset: Dataset[Any] | None = None) -> Sampler[int]:
        return SequentialSampler(cast("DrawnCases", train_dataset or self.train_dataset))

    @override
    def _get_output_dir(self, trial: Any) -> str:
        return str(self.out / ARRIVING) if self._arriving else super()._get_output_dir(trial)

    @override
    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Write the checkpoint aside and put it in place once it is whole."""
        aside = self.out / ARRIVING
        if self.args.should_save:
            shutil.rmtree(aside, ignore_errors=True)
        self._wait()
        self._arriving = True
        try:
            super()._save_checkpoint(model, trial)
            self._wait()
            if self.args.should_save:
                arrived = aside / f"checkpoint-{self.state.global_step}"
                seal = Seal.of(arrived, self._configuration, self.minutes, ended=self.ended)
                put_in_place(arrived, seal, self.settings.keep)
        except WRITING_ERRORS as error:
            if is_out_of_memory(error):
                raise
            shutil.rmtree(aside, ignore_errors=True)
            earlier = newest_checkpoint(self.out)
            raise unwritten(self.state.global_step, error, earlier[0] if earlier else None) from error
        finally:
            self._arriving = False
        self._wait()

    def _wait(self) -> None:
        if process_count() > 1:
            dist.barrier()

    def _enter(self, stage: Stage) -> None:
        if stage is self._stage:
            return
        self._stage = stage
        student = self.student
        still = frozen_at(stage, [name for name, _ in student.named_parameters()])
        for name, parameter in student.named_parameters():
            parameter.requires_grad_(name not in still)
        self._still = [parameter for name, parameter in student.named_parameters() if name in still]
        for parameter in self._still:
            parameter.grad = None
        # A frozen module's batch statistics stand still as well.
        self._frozen = [module for name, module in student.named_modules() if name in stage.frozen]
