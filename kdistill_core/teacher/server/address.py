"""Where a server is, and what may be sent there: reports stay on this computer unless the user says otherwise."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from kdistill_core.teacher.server.faults import TeacherServerError

# Plain names and numbers only, so that no two parsers of addresses can disagree about whose host it is.
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")
OPTION = "--allow-remote-reports"


@dataclass(frozen=True)
class ServerAddress:
    """Base of a server's OpenAI-compatible interface, such as ``http://127.0.0.1:8000/v1``."""

    url: str
    host: str
    encrypted: bool

    @property
    def is_here(self) -> bool:
        """Whether it is this computer: ``localhost`` (RFC 6761) or a loopback address; names are not looked up."""
        if self.host.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def read_address(url: str) -> ServerAddress:
    """Return the address that a user gave; without a path it ends in ``/v1``. Raises TeacherServerError."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _unreadable() from None
    if parts.username is not None or parts.password is not None:
        raise TeacherServerError(
            "The server's address holds a user name or password, which others can read on a command line.",
            "Give a key in the environment variable instead.",
        )
    plain = _HOST.fullmatch(host) and _PATH.fullmatch(parts.path)
    if parts.scheme not in ("http", "https") or not plain or parts.query or parts.fragment:
        raise _unreadable()
    shown = f"[{host}]" if ":" in host else host
    path = parts.path.rstrip("/") or "/v1"
    return ServerAddress(
        f"{parts.scheme}://{shown}{'' if port is None else f':{port}'}{path}", host, parts.scheme == "https"
    )


def refuse_exposure(address: ServerAddress, *, reports: bool = False, key: bool = False) -> None:
    """Raise TeacherServerError where what is sent could be read by others: reports elsewhere, a key unencrypted."""
    if address.is_here:
        return
    if reports:
        raise TeacherServerError(
            f"The server {address.url} is not on this computer, and the requests hold sentences of reports.",
            f"Run a server here, write from labels alone, or, where reports may leave this computer, give {OPTION}.",
        )
    if key and not address.encrypted:
        raise TeacherServerError(
            f"The key for {address.url} would travel unencrypted.",
            f"Use https, leave the key out, or, where the network is trusted, give {OPTION}.",
        )


def _unreadable() -> TeacherServerError:
    return TeacherServerError(
        "The server's address cannot be read.", "It looks like http://127.0.0.1:8000/v1 or https://host.example/v1."
    )
