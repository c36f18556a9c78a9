"""The worker process: ``python -m kdistill_core.engine.worker``, requests on standard input, events on standard output.

The process ends at a Shutdown and when its input ends, which is how it notices that the program that started it is
gone. Whatever is printed goes to standard error, never between the messages.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import BinaryIO, NoReturn

from kdistill_core.engine.arrays import ArrayOutbox
from kdistill_core.engine.dispatch import Dispatcher, Performer
from kdistill_core.engine.framing import FrameError, read_request, write_message
from kdistill_core.engine.messages import AnyEvent, Shutdown

_GARBLED_INPUT = 3  # exit code
_OUR_LOGGERS = "kdistill_core"


def serve(make_performer: Callable[[ArrayOutbox], Performer]) -> NoReturn:
    """Serve until told to stop, with the performer that is made at the first request; does not return."""
    incoming, outgoing = _claim_streams()
    _keep_values_out_of_the_log()
    faulthandler.enable()
    # Ctrl-C in a terminal reaches the whole group; the program that started this process decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    outbox = ArrayOutbox()
    write_lock = threading.Lock()

    def emit(event: AnyEvent) -> None:
        try:
            with write_lock:
                write_message(outgoing, event)
        except BrokenPipeError:
            _leave(outbox)

    dispatcher = Dispatcher(lambda: make_performer(outbox), emit)
    threading.Thread(target=_listen, args=(incoming, dispatcher, outbox), name="listen", daemon=True).start()
    dispatcher.serve()
    os._exit(0)  # the libraries' own teardown may crash or wait, and there is nothing to save


def _listen(incoming: BinaryIO, dispatcher: Dispatcher, outbox: ArrayOutbox) -> None:
    """Hand requests on; end the process, busy or not, when told to or when nobody is there any more."""
    try:
        while (request := read_request(incoming)) is not None:
            if isinstance(request, Shutdown):
                break
            dispatcher.submit(request)
    except FrameError:
        _leave(outbox, _GARBLED_INPUT)
    _leave(outbox)


def _leave(outbox: ArrayOutbox, code: int = 0) -> NoReturn:
    """End the process at once, whatever it is doing: nobody will take another array or read another event."""
    outbox.close()
    os._exit(code)


def _claim_streams() -> tuple[BinaryIO, BinaryIO]:
    """Move the message pipes to descriptors of their own, so that nothing printed can get between the messages."""
    incoming = os.fdopen(os.dup(0), "rb")
    outgoing = os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a device, not a path
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return incoming, outgoing


def _keep_values_out_of_the_log() -> None:
    """Third-party messages and warnings may quote a header or a path: of those only the place is logged."""

    def show_warning(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: object = None,
        line: str | None = None,
    ) -> None:
        del message, file, line
        logging.getLogger(_OUR_LOGGERS).warning("%s at %s:%s", category.__name__, filename, lineno)

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_PlacesOnly("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    warnings.showwarning = show_warning
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda failure: _log_uncaught(failure.exc_type, failure.exc_value, failure.exc_traceback)


class _PlacesOnly(logging.Formatter):
    """Formats our own records in full and of others' only level and place."""

    def format(self, record: logging.LogRecord) -> str:
        if record.name.split(".")[0] == _OUR_LOGGERS:
            return super().format(record)
        return f"{record.levelname} {record.name} {record.module}:{record.lineno}"


def _log_uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    del error
    places = []
    while trace is not None:
        places.append(f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}")
        trace = trace.tb_next
    logging.getLogger(_OUR_LOGGERS).error("%s at %s", kind.__name__, " < ".join(reversed(places)))


def _make_session(outbox: ArrayOutbox) -> Performer:
    from kdistill_core.engine.session import Session  # heavy, and the listener must run before it is imported

    return Session(outbox)


if __name__ == "__main__":
    serve(_make_session)
