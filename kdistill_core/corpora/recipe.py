"""A corpus from a YAML file: its settings, its tokenizer, and the whole way from files to packed blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from kdistill_core.corpora.building import Report, build_documents, documents_of
from kdistill_core.corpora.candidates import HELD_OUT, TRAINING
from kdistill_core.corpora.card import write_card
from kdistill_core.corpora.errors import CorpusError
from kdistill_core.corpora.filters import Selection
from kdistill_core.corpora.packing import blocks_of, write_blocks
from kdistill_core.corpora.settings import CorpusSettings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PACKED = "packed"
FOLDERS = {TRAINING: "training", HELD_OUT: "held-out"}
# Documents between two looks at how far the packing is.
_STEP = 256


@dataclass(frozen=True)
class Recipe:
    """What ``kdistill corpus build`` reads.

    tokenizer: folder of a transformers tokenizer, or of a model with one. length: tokens a block. Paths are relative
    to the folder the command is run in.
    """

    corpus: CorpusSettings
    tokenizer: Path
    length: Annotated[int, Meta(ge=1)] = 1024


@dataclass(frozen=True)
class Made:
    """A built corpus: documents read and taken, words taken, blocks by split.

    damaged: files, articles of archives and lines that were left out because they could not be read; damages: what was
    wrong with the first of them.
    """

    read: int
    taken: int
    words: int
    blocks: dict[str, int]
    damaged: int
    damages: tuple[str, ...]


def read_recipe(path: Path) -> Recipe:
    """Return the recipe in a YAML file. Raises CorpusError naming the file and what is wrong in it."""
    try:
        given = msgspec.yaml.decode(path.read_bytes())
        _refuse_unknown(given, Recipe, "")
        corpus = given.get("corpus") if isinstance(given, dict) else None
        _refuse_unknown(corpus, CorpusSettings, "corpus.")
        _refuse_unknown(corpus.get("selection") if isinstance(corpus, dict) else None, Selection, "corpus.selection.")
        return msgspec.convert(given, Recipe, dec_hook=_path)
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error
    except msgspec.MsgspecError as error:
        raise CorpusError(
            f"{path} is no recipe of a corpus: {error}.", "See docs/corpus.md for what a recipe holds."
        ) from error


def build_corpus(recipe: Recipe, out: Path, workers: int = 1, report: Report | None = None) -> Made:
    """Write the documents, the packed blocks of each split and the data card into ``out``. Raises CorpusError."""
    tokenizer = _tokenizer(recipe.tokenizer)
    parts = build_documents(recipe.corpus, out, workers, report)
    taken = sum(part.taken for part in parts)
    blocks: dict[str, int] = {}
    for split, folder in FOLDERS.items():
        if split is TRAINING or recipe.corpus.held_out:
            texts = _texts(out, split, taken, report)
            blocks[split] = write_blocks(blocks_of(texts, tokenizer, recipe.length), out / PACKED / folder)
    write_card(out, recipe.corpus, parts, blocks, recipe.length)
    return Made(
        sum(part.read for part in parts),
        taken,
        sum(part.words for part in parts),
        blocks,
        sum(part.damaged for part in parts),
        tuple(problem for part in parts for problem in part.damages),
    )


def _tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    if not folder.is_dir():
        raise CorpusError(f"There is no tokenizer folder {folder}.", "Give the folder of a model; none is fetched.")
    advice = "Give the folder of a causal language model, or of its tokenizer."
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise CorpusError(f"{folder} holds no tokenizer that can be read.", advice) from error
    # Of a folder without one, a tokenizer with no words is made.
    if not tokenizer("a")["input_ids"]:
        raise CorpusError(f"The tokenizer in {folder} knows no text.", advice)
    return tokenizer


def _texts(out: Path, split: str, taken: int, report: Report | None) -> Iterator[str]:
    """Yield the texts of a split, and report how many of the corpus's documents have been packed."""
    for number, row in enumerate(documents_of(out, split, ("text",))):
        if report is not None and number % _STEP == 0:
            report(f"Packing documents for {split}", number, taken)
        yield str(row["text"])


def _refuse_unknown(given: Any, kind: type, where: str) -> None:
    known = {each.name for each in fields(kind)}
    unknown = sorted(set(given) - known) if isinstance(given, dict) else []
    if unknown:
        raise msgspec.ValidationError(f"it has an entry {where}{unknown[0]}; known are {', '.join(sorted(known))}")


def _path(kind: type, value: Any) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value).expanduser()
    raise NotImplementedError(f"{kind} cannot be read from {value!r}")
