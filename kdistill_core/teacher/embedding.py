"""What a text means to the teacher: its language model's hidden states, averaged, centered and normalized.

The embeddings of every sentence of the rationale library are stored beside it, so that training and comparison work
without the language model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from kdistill_core.records import Rationale
from kdistill_core.resources import resource
from kdistill_core.teacher.errors import LibraryError

if TYPE_CHECKING:
    from kdistill_core.teacher.model import TeacherModel

EMBEDDINGS_FILE = "rationales/embeddings.safetensors"


class Embedder(Protocol):
    """Anything that turns texts into unit vectors, float32 [texts, dimensions]."""

    @property
    def dimensions(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]: ...


class StoredEmbeddings:
    """The embeddings that were stored with the rationale library; knows only its sentences."""

    def __init__(self, vectors: NDArray[np.float32], keys: Sequence[str], center: NDArray[np.float32]) -> None:
        self.center = center
        self._vectors = vectors
        self._index = {key: index for index, key in enumerate(keys)}

    @classmethod
    def load(cls, path: Path | None = None) -> StoredEmbeddings:
        """Return the embeddings in ``path``, by default the bundled ones. Raises LibraryError."""
        path = path or resource(EMBEDDINGS_FILE)
        try:
            with safe_open(path, framework="numpy") as file:
                keys = (file.metadata() or {})["texts_sha256"].split(",")
                vectors = file.get_tensor("embeddings").astype(np.float32)
                return cls(_unit(vectors, None), keys, file.get_tensor("center"))
        except (OSError, KeyError, SafetensorError) as error:
            raise LibraryError(
                f"The stored embeddings {path} cannot be read: {error}",
                "Make them again with: kdistill teacher library --embed.",
            ) from error

    @property
    def dimensions(self) -> int:
        return int(self._vectors.shape[1])

    def __contains__(self, text: str) -> bool:
        return _key(text) in self._index

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return float32 [texts, dimensions], each of length 1. Raises LibraryError for a text that is not stored."""
        missing = next((text for text in texts if text not in self), None)
        if missing is not None:
            raise LibraryError(
                f'No embedding is stored for "{missing}".',
                "Only the library's own sentences are stored; embed others with a TeacherEmbedder.",
            )
        return np.asarray(self._vectors[[self._index[_key(text)] for text in texts]])


class TeacherEmbedder:
    """Embeds any text: from the stored embeddings where they hold it, with the teacher's language model otherwise.

    Each text is read once and remembered by its content. The language model is loaded when it is first needed.
    """

    def __init__(self, model: TeacherModel | None = None, stored: StoredEmbeddings | None = None) -> None:
        """``model``, ``stored``: by default the bundled ones, of which the second were made with the first.

        Raises LibraryError where the stored embeddings are missing.
        """
        self._model = model
        self._stored = stored or StoredEmbeddings.load()
        self._known: dict[str, NDArray[np.float32]] = {}

    @property
    def dimensions(self) -> int:
        return self._stored.dimensions

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return float32 [texts, dimensions], each of length 1. Raises TeacherModelError without a language model."""
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for index, text in enumerate(texts):
            vectors[index] = self._one(text)
        return vectors

    __call__ = embed

    def _one(self, text: str) -> NDArray[np.float32]:
        if text in self._stored:
            return self._stored.embed([text]).reshape(-1)
        if text not in self._known:
            if self._model is None:
                self._model = _default_model()
            raw = self._model.mean_hidden_state(text)[None]
            self._known[text] = _unit(raw, self._stored.center).reshape(-1)
        return self._known[text]


def store_embeddings(
    model: TeacherModel, texts: Sequence[str], path: Path, on_progress: Callable[[int, int], None] | None = None
) -> None:
    """Write the embeddings of ``texts``, centered on their own mean, to ``path``.

    Language models share a large mean direction; without centering all texts look alike. Stored as float16.
    """
    states = []
    for index, text in enumerate(texts):
        states.append(model.mean_hidden_state(text))
        if on_progress is not None:
            on_progress(index + 1, len(texts))
    raw = np.stack(states)
    center = raw.mean(axis=0)
    metadata = {"texts_sha256": ",".join(_key(text) for text in texts), "weights_sha256": model.sha256}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"embeddings": _unit(raw, center).astype(np.float16), "center": center}, path, metadata)


def embed_rationale(embedder: Embedder, rationale: Rationale) -> NDArray[np.float32]:
    """Return the embedding of a whole rationale, float32 [dimensions]: the mean of its sentences', of length 1.

    A rationale without sentences gets the zero vector.
    """
    texts = [rationale.text[sentence.span.start : sentence.span.end] for sentence in rationale.sentences]
    if not texts:
        return np.zeros(embedder.dimensions, dtype=np.float32)
    return _unit(embedder.embed(texts).mean(axis=0, keepdims=True), None).reshape(-1)


def _default_model() -> TeacherModel:
    # Loaded here, so that reading stored embeddings needs neither torch nor transformers.
    from kdistill_core.teacher.model import BUNDLED_TEACHER, TeacherModel

    return TeacherModel.load(resource(BUNDLED_TEACHER))


def _unit(vectors: NDArray[np.float32], center: NDArray[np.float32] | None) -> NDArray[np.float32]:
    centered = vectors if center is None else vectors - center
    lengths = np.linalg.norm(centered, axis=1, keepdims=True)
    return np.asarray(centered / np.maximum(lengths, 1e-12), dtype=np.float32)


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
