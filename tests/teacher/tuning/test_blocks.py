"""Blocks of tokens: packed without loss, and no text sees the one before it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaForCausalLM

from kdistill_core.corpora.packing import Block as PackedBlock
from kdistill_core.corpora.packing import write_blocks
from kdistill_core.teacher.errors import TeacherTrainingError
from kdistill_core.teacher.tuning.blocks import IGNORED, Example, ExampleBlocks, LiteratureBlocks, collate


def test_a_text_sees_nothing_of_its_neighbors(tiny_folder: Path) -> None:
    # The logits of the second text in a block are those it has alone.
    model = LlamaForCausalLM.from_pretrained(tiny_folder).eval()
    first, second = Example((5, 6, 7), (8, 9)), Example((10, 11), (12, 13))
    batch = collate([ExampleBlocks([first, second], 12, padding=0)[0]] * 2)
    with torch.inference_mode():
        packed = model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False).logits
        alone = model(input_ids=torch.tensor([[10, 11, 12, 13]])).logits
    torch.testing.assert_close(packed[:, 5:9], alone.expand(2, -1, -1), atol=1e-5, rtol=1e-4)


def test_the_loss_of_a_block_is_that_of_its_answers_alone(tiny_folder: Path) -> None:
    model = LlamaForCausalLM.from_pretrained(tiny_folder).eval()
    examples = [Example((5, 6, 7), (8, 9)), Example((10, 11), (12, 13, 14))]
    batch = collate([ExampleBlocks(examples, 16, padding=0)[0]])
    with torch.inference_mode():
        packed = model(**batch, use_cache=False).loss
        nll = []
        for example in examples:
            ids = torch.tensor([[*example.prompt, *example.answer]])
            log_probabilities = model(input_ids=ids).logits.log_softmax(-1)[0]
            places = range(len(example.prompt), len(example))
            nll += [-log_probabilities[place - 1, ids[0, place]] for place in places]
    torch.testing.assert_close(packed, torch.stack(nll).mean(), atol=1e-5, rtol=1e-4)


@given(lengths=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=20))
@settings(max_examples=50, deadline=None)
def test_every_example_is_in_exactly_one_block(lengths: list[tuple[int, int]]) -> None:
    examples = [
        Example((1000 + number,) * prompt, (2000 + number,) * answer) for number, (prompt, answer) in enumerate(lengths)
    ]
    blocks = ExampleBlocks(examples, 12, padding=0)
    every = list(map(blocks.__getitem__, range(len(blocks))))
    tokens = sorted(token for block in every for token in block.input_ids if token)
    assert tokens == sorted(token for example in examples for token in (*example.prompt, *example.answer))
    learned = sorted(label for block in every for label in block.labels if label != IGNORED)
    assert learned == sorted(token for example in examples for token in example.answer)
    assert {len(block.input_ids) for block in every} == {len(block.labels) for block in every} == {12}


def test_an_example_that_is_too_long_is_refused() -> None:
    with pytest.raises(TeacherTrainingError, match="13 tokens does not fit into blocks of 12"):
        ExampleBlocks([Example((1,) * 12, (2,))], 12, padding=0)


def test_positions_of_literature_begin_anew_with_each_document(tmp_path: Path) -> None:
    write_blocks([PackedBlock([1, 2, 3, 4, 5, 6], [2, 5])], tmp_path / "training")
    blocks = LiteratureBlocks(tmp_path / "training")
    batch = collate([blocks[0]])
    # The block begins within a document whose start lies in the block before.
    assert batch["position_ids"].tolist() == [[0, 1, 0, 1, 2, 0]]
    assert batch["labels"].tolist() == [[1, 2, IGNORED, 4, 5, IGNORED]]


def test_a_folder_that_is_no_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(TeacherTrainingError, match=r"nothing.*kdistill corpus build"):
        LiteratureBlocks(tmp_path / "nothing")
