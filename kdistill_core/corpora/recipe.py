"""A corpus from a YAML file: its settings, its tokenizer, and the whole way from files to packed blocks."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import msgspec

from kdistill_core.corpora.building import (
    HELD_OUT,
    TRAINING,
    CorpusSettings,
    Report,
    build_documents,
    documents_of,
)
from kdistill_core.corpora.card import write_card
from kdistill_core.corpora.errors import CorpusError
from kdistill_core.corpora.packing import blocks_of, write_blocks

PACKED = "packed"
FOLDERS = {TRAINING: "training", HELD_OUT: "held-out"}


@dataclass(frozen=True)
class Recipe:
    """What ``kdistill corpus build`` reads.

    tokenizer: folder of a transformers tokenizer, or of a model with one. length: tokens a block. Paths are relative
    to the folder the command is run in.
    """

    corpus: CorpusSettings
    tokenizer: Path
    length: int = 1024


@dataclass(frozen=True)
class Made:
    """A built corpus: documents read and taken, words taken, blocks by split."""

    read: int
    taken: int
    words: int
    blocks: dict[str, int]


def read_recipe(path: Path) -> Recipe:
    """Return the recipe in a YAML file. Raises CorpusError naming the file and what is wrong in it."""
    try:
        given = msgspec.yaml.decode(path.read_bytes())
        _refuse_unknown(given, Recipe, "")
        _refuse_unknown(given.get("corpus") if isinstance(given, dict) else None, CorpusSettings, "corpus.")
        return msgspec.convert(given, Recipe, dec_hook=_path)
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error
    except msgspec.MsgspecError as error:
        raise CorpusError(
            f"{path} is no recipe of a corpus: {error}.", "See docs/corpus.md for what a recipe holds."
        ) from error


def build_corpus(recipe: Recipe, out: Path, workers: int = 1, report: Report | None = None) -> Made:
    """Write the documents, the packed blocks of each split and the data card into ``out``. Raises CorpusError."""
    from transformers import AutoTokenizer

    if not recipe.tokenizer.is_dir():
        raise CorpusError(
            f"There is no tokenizer folder {recipe.tokenizer}.", "Give the folder of a model; none is fetched."
        )
    tokenizer = AutoTokenizer.from_pretrained(recipe.tokenizer, local_files_only=True, trust_remote_code=False)
    parts = build_documents(recipe.corpus, out, workers, report)
    blocks: dict[str, int] = {}
    for done, (split, folder) in enumerate(FOLDERS.items()):
        if report is not None:
            report(f"packing {split}", done, len(FOLDERS))
        texts = (str(row["text"]) for row in documents_of(out, split, ("text",)))
        blocks[split] = write_blocks(blocks_of(texts, tokenizer, recipe.length), out / PACKED / folder)
    write_card(out, recipe.corpus, parts, blocks, recipe.length)
    return Made(
        sum(part.read for part in parts), sum(part.taken for part in parts), sum(part.words for part in parts), blocks
    )


def _refuse_unknown(given: Any, kind: type, where: str) -> None:
    known = {each.name for each in fields(kind)}
    unknown = sorted(set(given) - known) if isinstance(given, dict) else []
    if unknown:
        raise msgspec.ValidationError(f"it has an entry {where}{unknown[0]}; known are {', '.join(sorted(known))}")


def _path(kind: type, value: Any) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(f"{kind} cannot be read from {value!r}")
