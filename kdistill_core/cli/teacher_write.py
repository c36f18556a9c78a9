"""`kdistill teacher write`: rationales for a data set, each finding explained once."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Self

import typer

from kdistill_core.cli.console import REFUSED, err, result, say, show_table
from kdistill_core.cli.options import (
    DEFAULT_DEVICE,
    DEFAULT_PRECISION,
    DeviceOption,
    KindOption,
    LabelsOption,
    PrecisionOption,
    SeedOption,
    SplitOption,
)

if TYPE_CHECKING:
    from kdistill_core.teacher.data_set_writing import Studies
    from kdistill_core.teacher.drafts import Writer
    from kdistill_core.teacher.processes import Processes
    from kdistill_core.teacher.prompts import RationalePrompt
    from kdistill_core.teacher.writing import Tally

_SECONDS_BETWEEN_LINES = 10.0  # of progress, where there is no terminal


# The library's own names: importing them here would slow down the start of every command.
class ContextChoice(StrEnum):
    """What a study's findings are read from."""

    LABELS = "labels"
    REPORT = "report"


class StateChoice(StrEnum):
    """In which states findings are explained."""

    POSITIVE = "positive"
    UNCERTAIN = "uncertain"
    NEGATIVE = "negative"


def write(
    data: Annotated[Path, typer.Argument(metavar="DATASET", help="The folder of the data set.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the store to write to.")],
    model: Annotated[
        str, typer.Option("--model", metavar="DIR", help="Folder of a model or an adapter; by default the bundled one.")
    ] = "",
    adapter: Annotated[Path | None, typer.Option("--adapter", metavar="DIR", help="LoRA adapter of the model.")] = None,
    server: Annotated[
        list[str] | None,
        typer.Option(
            "--server", metavar="URL", help="OpenAI-compatible server that writes; several for several processes."
        ),
    ] = None,
    server_model: Annotated[
        str, typer.Option("--server-model", metavar="NAME", help="The model's name there, where it has several.")
    ] = "",
    concurrency: Annotated[
        int, typer.Option("--concurrency", min=1, help="Requests under way at a server at a time.")
    ] = 16,
    request_seconds: Annotated[
        float, typer.Option("--request-seconds", min=1.0, help="Deadline of a request to a server.")
    ] = 120.0,
    allow_remote_reports: Annotated[
        bool, typer.Option("--allow-remote-reports", help="Let sentences of reports be sent to another computer.")
    ] = False,
    contexts: Annotated[
        ContextChoice, typer.Option("--contexts", help="What a study's findings are read from.")
    ] = ContextChoice.LABELS,
    states: Annotated[
        list[StateChoice] | None,
        typer.Option("--states", help="Explain findings in this state; may be repeated. Positive and uncertain ones."),
    ] = None,
    split: SplitOption = "",
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="The first so many studies only.")] = None,
    kind: KindOption = "",
    labels: LabelsOption = "",
    prompt: Annotated[
        Path | None, typer.Option("--prompt", metavar="FILE", help="Prompt file; by default the bundled one.")
    ] = None,
    seed: SeedOption = 0,
    attempts: Annotated[int, typer.Option("--attempts", min=1, help="Drafts a rationale gets at the gate.")] = 4,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Rationales that a model here writes at once.")] = 64,
    device: DeviceOption = DEFAULT_DEVICE,
    precision: PrecisionOption = DEFAULT_PRECISION,
) -> None:
    """Let a language model write the rationale of every finding of a data set, through the gate, into a store.

    What is stored is not written again: the same command goes on where a run was stopped. `accelerate launch` or
    torchrun spread it over processes. Ends with 1 where a server left rationales unwritten.
    """
    from kdistill_core.conditions import State
    from kdistill_core.datasets.contract import ReadOptions
    from kdistill_core.datasets.registry import open_data_set
    from kdistill_core.teacher.data_set_writing import Choice, write_data_set
    from kdistill_core.teacher.knowledge import load_knowledge
    from kdistill_core.teacher.processes import launched_processes
    from kdistill_core.teacher.prompts import load_prompt
    from kdistill_core.teacher.study_rationales import ContextSource
    from kdistill_core.teacher.writing import WritingSettings

    source = ContextSource(contexts.value)
    data_set = open_data_set(data, kind, ReadOptions(labels, reports=source is ContextSource.REPORT))
    chosen = states or [StateChoice.POSITIVE, StateChoice.UNCERTAIN]
    choice = Choice(source, frozenset(State(state.value) for state in chosen), split, limit)
    with launched_processes() as processes:
        wording = load_prompt(prompt)
        writer = (
            _server_writer(server, processes, wording, server_model, concurrency, request_seconds, allow_remote_reports)
            if server
            else _model_writer(model, adapter, processes, wording, batch, device, precision)
        )
        with _Progress(shown=processes.is_first) as progress:
            tally, studies = write_data_set(
                data_set,
                writer,
                load_knowledge(),
                out,
                choice,
                WritingSettings(seed, attempts),
                processes,
                progress.show,
            )
    if processes.is_first:
        _summarize(tally, studies, source.value)
        result(str(out))
    if tally.unwritten:
        raise typer.Exit(REFUSED)


def _model_writer(
    model: str,
    adapter: Path | None,
    processes: Processes,
    prompt: RationalePrompt,
    batch: int,
    device: str,
    precision: str,
) -> Writer:
    import torch
    from transformers.utils.logging import disable_progress_bar

    from kdistill_core.engine.device import choose_placement
    from kdistill_core.resources import resource
    from kdistill_core.teacher.model import BUNDLED_TEACHER, TeacherModel
    from kdistill_core.teacher.transformers_writer import DecodingSettings, TransformersWriter

    disable_progress_bar()  # the command shows its own
    if device == DEFAULT_DEVICE and torch.cuda.device_count() > 1:
        device = f"cuda:{processes.local_rank % torch.cuda.device_count()}"
    placement = choose_placement(device, precision)
    teacher = TeacherModel.load(
        model or resource(BUNDLED_TEACHER), adapter=adapter, device=str(placement.device), dtype=placement.dtype
    )
    return TransformersWriter(teacher, prompt, DecodingSettings(batch=batch))


def _server_writer(
    urls: list[str],
    processes: Processes,
    prompt: RationalePrompt,
    model: str,
    concurrency: int,
    request_seconds: float,
    allow_remote_reports: bool,
) -> Writer:
    from kdistill_core.teacher.server.writer import open_server_writer

    if len(urls) > processes.share.of:
        raise typer.BadParameter(
            f"{len(urls)} servers need as many processes: torchrun --nproc_per_node {len(urls)} ...",
            param_hint="--server",
        )
    return open_server_writer(
        urls[processes.share.rank % len(urls)],
        prompt,
        model=model,
        concurrency=concurrency,
        request_seconds=request_seconds,
        allow_remote_reports=allow_remote_reports,
    )


def _summarize(tally: Tally, studies: Studies, source: str) -> None:
    say(f"{studies.read:,} studies read; {tally.contexts:,} different findings to explain.")
    if studies.silent:
        say(f"{studies.silent:,} of {studies.read:,} studies have no {source} to read findings from.")
    if tally.first_tries:
        share = tally.first_passes / tally.first_tries
        say(f"{tally.first_passes:,} of {tally.first_tries:,} passed the gate at the first try ({share:.1%}).")
    rows = [
        ("accepted", tally.accepted),
        ("stored before", tally.reused),
        ("refused at every attempt", tally.refused),
        ("not written", tally.unwritten),
        *((f"drafts refused: {check}", count) for check, count in tally.reasons.most_common()),
        *((f"requests that failed: {fault}", count) for fault, count in tally.faults.most_common()),
    ]
    show_table(("rationales", "count"), [(name, f"{count}") for name, count in rows])
    if tally.unwritten:
        say("The same command tries again what was not written.")


class _Progress:
    """Counts the rationales of this process's share: on a terminal in place, elsewhere a line every few seconds."""

    def __init__(self, *, shown: bool) -> None:
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._shown = shown
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=err,
            disable=not (shown and err.is_terminal),
            transient=True,
        )
        self._task = self._bar.add_task("Writing", total=None)
        self._told = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()
        if kind is KeyboardInterrupt and self._shown:
            say("Stopped. The same command goes on from here.")

    def show(self, tally: Tally) -> None:
        """Say what became of the rationales so far."""
        text = f"{tally.accepted:,} accepted, {tally.refused:,} refused, {tally.reused:,} stored before"
        self._bar.update(self._task, description=text)
        now = time.monotonic()
        if self._shown and not err.is_terminal and now - self._told >= _SECONDS_BETWEEN_LINES:
            say(text)
            self._told = now
