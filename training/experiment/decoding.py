"""How a student's text is chosen: greedily, by beams, or by a vote over several drawn texts.

A decoder that ends in template negatives at its likeliest says more when it is drawn from several times, so a baseline
that is scored by its likeliest text alone is a weak one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kdistill_core.conditions import CONDITIONS, State
from kdistill_core.datasets.cache import Pixels
from kdistill_core.evaluation.generation import asserted, counts, macro_f1, micro_f1
from kdistill_core.labeling import label_sentence
from kdistill_core.labeling.sentences import split_sentences
from kdistill_core.student import StudentModel, StudentProcessor
from kdistill_core.student.lockstep import written_together
from training.experiment.texts import in_order

GREEDY, BEAMS = "greedy", "beams"
_BEAM_COUNT = 4
# Images at a time: on a GPU a step costs the same for many.
_BATCH, _BATCH_ON_GPU = 64, 256
_PLACE = {condition: place for place, condition in enumerate(CONDITIONS)}


@dataclass(frozen=True, eq=False)
class Drawn:
    """Texts of every case: by decoder, and ``samples`` drawn ones, [N][S], from which votes are taken."""

    by_decoder: dict[str, tuple[str, ...]]
    samples: tuple[tuple[str, ...], ...]

    @property
    def decoders(self) -> tuple[str, ...]:
        """The names of all decoders: a vote takes what so many of the drawn texts say."""
        samples = len(self.samples[0])
        return (*self.by_decoder, *(f"{votes} of {samples}" for votes in range(1, samples // 2 + 2)))

    def texts(self, decoder: str) -> tuple[str, ...]:
        """Return the text of every case by ``decoder``, one of :attr:`decoders`."""
        if decoder in self.by_decoder:
            return self.by_decoder[decoder]
        votes = int(decoder.split()[0])
        return tuple(vote(texts, votes) for texts in self.samples)

    @property
    def shares(self) -> NDArray[np.float64]:
        """The share of drawn texts that assert each condition, float64 [N, K], never 0 or 1 (Laplace)."""
        said = np.stack([asserted(texts) for texts in self.samples])
        return np.asarray((said.sum(axis=1) + 0.5) / (said.shape[1] + 1))


def vote(texts: Sequence[str], votes: int) -> str:
    """Return a text of those sentences whose conditions at least ``votes`` of ``texts`` assert.

    Of each such condition the first sentence that asserts it is taken, in anatomical order. Where nothing finds as many
    votes, the first text that asserts nothing speaks for all; failing that, the text with the fewest assertions.
    """
    said = asserted(texts)
    wanted = said.sum(axis=0) >= votes
    chosen: dict[str, None] = {}
    covered: set[int] = set()
    for text in texts:
        for span in split_sentences(text):
            sentence = text[span.start : span.end]
            named = {_PLACE[m.condition] for m in label_sentence(sentence) if m.state is State.POSITIVE}
            if named and all(wanted[place] for place in named) and not named <= covered:
                covered |= named
                chosen[sentence] = None
    if chosen:
        return " ".join(in_order(list(chosen)))
    return texts[int(np.argmin(said[:, :-1].sum(axis=1)))]


def choose_decoder(drawn: Drawn, truth: NDArray[np.floating]) -> tuple[str, dict[str, float]]:
    """Return the decoder with the best mean of micro and macro F1 against ``truth`` [N, K], and that of each.

    truth: 1, 0 or NaN of validation cases. Positive only counts as said.
    """
    scores = {name: text_score(drawn.texts(name), truth) for name in drawn.decoders}
    return max(scores, key=lambda name: scores[name]), scores


def text_score(texts: Sequence[str], truth: NDArray[np.floating]) -> float:
    """Return the mean of micro and macro F1 of what ``texts`` assert."""
    tally = counts(asserted(texts), truth)
    return (micro_f1(tally) + macro_f1(tally)) / 2


def write_texts(
    student: StudentModel, processor: StudentProcessor, pixels: Pixels, wanted: Sequence[str], samples: int, seed: int
) -> Drawn:
    """Return what ``student`` writes of images uint8 [N, S, S] by each of the decoders ``wanted``, as at inference.

    samples: texts to draw of each image for votes, 0 for none; the same seed draws the same ones.
    """
    longest = student.config.text_config.max_position_embeddings - student.config.prefix_length - 1  # type: ignore[union-attr]
    by_decoder: dict[str, list[str]] = {name: [] for name in (GREEDY, BEAMS) if name in wanted}
    drawn: list[tuple[str, ...]] = []
    draws = torch.Generator(student.device).manual_seed(seed)
    begin, decode = int(processor.tokenizer.bos_token_id), processor.tokenizer.batch_decode
    for values in _batches(student, processor, pixels):
        with torch.inference_mode():
            prefix = student.prefix(student.encode(values))
        for name, texts in by_decoder.items():
            if name == BEAMS:
                # A search copies what all its beams hold at every token: fewer at a time.
                for part in prefix.split(_BATCH):
                    texts += decode(_by_beams(student, begin, part, longest), skip_special_tokens=True)
            else:
                texts += decode(written_together(student, prefix, begin, longest))
        if samples:
            texts = decode(written_together(student, prefix.repeat_interleave(samples, 0), begin, longest, draws))
            drawn += [tuple(texts[at : at + samples]) for at in range(0, len(texts), samples)]
    return Drawn({name: tuple(texts) for name, texts in by_decoder.items()}, tuple(drawn))


def condition_logits(student: StudentModel, processor: StudentProcessor, pixels: Pixels) -> NDArray[np.float32]:
    """Return the uncalibrated logits float32 [N, K] of images uint8 [N, S, S]."""
    with torch.inference_mode():
        rows = [student.encode(values).condition_logits for values in _batches(student, processor, pixels)]
    return torch.cat([row.float().cpu() for row in rows if row is not None]).numpy()


def _by_beams(student: StudentModel, begin_id: int, prefix: torch.Tensor, longest: int) -> torch.Tensor:
    writer: Any = student  # the annotation of generate names a protocol that no model fulfills
    begin = torch.full((len(prefix), 1), begin_id, device=student.device)
    with torch.inference_mode():
        ids: torch.Tensor = writer.generate(
            input_ids=begin,
            attention_mask=torch.ones_like(begin),
            prefix_embeds=prefix,
            max_new_tokens=longest,
            num_beams=_BEAM_COUNT,
            do_sample=False,
        )
    return ids


def _batches(student: StudentModel, processor: StudentProcessor, pixels: Pixels) -> Iterator[torch.Tensor]:
    size = _BATCH if student.device.type == "cpu" else _BATCH_ON_GPU
    for start in range(0, len(pixels), size):
        part = pixels[start : start + size].astype(np.float32) / np.float32(255)
        yield processor.pixel_values(part).to(student.device)
