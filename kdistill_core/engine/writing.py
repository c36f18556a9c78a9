"""The student writes its rationale: token by token, streamed, cancelable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor, LogitsProcessorList
from transformers.generation.streamers import BaseStreamer

from kdistill_core.engine.errors import EngineError
from kdistill_core.engine.models import Models
from kdistill_core.engine.streaming import TokenStream
from kdistill_core.records import Token
from kdistill_core.student.greedy import greedy_tokens, writes_greedily
from kdistill_core.student.modeling import ImageEncoding

OnText = Callable[[int, str], None]


@dataclass(frozen=True)
class Writing:
    """What was written. ``tokens`` are all but the end token, so that the text can be forced on the model again.

    complete: False where the length limit ended the text.
    """

    text: str
    tokens: tuple[Token, ...]
    complete: bool


def write_rationale(
    models: Models,
    encoding: ImageEncoding,
    *,
    seed: int,
    max_new_tokens: int,
    on_text: OnText,
    check: Callable[[], None],
) -> Writing:
    """Let the student write of what it saw.

    on_text: called with the offset and the characters of each further piece of text.
    check: called before each token is taken; an exception it raises ends the writing.
    """
    student, device = models.student, models.placement.device
    start = models.processor(text="").to(device)
    taken = student.config.prefix_length + start["input_ids"].shape[1]
    longest: int = student.config.text_config.max_position_embeddings  # type: ignore[union-attr] # set by now
    count = min(max_new_tokens, longest - taken)
    if count < 1:
        raise EngineError("A rationale of no tokens was asked for.", "Ask for at least 1 new token.")
    pen = _Pen(models, on_text, check)
    with torch.inference_mode():
        prefix = student.prefix(encoding)
        if writes_greedily(student):
            for token_id, scores in greedy_tokens(student, prefix, start["input_ids"], count):
                pen.take(token_id, scores)
        else:
            _generate(models, start, prefix, seed, count, pen)
    return pen.writing()


def _generate(
    models: Models, start: Mapping[str, Tensor], prefix: Tensor, seed: int, max_new_tokens: int, pen: _Pen
) -> None:
    """Let the library write: it draws tokens, and knows every model."""
    student, device = models.student, models.placement.device
    chosen = _ChosenScores()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        writer: Any = student  # the annotation of generate names a protocol that no model fulfills
        writer.generate(
            **start,
            prefix_embeds=prefix,
            max_new_tokens=max_new_tokens,
            streamer=_Streamer(pen, chosen),
            logits_processor=LogitsProcessorList([chosen]),
        )


class _ChosenScores(LogitsProcessor):
    """Keeps the latest step's scores, float [1, V]; it changes nothing."""

    def __init__(self) -> None:
        self.latest: Tensor | None = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # noqa: ARG002 - transformers' signature
        self.latest = scores
        return scores


class _Streamer(BaseStreamer):
    """Receives tokens from ``generate``: the prompt first, then each new one."""

    def __init__(self, pen: _Pen, chosen: _ChosenScores) -> None:
        self._pen = pen
        self._chosen = chosen

    def put(self, value: Tensor) -> None:
        if self._chosen.latest is None:
            self._pen.check()
        else:
            self._pen.take(int(value.reshape(-1)[0]), self._chosen.latest[0])

    def end(self) -> None:
        return


class _Pen:
    """Takes one token after another and hands out the text that they make."""

    def __init__(self, models: Models, on_text: OnText, check: Callable[[], None]) -> None:
        tokenizer = models.processor.tokenizer
        generation: Any = models.student.generation_config
        ends = generation.eos_token_id
        self._ends = frozenset(ends if isinstance(ends, list) else [ends])
        self._stream = TokenStream(
            lambda ids: tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        )
        self.check = check
        self._on_text = on_text
        self._log_probabilities: list[float | None] = []
        self._complete = False

    def take(self, token_id: int, scores: Tensor) -> None:
        """Add a token that was chosen by ``scores`` float [V]."""
        self.check()
        if token_id in self._ends:
            self._complete = True
            return
        self._log_probabilities.append(float(scores.float().log_softmax(-1)[token_id]))
        start = self._stream.streamed
        self._hand_out(start, self._stream.push(token_id))

    def writing(self) -> Writing:
        """Return what was written, after handing out what was still withheld."""
        start = self._stream.streamed
        self._hand_out(start, self._stream.finish())
        named = zip(self._stream.spans, self._stream.ids, self._log_probabilities, strict=True)
        return Writing(self._stream.text, tuple(Token(*parts) for parts in named), self._complete)

    def _hand_out(self, start: int, piece: str) -> None:
        if piece:
            self._on_text(start, piece)
