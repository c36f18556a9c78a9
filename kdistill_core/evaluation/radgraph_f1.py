"""RadGraph F1: how many entities and relations two reports share, as a network reads them.

Jain et al., NeurIPS Datasets 2021 (RadGraph); Delbrouck et al., Findings of EMNLP 2022 (the F1). Both the package
``radgraph`` and its weights have to be here already: the package would download them, which this program never does
unasked.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from huggingface_hub import constants
from platformdirs import user_cache_dir

from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.measures import Measure, mean_over_cases
from kdistill_core.evaluation.metric_facts import RADGRAPH_F1
from kdistill_core.evaluation.scores import Score

PACKAGE = "radgraph"
MODEL = "radgraph"
# Entities count when their words and labels agree and both have relations, or neither has (RG_ER).
LEVEL = "partial"


def missing_for_radgraph() -> str:
    """Return what RadGraph F1 lacks here in one sentence, empty where it can run. Imports nothing heavy."""
    if find_spec(PACKAGE) is None:
        return f"the package {PACKAGE} is not installed"
    folder = _weights_folder()
    if not (folder / MODEL).is_dir() and not (folder / f"{MODEL}.tar.gz").is_file():
        return f"the weights of {PACKAGE} are not in {folder}"
    return ""


def radgraph_f1(texts: Sequence[str], references: Sequence[str]) -> tuple[Measure, ...]:
    """Return the mean RadGraph F1 (level ``partial``) of each text against its reference, in [0, 1].

    A case with an empty text on either side counts 0, as the package has it. Raises EvaluationError where the package
    or its weights are not here, or when the package answers in a form that is not known.
    """
    lacking = missing_for_radgraph()
    if lacking:
        raise EvaluationError(
            f"RadGraph F1 cannot be computed: {lacking}.",
            f"Install {PACKAGE} and let it fetch its model {MODEL!r} once, where a network is allowed.",
        )
    version = metadata.version(PACKAGE)
    with _offline():
        try:
            score = import_module(PACKAGE).F1RadGraph(reward_level=LEVEL, model_type=MODEL)
        except (ImportError, OSError) as error:
            raise EvaluationError(
                f"The package {PACKAGE} {version} cannot load its model: {error}.",
                "Its language model has to be in the hub's cache, and its versions have to fit the installed packages.",
            ) from error
        rewards = score(hyps=list(texts), refs=list(references))[1]
    try:
        values = np.array([float(reward) for reward in rewards], dtype=np.float64)
    except TypeError as error:
        raise _unknown_answer(version) from error
    if len(values) != len(texts):
        raise _unknown_answer(version)
    note = f"level {LEVEL} (RG_ER), model {MODEL}, {PACKAGE} {version}"
    name = RADGRAPH_F1.name
    return (mean_over_cases(Score(name, "mean over cases", None, len(values), note=note), values, name),)


def _weights_folder() -> Path:
    return Path(user_cache_dir(PACKAGE)) / metadata.version(PACKAGE)


def _unknown_answer(version: str) -> EvaluationError:
    return EvaluationError(
        f"{PACKAGE} {version} did not answer with one number a case.", "Install a version whose level `partial` does."
    )


@contextmanager
def _offline() -> Iterator[None]:
    """Keep the hub's client from the network: it reads the variable when imported, and this constant afterwards."""
    variable, constant = os.environ.get("HF_HUB_OFFLINE"), constants.HF_HUB_OFFLINE
    os.environ["HF_HUB_OFFLINE"], constants.HF_HUB_OFFLINE = "1", True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = constant
        if variable is None:
            del os.environ["HF_HUB_OFFLINE"]
        else:
            os.environ["HF_HUB_OFFLINE"] = variable
