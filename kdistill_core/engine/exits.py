"""What the exit code of a dead model process says, in plain words."""

from __future__ import annotations

import signal

_RESTART = "A new one is started for the next request; the open case stays open."
_MEMORY_ADVICE = f"{_RESTART} If it happens again, close other programs, choose a smaller model, or run on the CPU."
_FAULT_ADVICE = (
    f"{_RESTART} If it happens again, run `kdistill doctor` and update the graphics driver or choose the CPU."
)

# Windows ends a process with the NTSTATUS of the fault as its exit code.
_WINDOWS = {
    0xC0000005: ("read memory that is not its own (access violation)", _FAULT_ADVICE),
    0xC0000017: ("ran out of memory", _MEMORY_ADVICE),
    0xC000001D: ("met an instruction that this processor lacks", _FAULT_ADVICE),
    0xC00000FD: ("ran out of stack", _FAULT_ADVICE),
    0xC0000409: ("stopped itself after an internal fault", _FAULT_ADVICE),
}


def describe_exit(code: int | None) -> tuple[str, str]:
    """Return (problem, advice) for a process that ended by itself with ``code`` (negative: a POSIX signal).

    None stands for a process that was ended here because it no longer made sense.
    """
    if code is None:
        return "The model process sent something unreadable and was stopped.", _FAULT_ADVICE
    if code > 128 and code - 128 in {signal.SIGTERM, 9}:
        code = 128 - code  # a launcher in between reports a signal this way
    if code & 0xFFFFFFFF in _WINDOWS:
        cause, advice = _WINDOWS[code & 0xFFFFFFFF]
    elif code < 0:
        cause, advice = _signal_cause(-code)
    elif code == 0:
        cause, advice = "ended without being asked to", _RESTART
    else:
        cause = f"ended with error code {code}"
        advice = f"{_RESTART} Its log says more; `kdistill doctor` checks the installation and shows where the log is."
    return f"The model process {cause}.", advice


def _signal_cause(number: int) -> tuple[str, str]:
    match number:
        case 9:  # SIGKILL, which Windows does not define
            return "was killed, most likely because the computer ran out of memory", _MEMORY_ADVICE
        case signal.SIGTERM | signal.SIGINT | 1:
            return "was asked to stop by another program or by the system shutting down", _RESTART
        case signal.SIGSEGV | 7 | 10:
            return "crashed inside a compiled library (memory fault)", _FAULT_ADVICE
        case signal.SIGABRT:
            return "stopped itself after an internal fault, possibly for lack of memory", _MEMORY_ADVICE
        case signal.SIGILL:
            return "met an instruction that this processor lacks", _FAULT_ADVICE
        case _:
            return f"was ended by signal {number}", _RESTART
