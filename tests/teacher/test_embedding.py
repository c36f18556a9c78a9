"""Embeddings: stored ones, computed ones, and that they carry meaning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kdistill_core.conditions import FINDING_CONDITIONS, State
from kdistill_core.records import Finding, Rationale, RationaleAuthor
from kdistill_core.teacher.embedding import StoredEmbeddings, TeacherEmbedder, embed_rationale, store_embeddings
from kdistill_core.teacher.errors import LibraryError
from kdistill_core.teacher.library import RationaleLibrary
from kdistill_core.teacher.model import TeacherModel

TEXTS = ("There is edema.", "There is a fracture.", "No abnormality is seen.")


@pytest.fixture(scope="module")
def model(tiny_folder: Path) -> TeacherModel:
    return TeacherModel.load(tiny_folder)


@pytest.fixture(scope="module")
def stored(model: TeacherModel, tmp_path_factory: pytest.TempPathFactory) -> StoredEmbeddings:
    path = tmp_path_factory.mktemp("embeddings") / "embeddings.safetensors"
    store_embeddings(model, TEXTS, path)
    return StoredEmbeddings.load(path)


def test_stored_embeddings_are_the_centered_unit_vectors_of_the_model(
    model: TeacherModel, stored: StoredEmbeddings
) -> None:
    raw = np.stack([model.mean_hidden_state(text) for text in TEXTS])
    centered = raw - raw.mean(axis=0)
    expected = centered / np.linalg.norm(centered, axis=1, keepdims=True)
    np.testing.assert_allclose(stored.embed(TEXTS), expected, atol=2e-3)  # stored as float16


def test_texts_that_are_not_stored_are_embedded_by_the_model_in_the_same_space(
    model: TeacherModel, stored: StoredEmbeddings
) -> None:
    embedder = TeacherEmbedder(model, stored)
    vectors = embedder.embed(["There is consolidation.", TEXTS[0]])
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(vectors[1], stored.embed(TEXTS[:1])[0])
    assert embedder.embed([]).shape == (0, embedder.dimensions)


def test_a_text_is_read_by_the_model_once(
    model: TeacherModel, stored: StoredEmbeddings, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    original = model.mean_hidden_state
    monkeypatch.setattr(model, "mean_hidden_state", lambda text: read.append(text) or original(text))
    embedder = TeacherEmbedder(model, stored)
    embedder.embed(["new", "new", TEXTS[0]])
    embedder.embed(["new"])
    assert read == ["new"]


def test_a_text_that_is_not_stored_is_refused(stored: StoredEmbeddings) -> None:
    with pytest.raises(LibraryError, match="something new"):
        stored.embed(["something new"])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="nowhere"):
        StoredEmbeddings.load(tmp_path / "nowhere.safetensors")


def test_every_sentence_of_the_bundled_library_is_stored() -> None:
    bundled = StoredEmbeddings.load()
    assert all(text in bundled for text in RationaleLibrary.load().texts())


def test_rationales_of_a_condition_are_nearer_to_each_other_than_to_other_conditions() -> None:
    bundled, library = StoredEmbeddings.load(), RationaleLibrary.load()
    first, second = (
        np.stack(
            [
                embed_rationale(bundled, library.compose([Finding(c, State.POSITIVE)], variant=variant))
                for c in FINDING_CONDITIONS
            ]
        )
        for variant in (0, 1)
    )
    nearest = (first @ second.T).argmax(axis=1)
    # Chance would find one in thirteen; 12 were found when the library was made.
    assert (nearest == np.arange(len(FINDING_CONDITIONS))).sum() >= 10


def test_an_empty_rationale_has_no_direction(stored: StoredEmbeddings) -> None:
    assert not embed_rationale(stored, Rationale("", RationaleAuthor.STUDENT)).any()
