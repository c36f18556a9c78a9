"""A writer without a language model, and a program that lets it write a data set as `kdistill teacher write` would.

    python -m tests.teacher.scripted_teacher DATASET STORE [LOG]

Every third draft or so is refused by the gate; what is written depends on a request's draw alone. With LOG, one byte is
appended to that file for each draft.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from kdistill_core.conditions import Condition, State
from kdistill_core.datasets.registry import open_data_set
from kdistill_core.records import SentenceRole
from kdistill_core.teacher.context import RationaleContext
from kdistill_core.teacher.data_set_writing import Choice, write_data_set
from kdistill_core.teacher.drafts import Draft, Request, WriterIdentity
from kdistill_core.teacher.knowledge import KnowledgeBase, load_knowledge
from kdistill_core.teacher.parts import Part, labeled, parts_for
from kdistill_core.teacher.processes import launched_processes
from kdistill_core.teacher.writing import WritingSettings

IDENTITY = WriterIdentity("scripted", "0" * 64, "none", "1" * 64, "drawn")
UNFIT = "Finding: The patient of Dr. Smith was seen on 3/4/2019."
COLUMNS = (
    Condition.CARDIOMEGALY,
    Condition.EDEMA,
    Condition.PNEUMONIA,
    Condition.ATELECTASIS,
    Condition.PLEURAL_EFFUSION,
    Condition.FRACTURE,
)


def fitting(knowledge: KnowledgeBase, context: RationaleContext, draw: int = 0) -> str:
    """Return the knowledge base's own rationale of ``context``, which passes the gate; ``draw`` picks its sign."""
    known = knowledge[context.condition]
    parts = []
    for role in parts_for(context.state):
        if role is SentenceRole.ASSERTION:
            text = known.assertion(context.state, context.side, context.severity)
        else:
            choices = known.of_role(role, known.fitting(context.state, context.severity, context.side))
            text = choices[draw % len(choices)]
        parts.append(Part(role, text))
    return labeled(parts)


class ScriptedWriter:
    """Writes what fits, but for every third draw; keeps what it was asked, by call."""

    identity = IDENTITY

    def __init__(self, knowledge: KnowledgeBase, log: Path | None = None) -> None:
        self.knowledge = knowledge
        self.log = log
        self.calls: list[tuple[Request, ...]] = []

    def write(self, requests: Sequence[Request]) -> Iterator[Draft]:
        self.calls.append(tuple(requests))
        for request in requests:
            if self.log is not None:
                with self.log.open("ab") as file:
                    file.write(b".")
            unfit = request.draw % 3 == 0
            yield Draft(request, UNFIT if unfit else fitting(self.knowledge, request.context, request.draw))


def write_labels(folder: Path, studies: int) -> Path:
    """Write a data set of labels: each study has another mixture of six conditions, present, uncertain or unnamed."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["image,study," + ",".join(COLUMNS)]
    for number in range(studies):
        cells = (("1", "-1", "")[number // 3**place % 3] for place in range(len(COLUMNS)))
        lines.append(f"{number}.png,study-{number}," + ",".join(cells))
    (folder / "images.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def write(data_set: Path, out: Path, log: Path | None = None) -> None:
    """Let the scripted writer write ``data_set``, over the processes that were launched."""
    knowledge = load_knowledge()
    with launched_processes() as processes:
        tally, _ = write_data_set(
            open_data_set(data_set),
            ScriptedWriter(knowledge, log),
            knowledge,
            out,
            Choice(states=frozenset({State.POSITIVE, State.UNCERTAIN})),
            WritingSettings(seed=5),
            processes,
        )
    if processes.is_first:
        print(msgspec.json.encode(tally).decode())


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
