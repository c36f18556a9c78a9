"""`kdistill explain`: files and folders to explanations, one folder an image."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdistill_core.cli.console import DONE, REFUSED, one_line, say, show_table
from kdistill_core.cli.options import DEFAULT_DEVICE, DeviceOption, ModelOption, SeedOption, TeacherOption
from kdistill_core.cli.outcomes import HEADER, ImageOutcome, Outcome, counts, write_outcomes

if TYPE_CHECKING:
    from kdistill_core.cli.session import Explaining, Session
    from kdistill_core.engine.messages import Loaded
    from kdistill_core.imaging import ImageEntry
    from kdistill_core.records import Explanation, ImageSource, SaliencyMap, SaliencyTarget


UNEXPECTED = "An unexpected fault of the program"


@dataclass(frozen=True)
class Choices:
    """What a run was asked to do.

    method: a saliency method, empty for the default, None for no overlays.
    debug: let unexpected faults through, to see where they come from.
    """

    seed: int = 0
    method: str | None = ""
    show_patient: bool = False
    debug: bool = False


MethodOption = Annotated[
    str, typer.Option("--method", metavar="NAME", help="Saliency method of the overlays, where not the default one.")
]
NoMapsOption = Annotated[bool, typer.Option("--no-maps", help="Compute no overlays.")]


def explain(
    context: typer.Context,
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="INPUT...", help="Images, folders of images, or a DICOMDIR.", show_default=False),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write to; one folder an image.")],
    model: ModelOption = None,
    teacher: TeacherOption = None,
    device: DeviceOption = DEFAULT_DEVICE,
    seed: SeedOption = 0,
    method: MethodOption = "",
    no_maps: NoMapsOption = False,
    all_frames: Annotated[
        bool, typer.Option("--all-frames", help="Explain every frame of a file, not only the first.")
    ] = False,
    show_patient: Annotated[
        bool, typer.Option("--show-patient", help="Write the patient's name, id and dates into the results.")
    ] = False,
) -> None:
    """Explain radiographs: findings, both rationales, overlays.

    Each image gets a folder in DIR with explanation.json, side-by-side.png and report.html. What became of each
    stands in DIR/outcomes.csv. Images that cannot be explained are named with the reason and the others go on.
    """
    from kdistill_core.cli.progress import Progressing
    from kdistill_core.cli.session import Session

    images, outcomes = _find(inputs, every_frame=all_frames)
    for outcome in outcomes:
        say(_line(outcome))
    debug = bool(context.find_root().params["debug"])
    choices = Choices(seed, None if no_maps else method, show_patient, debug)
    if images:
        out.mkdir(parents=True, exist_ok=True)
        with Progressing(len(images)) as progress, Session(progress.step) as session:
            loaded = session.load(model, teacher, device)
            _check_method(choices.method, loaded)
            for source, folder in zip(images, _folders(images, out), strict=True):
                outcome = explain_one(session, source, folder, choices)
                outcomes.append(outcome)
                progress.done_with_one(_line(outcome))
    path = write_outcomes(outcomes, out)
    show_table(HEADER, [outcome.row() for outcome in outcomes])
    say(f"{counts(outcomes)}. The table is {path}.")
    raise typer.Exit(DONE if all(outcome.outcome is Outcome.EXPLAINED for outcome in outcomes) else REFUSED)


def explain_one(session: Session, source: ImageSource, folder: Path, choices: Choices) -> ImageOutcome:
    """Explain one image into ``folder``; whatever stands in the way becomes the outcome."""
    from kdistill_core.errors import KDistillError
    from kdistill_core.imaging import ImagingError

    started = time.monotonic()

    def ended(outcome: Outcome, detail: str) -> ImageOutcome:
        kept = str(folder) if outcome is Outcome.EXPLAINED else ""
        seconds = time.monotonic() - started
        return ImageOutcome(source.path, outcome, one_line(detail), kept, source.frame + 1, seconds)

    try:
        return ended(*_explain_into(session, source, folder, choices))
    except ImagingError as error:
        return ended(Outcome.UNREADABLE, str(error))
    except KDistillError as error:
        return ended(Outcome.FAILED, str(error))
    except Exception as error:
        if choices.debug:
            raise
        # A fault of the program that one image brings out must not cost the others. What it says may quote the file.
        return ended(Outcome.FAILED, f"{UNEXPECTED} ({type(error).__name__}). `kdistill --debug explain` shows where.")


def _explain_into(session: Session, source: ImageSource, folder: Path, choices: Choices) -> tuple[Outcome, str]:
    from kdistill_core.cli.session import Refusal
    from kdistill_core.exchange.explanation_folder import Identity, write
    from kdistill_core.imaging import read_radiograph

    radiograph = read_radiograph(source)
    answer = session.explain(source, choices.seed)
    if isinstance(answer, Refusal):
        kind = Outcome.DECLINED if answer.declined else Outcome.FAILED
        return kind, f"{answer.problem} {answer.advice}".strip()
    maps = [] if choices.method is None else _maps(session, answer, choices.method)
    identity = Identity.SHOWN if choices.show_patient else Identity.WITHHELD
    write(answer.explanation, radiograph, maps, folder, identity=identity)
    return Outcome.EXPLAINED, _positives(answer.explanation)


def _maps(session: Session, explaining: Explaining, method: str) -> list[SaliencyMap]:
    from kdistill_core.engine.errors import EngineError

    maps = []
    for target in _targets(explaining.explanation):
        try:
            maps.append(session.attribute(explaining, target, method))
        except EngineError as error:
            say(f"No overlay for {target.condition}: {one_line(str(error))}")
    return maps


def _targets(explanation: Explanation) -> list[SaliencyTarget]:
    """Return the positive findings by falling probability; where there are none, the likeliest finding alone."""
    from kdistill_core.conditions import Condition, State
    from kdistill_core.records import SaliencyTarget, TargetKind

    findings = sorted(
        (finding for finding in explanation.findings if finding.condition is not Condition.NO_FINDING),
        key=lambda finding: -(finding.probability or 0.0),
    )
    positive = [finding for finding in findings if finding.state is State.POSITIVE]
    return [SaliencyTarget(TargetKind.CONDITION, finding.condition) for finding in positive or findings[:1]]


def _positives(explanation: Explanation) -> str:
    from kdistill_core.conditions import State

    return ", ".join(finding.condition for finding in explanation.findings if finding.state is State.POSITIVE)


def _check_method(method: str | None, loaded: Loaded) -> None:
    known = loaded.methods.get("condition", ())
    if method and method not in known:
        raise typer.BadParameter(f"{method!r} is none of {', '.join(known)}.", param_hint="--method")


def _find(inputs: Sequence[Path], *, every_frame: bool) -> tuple[list[ImageSource], list[ImageOutcome]]:
    from kdistill_core.imaging import SkippedFile, find_images

    images: list[ImageSource] = []
    skipped: list[ImageOutcome] = []
    for entry in find_images(inputs):
        if isinstance(entry, SkippedFile):
            skipped.append(ImageOutcome(entry.path, Outcome.UNREADABLE, one_line(entry.reason)))
        else:
            images.extend(_frames(entry) if every_frame else [entry.source])
    return images, skipped


def _frames(entry: ImageEntry) -> Iterator[ImageSource]:
    from kdistill_core.records import ImageSource

    return (ImageSource(entry.source.path, frame) for frame in range(entry.frames))


def _folders(images: Sequence[ImageSource], out: Path) -> Iterator[Path]:
    """Yield a folder per image, named after its file; a number is added where two files have one name."""
    taken: set[str] = set()
    for source in images:
        name = Path(source.path).name
        stem = name.removesuffix(".gz").rpartition(".")[0] or name
        wanted = stem + (f"-frame{source.frame + 1}" if source.frame else "")
        unique, number = wanted, 2
        while unique.casefold() in taken:
            unique, number = f"{wanted}-{number}", number + 1
        taken.add(unique.casefold())
        yield out / unique


def _line(outcome: ImageOutcome) -> str:
    frame = f", frame {outcome.frame}" if outcome.frame > 1 else ""
    return f"{outcome.file}{frame}: {outcome.outcome.value}" + (f": {outcome.detail}" if outcome.detail else "")
