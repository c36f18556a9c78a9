"""The CheXbert labeler: a network in place of rules, for scores that are to compare with published ones.

Same text in, same labels out as the reference implementation (Smit et al., EMNLP 2020); of each head the class with the
greatest logit. Nothing is downloaded: weights and vocabulary are files on this computer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from kdistill_core.conditions import CHEXBERT_CLASSES, CONDITIONS
from kdistill_core.labeling.chexbert_text import PAD_ID, ReportTokenizer, read_vocabulary
from kdistill_core.labeling.chexbert_weights import ChexbertNetwork, classes_of, read_network, weights_sha256
from kdistill_core.labeling.labelers import LabelerName, LabelingError
from kdistill_core.records import Finding

DEFAULT_BATCH_SIZE = 32


class ChexbertLabeler:
    """Labels reports with a CheXbert network; findings carry no evidence and no probability.

    An empty text is read as the reference reads it: ``[CLS] [SEP]`` goes through the network.
    """

    name = LabelerName.CHEXBERT.value

    def __init__(
        self, network: ChexbertNetwork, tokenizer: ReportTokenizer, version: str, batch_size: int = DEFAULT_BATCH_SIZE
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}, which is no number of reports.")
        self.version = version
        self._network = network
        self._tokenizer = tokenizer
        self._batch_size = batch_size

    def label(self, texts: Sequence[str]) -> list[tuple[Finding, ...]]:
        """Return the findings of each text, the 14 in the order of ``CONDITIONS``, the texts in theirs."""
        classes = torch.stack([logits.argmax(dim=1) for logits in self.logits(texts)], dim=1).tolist()
        return [
            tuple(Finding(condition, CHEXBERT_CLASSES[index]) for condition, index in zip(CONDITIONS, row, strict=True))
            for row in classes
        ]

    def logits(self, texts: Sequence[str]) -> tuple[Tensor, ...]:
        """Return the logits of each condition in the order of ``CONDITIONS``, float32 on the CPU, a row a text.

        Each is [n, 4] by ``CHEXBERT_CLASSES``, No Finding's [n, 2] by the first two of them. Raises LabelingError where
        a batch does not fit in the device's memory.
        """
        ids = self._tokenizer.encode(texts)
        # Texts of like length together, the longest first: little filling, and what does not fit shows at once.
        order = sorted(range(len(ids)), key=lambda place: -len(ids[place]))
        batches = [self._forward([ids[place] for place in batch]) for batch in _split(order, self._batch_size)]
        places = torch.tensor(order, dtype=torch.long).argsort()
        empty = [torch.empty(0, len(classes_of(condition))) for condition in CONDITIONS]
        return tuple(torch.cat([first, *of_head])[places] for first, *of_head in zip(empty, *batches, strict=True))

    @torch.inference_mode()
    def _forward(self, ids: Sequence[Sequence[int]]) -> tuple[Tensor, ...]:
        device = self._network.bert.device
        tokens = pad_sequence([torch.tensor(row) for row in ids], batch_first=True, padding_value=PAD_ID)
        lengths = torch.tensor([len(row) for row in ids])
        mask = (torch.arange(tokens.shape[1]) < lengths[:, None]).long()
        try:
            return tuple(logits.float().cpu() for logits in self._network(tokens.to(device), mask.to(device)))
        except torch.OutOfMemoryError as error:
            raise LabelingError(
                f"{len(ids)} reports of {tokens.shape[1]} tokens do not fit in the memory of {device}.",
                f"Take a batch size under {len(ids)}, or the CPU.",
            ) from error


def open_chexbert(
    weights: Path,
    vocabulary: Path | None = None,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    batch_size: int = DEFAULT_BATCH_SIZE,
) -> ChexbertLabeler:
    """Return the labeler with the network of ``weights``, which is ``chexbert.pth`` or a file of the same layout.

    vocabulary: vocab.txt or tokenizer folder of bert-base-uncased; None where a package brings it, see
    :func:`kdistill_core.labeling.chexbert_text.read_vocabulary`. device: as torch names it. dtype: other than float32,
    labels on the edge may differ from the reference's. Raises LabelingError.
    """
    network = read_network(weights)
    size = network.bert.config
    tokenizer = ReportTokenizer(read_vocabulary(vocabulary, size.vocab_size), size.max_position_embeddings)
    try:
        network.to(torch.device(device), dtype)
    except (RuntimeError, AssertionError) as error:
        raise LabelingError(f"The device {device} cannot be used.", "Choose cpu, cuda or cuda:N.") from error
    return ChexbertLabeler(network, tokenizer, weights_sha256(weights), batch_size)


def _split(order: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (order[start : start + size] for start in range(0, len(order), size))
