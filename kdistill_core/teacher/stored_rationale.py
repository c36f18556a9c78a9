"""A rationale as it is kept: what was asked, what came of it, every refusal on the way, and who wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa

from kdistill_core.records import SentenceRole
from kdistill_core.teacher.context import RationaleContext
from kdistill_core.teacher.drafts import WriterIdentity, rationale_key
from kdistill_core.teacher.parts import Part

# Raised whenever the meaning of a column changes, so that an older store is refused and not misread.
FORMAT = b"kdistill.rationales 1"
FORMAT_KEY = b"kdistill.format"
SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("condition", pa.string()),
        ("state", pa.string()),
        ("side", pa.string()),
        ("severity", pa.string()),
        ("context", pa.string()),
        ("accepted", pa.bool_()),
        ("text", pa.string()),
        ("sentences", pa.list_(pa.struct([("role", pa.string()), ("text", pa.string())]))),
        (
            "attempts",
            pa.list_(
                pa.struct(
                    [("attempt", pa.int32()), ("text", pa.string()), ("check", pa.string()), ("reason", pa.string())]
                )
            ),
        ),
        ("prompt", pa.string()),
        ("prompt_sha256", pa.string()),
        ("model", pa.string()),
        ("model_sha256", pa.string()),
        ("settings", pa.string()),
        ("seed", pa.uint64()),
        ("created", pa.string()),
        ("software_version", pa.string()),
    ],
    metadata={FORMAT_KEY: FORMAT},
)
# The check that stands beside a request for which nothing was written, such as a server that timed out.
FAULT = "fault"


@dataclass(frozen=True)
class Refusal:
    """Why a draft was not taken: the first check that failed, every reason, and the draft; empty for a fault."""

    attempt: int
    text: str
    check: str
    reason: str


@dataclass(frozen=True)
class StoredRationale:
    """What became of one context.

    sentences: of the accepted draft, empty where none was accepted. refusals: of all drafts that were not, in the order
    in which they were made. created: ISO 8601, UTC.
    """

    key: str
    context: RationaleContext
    sentences: tuple[Part, ...]
    refusals: tuple[Refusal, ...]
    writer: WriterIdentity
    seed: int
    created: str
    software_version: str

    @property
    def accepted(self) -> bool:
        return bool(self.sentences)

    @property
    def text(self) -> str:
        """The sentences without their labels; empty where no draft was accepted."""
        return " ".join(part.text for part in self.sentences)


def to_row(rationale: StoredRationale) -> dict[str, Any]:
    """Return a row of ``SCHEMA``."""
    context, writer = rationale.context, rationale.writer
    return {
        "key": rationale.key,
        "condition": context.condition.value,
        "state": context.state.value,
        "side": context.side and context.side.value,
        "severity": context.severity and context.severity.value,
        "context": msgspec.json.encode(context, order="sorted").decode(),
        "accepted": rationale.accepted,
        "text": rationale.text,
        "sentences": [{"role": part.role.value, "text": part.text} for part in rationale.sentences],
        "attempts": [
            {"attempt": refused.attempt, "text": refused.text, "check": refused.check, "reason": refused.reason}
            for refused in rationale.refusals
        ],
        "prompt": writer.prompt,
        "prompt_sha256": writer.prompt_sha256,
        "model": writer.model_name,
        "model_sha256": writer.model_sha256,
        "settings": writer.settings,
        "seed": rationale.seed,
        "created": rationale.created,
        "software_version": rationale.software_version,
    }


def from_row(row: dict[str, Any]) -> StoredRationale:
    """Return the rationale of a row of ``SCHEMA``. Raises ValueError for a row that says something impossible."""
    return StoredRationale(
        key=row["key"],
        context=msgspec.json.decode(row["context"], type=RationaleContext),
        sentences=tuple(Part(SentenceRole(part["role"]), part["text"]) for part in row["sentences"]),
        refusals=tuple(
            Refusal(refused["attempt"], refused["text"], refused["check"], refused["reason"])
            for refused in row["attempts"]
        ),
        writer=WriterIdentity(row["model"], row["model_sha256"], row["prompt"], row["prompt_sha256"], row["settings"]),
        seed=row["seed"],
        created=row["created"],
        software_version=row["software_version"],
    )


def fault_of(row: dict[str, Any]) -> str:
    """Return what contradicts itself in a row, empty for a valid one.

    A valid row has the address of its content, a text that is its sentences, columns that say what its context says,
    and a reason for every refusal; where nothing was accepted, something was refused.
    """
    try:
        rationale = from_row(row)
    except (ValueError, TypeError, KeyError) as error:
        return f"it cannot be read ({error})"
    if rationale.key != rationale_key(rationale.writer, rationale.context, rationale.seed):
        return "its key is not the address of its content"
    if any(not (refused.check and refused.reason) for refused in rationale.refusals):
        return "a refusal has no reason"
    if not rationale.accepted and not rationale.refusals:
        return "it was neither accepted nor refused"
    again = to_row(rationale)
    odd = next((name for name in SCHEMA.names if again[name] != row[name]), "")
    return f"its column {odd!r} does not say what the others say" if odd else ""
