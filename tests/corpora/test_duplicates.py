"""Repeats, against the Jaccard index computed in full."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdistill_core.corpora.duplicates import DuplicateIndex, Repeat, fingerprints
from kdistill_core.corpora.errors import CorpusError
from kdistill_core.corpora.shingles import runs_of, shingled, words_of


def added(index: DuplicateIndex, texts: dict[str, str]) -> dict[str, Repeat | None]:
    marks = fingerprints([shingled(text) for text in texts.values()])
    return {name: index.add(name, mark) for name, mark in zip(texts, marks, strict=True)}


def jaccard(first: str, second: str) -> float:
    left, right = set(runs_of(words_of(first))), set(runs_of(words_of(second)))
    return len(left & right) / len(left | right)


def test_equal_texts_are_found_whatever_their_case_and_punctuation(tmp_path, sentences):
    text = sentences(1, 60)
    with DuplicateIndex(tmp_path / "i", 0.8) as index:
        found = added(index, {"a": text, "b": text.upper().replace(" ", ",  "), "c": sentences(2, 60)})
    assert found == {"a": None, "b": Repeat("a", 1.0), "c": None}


@pytest.mark.parametrize(("changed", "repeats"), [(4, True), (60, False)])
def test_near_duplicates_are_those_whose_runs_are_mostly_shared(tmp_path, sentences, changed, repeats):
    words = sentences(1, 400).split()
    step = len(words) // changed
    altered = " ".join("other" if place % step == 0 and place else word for place, word in enumerate(words))
    likeness = jaccard(" ".join(words), altered)
    assert (likeness > 0.9) is repeats
    assert (likeness < 0.6) is not repeats
    with DuplicateIndex(tmp_path / "i", 0.8) as index:
        found = added(index, {"a": " ".join(words), "b": altered})["b"]
    assert (found is not None) is repeats
    if found is not None:
        assert found.likeness == pytest.approx(likeness, abs=0.1)


def test_pairs_at_the_threshold_are_found_about_as_often_as_the_bands_say(tmp_path, sentences):
    # Likeness .85 is found with a chance of 1 - (1 - .85**8)**16 = .994, and then the estimate has to pass .75.
    found = 0
    for seed in range(60):
        shared, first, second = sentences(seed, 370), sentences(1000 + seed, 32), sentences(2000 + seed, 32)
        with DuplicateIndex(tmp_path / f"{seed}", 0.75) as index:
            found += added(index, {"a": f"{shared} {first}", "b": f"{shared} {second}"})["b"] is not None
    assert found >= 56


def test_what_was_not_committed_is_forgotten(tmp_path, sentences):
    path = tmp_path / "i"
    with DuplicateIndex(path, 0.8) as index:
        added(index, {"a": sentences(1, 50)})
        index.commit("part 1", b"{}")
        added(index, {"b": sentences(2, 50)})
    with DuplicateIndex(path, 0.8) as index:
        assert index.parts() == {"part 1": b"{}"}
        found = added(index, {"c": sentences(1, 50), "d": sentences(2, 50)})
    assert found["c"] == Repeat("a", 1.0)
    assert found["d"] is None


def test_a_file_that_is_no_index_is_refused(tmp_path):
    (tmp_path / "i").write_bytes(b"not a database, but long enough to be looked at as one" * 9)
    with pytest.raises(CorpusError, match="cannot be used"):
        DuplicateIndex(tmp_path / "i", 0.8)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80))
def test_any_text_has_a_fingerprint_and_equals_itself(text):
    first, second = fingerprints([shingled(text), shingled(f"  {text}  ")])
    assert first == second


@given(st.lists(st.sampled_from("abc"), max_size=12), st.integers(1, 6))
def test_runs_are_the_windows_over_the_words(words, length):
    windows = [words[start : start + length] for start in range(len(words)) if start + length <= len(words)]
    assert runs_of(words, length) == ([" ".join(window) for window in windows] or [" ".join(words)])
    assert all(len(list(group)) for _, group in itertools.groupby(runs_of(words, length)))
