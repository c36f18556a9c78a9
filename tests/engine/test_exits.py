"""Exit codes in plain words; codes of POSIX signals and of Windows faults are those of the systems' manuals."""

import pytest

from kdistill_core.engine.exits import describe_exit


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-9, "ran out of memory"),
        (137, "ran out of memory"),  # a shell in between: 128 + SIGKILL
        (-15, "asked to stop"),
        (143, "asked to stop"),
        (-11, "memory fault"),
        (-7, "memory fault"),  # SIGBUS on Linux: /dev/shm full, or a file cut short under a mapping
        (-6, "internal fault"),
        (-4, "instruction that this processor lacks"),
        (-31, "signal 31"),
        (0xC0000005, "access violation"),
        (0xC0000005 - 2**32, "access violation"),  # the same number, signed
        (0xC0000017, "ran out of memory"),
        (0, "without being asked"),
        (1, "error code 1"),
        (None, "unreadable"),
    ],
)
def test_every_end_of_the_worker_has_plain_words_and_says_what_happens_next(code, words):
    problem, advice = describe_exit(code)
    assert words in problem
    assert problem.startswith("The model process")
    assert "next request" in advice
