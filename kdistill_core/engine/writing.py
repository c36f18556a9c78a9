"""The student writes its rationale: token by token, streamed, cancelable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import LogitsProcessor, LogitsProcessorList
from transformers.generation.streamers import BaseStreamer

from kdistill_core.engine.errors import EngineError
from kdistill_core.engine.models import Models
from kdistill_core.engine.streaming import TokenStream
from kdistill_core.records import Token
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
    chosen = _ChosenLogProbabilities()
    pen = _Pen(models, chosen, on_text, check)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), torch.inference_mode():
        torch.manual_seed(seed)
        student.generate(  # type: ignore[misc] # its annotation names a protocol that no model fulfills
            **start,
            prefix_embeds=student.prefix(encoding),
            max_new_tokens=count,
            streamer=pen,
            logits_processor=LogitsProcessorList([chosen]),
        )
    return pen.writing()


class _ChosenLogProbabilities(LogitsProcessor):
    """Keeps the latest step's distribution; it changes nothing."""

    def __init__(self) -> None:
        self._latest: Tensor | None = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # noqa: ARG002 - transformers' signature
        self._latest = scores
        return scores

    def of(self, token_id: int) -> float | None:
        """Return the log-probability of ``token_id`` at the latest step."""
        return None if self._latest is None else float(self._latest[0].float().log_softmax(-1)[token_id])


class _Pen(BaseStreamer):
    """Receives tokens from ``generate``: the prompt first, then each new one."""

    def __init__(
        self, models: Models, chosen: _ChosenLogProbabilities, on_text: OnText, check: Callable[[], None]
    ) -> None:
        tokenizer = models.processor.tokenizer
        ends = models.student.generation_config.eos_token_id
        self._ends = frozenset(ends if isinstance(ends, list) else [ends])
        self._stream = TokenStream(
            lambda ids: tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        )
        self._chosen = chosen
        self._on_text = on_text
        self._check = check
        self._log_probabilities: list[float | None] = []
        self._prompt_seen = False
        self._complete = False

    def put(self, value: Tensor) -> None:
        self._check()
        if not self._prompt_seen:
            self._prompt_seen = True
            return
        token_id = int(value.reshape(-1)[0])
        if token_id in self._ends:
            self._complete = True
            return
        self._log_probabilities.append(self._chosen.of(token_id))
        start = self._stream.streamed
        self._hand_out(start, self._stream.push(token_id))

    def end(self) -> None:
        start = self._stream.streamed
        self._hand_out(start, self._stream.finish())

    def writing(self) -> Writing:
        named = zip(self._stream.spans, self._stream.ids, self._log_probabilities, strict=True)
        return Writing(self._stream.text, tuple(Token(*parts) for parts in named), self._complete)

    def _hand_out(self, start: int, piece: str) -> None:
        if piece:
            self._on_text(start, piece)
