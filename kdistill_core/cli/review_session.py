"""One entry of the rationale library after the other, shown to a reviewer at a terminal, who decides."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import typer
from rich.table import Table

from kdistill_core.cli.console import err, say
from kdistill_core.exchange.presentation import review_words
from kdistill_core.teacher.entries import LibraryEntry
from kdistill_core.teacher.errors import LibraryError
from kdistill_core.teacher.knowledge import KnowledgeBase
from kdistill_core.teacher.parts import LABELS, Part, labeled, parts_for, read_parts
from kdistill_core.teacher.review import Decision, EntryReview, decide, fault_of_edit
from kdistill_core.teacher.review_sheet import citations, objections

_CHOICES = {"a": "accept", "e": "edit", "r": "reject", "s": "skip", "q": "quit"}
_AFTER_FAULT = {"e": "edit again", "d": "discard"}
_AFTER_OBJECTION = {**_AFTER_FAULT, "i": "insist"}


class ReviewSession:
    """Asks about entries; ``keep`` is called with each decision before the next entry is shown."""

    def __init__(self, reviewer: str, knowledge: KnowledgeBase, keep: Callable[[EntryReview], None]) -> None:
        self.decided: list[EntryReview] = []
        self._reviewer, self._knowledge, self._keep = reviewer, knowledge, keep

    def step_through(self, entries: Sequence[LibraryEntry]) -> None:
        """Show ``entries`` one by one until the last, or until the reviewer quits, in any way."""
        try:
            for number, entry in enumerate(entries, 1):
                say(f"\n{number} of {len(entries)}")
                show_entry(entry, self._knowledge)
                choice = _chosen(_CHOICES)
                if choice == "q":
                    return
                decided = None if choice == "s" else self._decide(entry, choice)
                if decided is not None:
                    self._keep(decided)
                    self.decided.append(decided)
        except (KeyboardInterrupt, EOFError, typer.Abort):
            say("\nStopped.")

    def _decide(self, entry: LibraryEntry, choice: str) -> EntryReview | None:
        try:
            if choice == "e":
                return self._edit(entry)
            if choice == "r":
                reason = typer.prompt("Reason", err=True)
                return decide(entry, Decision.REJECT, self._reviewer, comment=reason)
            return decide(entry, Decision.ACCEPT, self._reviewer)
        except LibraryError as error:
            say(f"{error.problem} {error.advice}")
            return None

    def _edit(self, entry: LibraryEntry) -> EntryReview | None:
        """Let the text be edited until the gate has nothing against it, or the reviewer insists or gives up."""
        lines = entry.lines
        while True:
            lines = _edited(lines, entry)
            fault = fault_of_edit(entry.lines, lines)
            against = () if fault else objections(lines, entry.context, self._knowledge)
            if not fault and not against:
                break
            say(f"It cannot be kept: {fault}." if fault else "The gate is against it:")
            for reason in against:
                say(f"  {reason}")
            choice = _chosen(_AFTER_FAULT if fault else _AFTER_OBJECTION)
            if choice == "d":
                return None
            if choice == "i":
                break
        comment = typer.prompt("Comment (may be empty)", default="", show_default=False, err=True)
        return decide(entry, Decision.EDIT, self._reviewer, comment=comment, after=lines, overruled=against)


def show_entry(entry: LibraryEntry, knowledge: KnowledgeBase) -> None:
    """Write an entry with its text, what each sentence says again, its works, and what the gate says of it."""
    provenance = entry.provenance
    origin = f"written by {provenance.model_name}, seed {provenance.seed}" if provenance.model_name else entry.author
    table = Table(title=entry.title, show_header=False, title_style="bold", title_justify="left", expand=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for sentence in entry.sentences:
        again = f"\n(says again: {sentence.statement})" if sentence.statement else ""
        table.add_row(LABELS.get(sentence.role, sentence.role.value), f"{sentence.text}{again}")
    table.add_section()
    table.add_row("Works", "\n".join(citations(entry, knowledge)) or "none named")
    table.add_row("Gate", _verdicts(entry))
    table.add_row("Origin", origin)
    table.add_row("Status", review_words(entry.review))
    err.print(table)


def _verdicts(entry: LibraryEntry) -> str:
    failed = [f"{verdict.check}: {verdict.reason}" for verdict in entry.verdicts if not verdict.passed]
    passed = [verdict.check for verdict in entry.verdicts if verdict.passed]
    return "\n".join([*failed, f"passed {len(passed)} of {len(entry.verdicts)} checks: {', '.join(passed)}"])


def _chosen(choices: dict[str, str]) -> str:
    """Ask until one of ``choices`` is given, by its letter or its word."""
    question = ", ".join(f"[{letter}] {word}" for letter, word in choices.items())
    while True:
        given = typer.prompt(question, err=True).strip().casefold()
        found = next((letter for letter, word in choices.items() if given in (letter, word)), None)
        if found is not None:
            return found
        say(f"{given!r} is none of them.")


def _edited(lines: str, entry: LibraryEntry) -> str:
    """Return the labeled lines after an editor, where one is set; else part by part at the prompt."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if editor:
        head = f"# {entry.title}. Change the sentences; keep the word before each colon.\n"
        changed = _in_editor(editor, f"{head}{lines}\n")
        kept = (line.strip() for line in changed.splitlines() if not line.startswith("#"))
        return "\n".join(filter(None, kept))
    say("Enter keeps what stands in brackets.")
    said = {part.role: part.text for part in read_parts(lines)}
    roles = dict.fromkeys((*said, *parts_for(entry.state)))
    asked = ((role, typer.prompt(LABELS[role], default=said.get(role, ""), err=True)) for role in roles)
    return labeled([Part(role, " ".join(text.split())) for role, text in asked if text.strip()])


def _in_editor(editor: str, text: str) -> str:
    """Return ``text`` as the reviewer's editor leaves it; raises LibraryError where that cannot be run."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "entry.txt"
        path.write_text(text, encoding="utf-8")
        try:
            subprocess.run([*shlex.split(editor), str(path)], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise LibraryError(
                f"The editor {editor!r} failed: {error}.", "Set EDITOR to another, or unset it."
            ) from error
        return path.read_text(encoding="utf-8")
