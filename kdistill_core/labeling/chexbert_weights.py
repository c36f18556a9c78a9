"""CheXbert's network, read from its published weights file and checked tensor by tensor.

The file (``chexbert.pth``) is a training checkpoint: ``model_state_dict`` holds the network, each name prefixed
``module.`` as torch's DataParallel leaves it. The rest of it, the optimizer's state, is not used.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping, Sequence
from hashlib import file_digest
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from kdistill_core.conditions import CHEXBERT_CLASSES, CONDITIONS, Condition, State
from kdistill_core.labeling.labelers import LabelingError

# Of the file that Stanford AIMI hosts as StanfordAIMI/RRG_scorers/chexbert.pth (1,314,414,442 bytes).
PUBLISHED_SHA256 = "6550703c92d640e1e04d8105a7a185d76ece0f25fcbf033d292785bf22c0fde1"

_PREFIX = "module."
# A buffer of constants, which some versions of transformers wrote into the file and none needs.
_NOT_WEIGHTS = frozenset({"bert.embeddings.position_ids"})
_LAYER = re.compile(r"bert\.encoder\.layer\.(\d+)\.")
_HEAD_WIDTH = 64  # of one attention head, in BERT of every size (Devlin et al., NAACL 2019; Turc et al., 2019)
_NAMED = 3  # tensors that a message names
_ADVICE = "Download chexbert.pth again (docs/labeling.md says from where) and compare its SHA-256."


class ChexbertNetwork(nn.Module):
    """BERT, and on the last hidden state of ``[CLS]`` a linear head for each of the 14 conditions."""

    def __init__(self, configuration: BertConfig) -> None:
        super().__init__()
        self.bert = BertModel(configuration)
        self.linear_heads = nn.ModuleList(
            nn.Linear(configuration.hidden_size, len(classes_of(condition))) for condition in CONDITIONS
        )

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of each condition, [n, 4] (the last, No Finding, [n, 2]), in the order of ``CONDITIONS``.

        ids: int64 [n, tokens]. mask: int64 [n, tokens], 1 for tokens and 0 for filling.
        """
        first = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0]
        return tuple(head(first) for head in self.linear_heads)


def classes_of(condition: Condition) -> tuple[State, ...]:
    """Return the states that the head of ``condition`` tells apart, by class; No Finding is positive or blank."""
    return CHEXBERT_CLASSES[:2] if condition is Condition.NO_FINDING else CHEXBERT_CLASSES


def read_network(path: Path) -> ChexbertNetwork:
    """Return the network of a weights file, on the CPU, in float32, in evaluation mode.

    Its size is read off the tensors. Raises LabelingError for a file that is no such checkpoint, lacks a tensor, has
    one too many, or one of another shape, and for weights that are not finite.
    """
    weights = _read_weights(path)
    configuration = _configuration(weights, path)
    with torch.device("meta"):
        expected = ChexbertNetwork(configuration).state_dict()
    _check(weights, expected, path)
    # Weights that are about to be replaced must not move the random numbers of whoever asks for a labeler.
    with torch.random.fork_rng(devices=[]):
        network = ChexbertNetwork(configuration)
    network.load_state_dict({name: weights[name].float() for name in expected})
    return network.eval()


def weights_sha256(path: Path) -> str:
    """Return the SHA-256 of a weights file, by which one tells which network labeled."""
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


def _read_weights(path: Path) -> dict[str, Tensor]:
    checkpoint = _load(path)
    state = checkpoint.get("model_state_dict") if isinstance(checkpoint, Mapping) else None
    if not isinstance(state, Mapping) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        found = f"holds {_names(list(checkpoint))}" if isinstance(checkpoint, Mapping) else "is no dictionary"
        raise LabelingError(f'{path} has no weights under "model_state_dict": it {found}.', _ADVICE)
    # A network that was trained on one GPU alone has no prefix.
    if all(str(name).startswith(_PREFIX) for name in state):
        state = {name.removeprefix(_PREFIX): value for name, value in state.items()}
    return {name: value for name, value in state.items() if name not in _NOT_WEIGHTS}


def _load(path: Path) -> object:
    if not path.is_file():
        raise LabelingError(f"There is no weights file {path}.", _ADVICE)
    try:
        # Only torch's newer format can be mapped, and only mapping spares reading the optimizer's state.
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        problem = f"{path} holds something other than weights, or was not written by torch; it was not opened."
        raise LabelingError(problem, _ADVICE) from error
    except (RuntimeError, OSError, EOFError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise LabelingError(f"{path} cannot be read as weights ({type(error).__name__}).", _ADVICE) from error


def _configuration(weights: Mapping[str, Tensor], path: Path) -> BertConfig:
    """Read the network's size off its tensors; everything else is BERT's own default."""
    try:
        words, hidden = weights["bert.embeddings.word_embeddings.weight"].shape
        positions, _ = weights["bert.embeddings.position_embeddings.weight"].shape
        kinds, _ = weights["bert.embeddings.token_type_embeddings.weight"].shape
        intermediate, _ = weights["bert.encoder.layer.0.intermediate.dense.weight"].shape
    except (KeyError, ValueError) as error:
        raise LabelingError(
            f"{path} is not of CheXbert's layout: BERT's embeddings or its first layer are not there, "
            f"or not in two dimensions. It holds {_names(list(weights))}.",
            _ADVICE,
        ) from error
    if hidden % _HEAD_WIDTH:
        problem = f"{path} is not of CheXbert's layout: its width {hidden} is no multiple of {_HEAD_WIDTH}."
        raise LabelingError(problem, _ADVICE)
    return BertConfig(
        vocab_size=words,
        hidden_size=hidden,
        num_hidden_layers=1 + max(int(found[1]) for name in weights if (found := _LAYER.match(name))),
        num_attention_heads=hidden // _HEAD_WIDTH,
        intermediate_size=intermediate,
        max_position_embeddings=positions,
        type_vocab_size=kinds,
    )


def _check(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: Path) -> None:
    missing = [name for name in expected if name not in weights]
    unexpected = [name for name in weights if name not in expected]
    misshapen = [name for name in expected if name in weights and weights[name].shape != expected[name].shape]
    faults = [
        f"{len(names)} tensors are {fault} ({_names(names)})"
        for names, fault in ((missing, "missing"), (unexpected, "not CheXbert's"), (misshapen, "of another shape"))
        if names
    ]
    if faults:
        raise LabelingError(f"{path} is not of CheXbert's layout: {'; '.join(faults)}.", _ADVICE)
    broken = [name for name, value in weights.items() if not (value.is_floating_point() and value.isfinite().all())]
    if broken:
        raise LabelingError(f"{path} has weights that are not finite numbers ({_names(broken)}).", _ADVICE)


def _names(names: Sequence[object]) -> str:
    shown = ", ".join(str(name) for name in names[:_NAMED]) or "nothing"
    return shown + (", ..." if len(names) > _NAMED else "")
