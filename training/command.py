"""Run a command of `kdistill` whose arguments stand in a file, so that a recipe is files and nothing else.

    python -m training.command training/configs/mimic-cxr/rationales.yaml
    torchrun --nproc_per_node 4 -m training.command training/configs/mimic-cxr/rationales.yaml --limit 1000

The file names the command, its arguments and its options, without their dashes; what follows it on the command line is
added to them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from kdistill_core.cli.main import app
from kdistill_core.errors import KDistillError


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command of `kdistill`.

    command: its words, such as ``teacher write``. options: by name without dashes; a list repeats its option, true is
    an option without a value.
    """

    command: str
    arguments: tuple[str, ...] = ()
    options: dict[str, bool | int | float | str | list[str]] = {}

    @property
    def words(self) -> list[str]:
        """What would be typed behind ``kdistill``."""
        typed = [*self.command.split(), *self.arguments]
        for name, value in self.options.items():
            for one in value if isinstance(value, list) else [value]:
                typed += [f"--{name}"] if one is True else [f"--{name}", str(one)]
        return typed


def read_command(path: Path) -> Command:
    """Return the command in a YAML file. Raises KDistillError naming the file and what is wrong in it."""
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=Command)
    except OSError as error:
        raise KDistillError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error
    except msgspec.MsgspecError as error:
        raise KDistillError(
            f"{path} names no command of kdistill: {error}.",
            "Give `command`, `arguments` and `options`, as training/configs/mimic-cxr/rationales.yaml does.",
        ) from error


def main(args: Sequence[str] | None = None) -> None:
    """Run the command in the first of ``args``, with the others added."""
    given = list(sys.argv[1:] if args is None else args)
    if not given or given[0].startswith("-"):
        raise KDistillError("No file was named.", "python -m training.command FILE [OPTION ...]")
    command = read_command(Path(given[0]))
    app([*command.words, *given[1:]], prog_name="kdistill")


if __name__ == "__main__":
    main()
