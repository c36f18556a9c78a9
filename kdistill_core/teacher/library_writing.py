"""A teacher writes what the rationale library needs: every finding that the library holds, once a seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from kdistill_core.teacher.context import RationaleContext
from kdistill_core.teacher.drafts import Writer
from kdistill_core.teacher.gate import judge_draft
from kdistill_core.teacher.knowledge import KnowledgeBase
from kdistill_core.teacher.library_making import library_contexts
from kdistill_core.teacher.parts import labeled
from kdistill_core.teacher.store import RationaleStore
from kdistill_core.teacher.writing import Judge, Tally, WritingSettings, write_rationales


def write_library_rationales(
    writer: Writer,
    knowledge: KnowledgeBase,
    store: Path,
    seeds: Sequence[int],
    report: Callable[[Tally, int], None] | None = None,
) -> Tally:
    """Store a rationale of each finding of the library for each of ``seeds``; what is stored is not written again.

    What this writer's model wrote from an earlier state of the knowledge base stands as long as it passes the gate
    of today, so that a corrected statement asks only for those anew that said it. report: called with what became of
    them so far, and how many there are. Raises what the writer and the store raise.
    """
    contexts = library_contexts(knowledge)
    judge = partial(judge_draft, knowledge=knowledge)
    standing = _standing(store, writer, judge)
    total = Tally(reused=len(standing))
    for seed in seeds:
        with RationaleStore(store).writing() as shelf:
            before = total

            def tell(tally: Tally, before: Tally = before) -> None:
                if report is not None:
                    report(before + tally, len(contexts) * len(seeds))

            total += write_rationales(
                [context for context in contexts if (context, seed) not in standing],
                writer,
                judge,
                shelf,
                WritingSettings(seed=seed),
                tell,
            )
    return total


def _standing(store: Path, writer: Writer, judge: Judge) -> set[tuple[RationaleContext, int]]:
    """Return the findings, by seed, of which this model's rationale from other notes still passes the gate."""
    identity = writer.identity
    return {
        (rationale.context, rationale.seed)
        for rationale in (RationaleStore(store) if store.is_dir() else ())
        if rationale.accepted
        and rationale.writer.model_sha256 == identity.model_sha256
        and rationale.writer.prompt_sha256 == identity.prompt_sha256
        and rationale.writer.settings != identity.settings
        and judge(labeled(rationale.sentences), rationale.context).accepted
    }
