"""Where the bundled models, cases and knowledge lie, in a checkout and in an installed wheel."""

from __future__ import annotations

from pathlib import Path

from kdistill_core.errors import KDistillError

_PACKAGE = Path(__file__).resolve().parent
# The wheel carries the resources inside the package; a checkout has them beside it.
_INSTALLED = _PACKAGE / "_resources"
_ROOTS = (_INSTALLED, _PACKAGE.parent / "resources")


class ResourceError(KDistillError):
    """A bundled file that should have come with the installation is not there."""


def resource(relative: str) -> Path:
    """Return the path of a bundled file or folder, such as ``models/student-demo``. Raises ResourceError."""
    for root in _ROOTS:
        path = root / relative
        if path.exists():
            return path
    raise ResourceError(
        f"The bundled resource {relative} is missing.",
        "The installation is incomplete: install the package again.",
    )


def is_installed(path: Path) -> bool:
    """Tell whether a file came with an installed package, whose folder is not the user's to write to."""
    return path.resolve().is_relative_to(_INSTALLED)
