"""Tokens a second of rationale writing beside the same model's plain `generate`, one prompt at a time, in one run.

    python tests/benchmarks/bench_writing.py [MODEL] [CONTEXTS]

Both sides write the same rationales of the same contexts with the same model on the same cores: the teacher's writer
many at a time with a shared beginning and forced parts, transformers' `generate` one prompt after the other, drawing
its tokens from the same likeliest ones. Counted are the tokens of the texts, up to their end. The two sides take turns
(n rounds), so that other load on the computer falls on both; the ratio is the median of the rounds'.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Sequence

import torch

from kdistill_core.resources import resource
from kdistill_core.teacher.drafts import Request
from kdistill_core.teacher.knowledge import load_knowledge
from kdistill_core.teacher.model import BUNDLED_TEACHER, TeacherModel
from kdistill_core.teacher.prompter import Prompter
from kdistill_core.teacher.prompts import load_prompt
from kdistill_core.teacher.transformers_writer import DecodingSettings, TransformersWriter
from kdistill_core.teacher.tuning.examples import drawn_rationales

ROUNDS = 3
ALONE = 4  # prompts a round for the slow side


def main() -> None:
    """Print both rates of each round and the median of their ratios."""
    model = TeacherModel.load(sys.argv[1] if len(sys.argv) > 1 else resource(BUNDLED_TEACHER))
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 64
    requests = [Request(context, 0, 0) for context, _, _ in drawn_rationales(load_knowledge(), count, seed=7)]
    print(f"{model.name}, {count} contexts, {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}")
    ratios = []
    for number in range(ROUNDS):
        alone = _one_at_a_time(model, requests[number * ALONE : (number + 1) * ALONE])
        together = _together(model, requests)
        ratios.append(together / alone)
        print(f"round {number + 1}: one at a time {alone:.1f}, together {together:.1f} tokens a second")
    print(
        f"ratio: median {statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f}), n = {ROUNDS} rounds"
    )


def _together(model: TeacherModel, requests: Sequence[Request]) -> float:
    writer = TransformersWriter(model, load_prompt(), DecodingSettings())
    start = time.perf_counter()
    texts = [draft.text for draft in writer.write(requests)]
    return _tokens(model, texts) / (time.perf_counter() - start)


def _one_at_a_time(model: TeacherModel, requests: Sequence[Request]) -> float:
    texts = []
    start = time.perf_counter()
    for request in requests:
        prompt = model.prompt(Prompter(load_prompt()).messages(request))
        inputs = model.tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
        with torch.inference_mode():
            written = model.model.generate(
                **inputs, do_sample=True, temperature=0.7, top_k=40, max_new_tokens=256, pad_token_id=0
            )
        texts.append(model.tokenizer.decode(written[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
    return _tokens(model, texts) / (time.perf_counter() - start)


def _tokens(model: TeacherModel, texts: Sequence[str]) -> int:
    return sum(len(model.tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts)


if __name__ == "__main__":
    main()
