"""A teacher writes what the rationale library needs: every finding that the library holds, once a seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from kdistill_core.teacher.drafts import Writer
from kdistill_core.teacher.gate import judge_draft
from kdistill_core.teacher.knowledge import KnowledgeBase
from kdistill_core.teacher.library_making import library_contexts
from kdistill_core.teacher.store import RationaleStore
from kdistill_core.teacher.writing import Tally, WritingSettings, write_rationales


def write_library_rationales(
    writer: Writer,
    knowledge: KnowledgeBase,
    store: Path,
    seeds: Sequence[int],
    report: Callable[[Tally, int], None] | None = None,
) -> Tally:
    """Store a rationale of each finding of the library for each of ``seeds``; what is stored is not written again.

    report: called with what became of them so far, and how many there are. Raises what the writer and the store raise.
    """
    contexts = library_contexts(knowledge)
    total = Tally()
    for seed in seeds:
        with RationaleStore(store).writing() as shelf:
            before = total

            def tell(tally: Tally, before: Tally = before) -> None:
                if report is not None:
                    report(before + tally, len(contexts) * len(seeds))

            total += write_rationales(
                contexts, writer, partial(judge_draft, knowledge=knowledge), shelf, WritingSettings(seed=seed), tell
            )
    return total
