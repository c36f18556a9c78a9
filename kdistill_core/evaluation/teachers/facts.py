"""What every measure of a teacher counts, its direction, range, unit and source."""

from __future__ import annotations

import math

from kdistill_core.evaluation.metric_facts import MetricFacts

PERPLEXITY = MetricFacts(
    "perplexity",
    "how many tokens the model wavers between at each place of a text, the exponential of its mean loss a token",
    "Jelinek et al., J Acoust Soc Am 1977",
    "token",
    lowest=1.0,
    highest=math.inf,
    higher_is_better=False,
)
ACCURACY = MetricFacts(
    "PubMedQA accuracy", "questions answered as the experts did", "Jin et al., EMNLP 2019 (PQA-L)", "question"
)
MACRO_F1 = MetricFacts(
    "PubMedQA macro-F1",
    "F1 of yes, no and maybe, averaged; an answer never given counts as 0",
    "Jin et al., EMNLP 2019 (PQA-L)",
    "question",
)
PASS_RATE = MetricFacts(
    "gate pass rate", "rationales that pass every check of the gate at the first try", "this project", "context"
)
REJECTED = MetricFacts(
    "rejected first by",
    "rationales of which this check of the gate is the first to fail",
    "this project",
    "context",
    higher_is_better=False,
)
UNSUPPORTED = MetricFacts(
    "unsupported sentences",
    "written sentences that no statement of the knowledge base supports, of all written",
    "this project, grounding as the gate finds it",
    "sentence",
    higher_is_better=False,
)
COVERAGE = MetricFacts(
    "signs named",
    "signs of the knowledge base that some rationale of their condition names, of all its signs",
    "this project",
    "sign",
)
DISTINCT_1 = MetricFacts("distinct-1", "different words, of all words written", "Li et al., NAACL 2016", "word")
DISTINCT_2 = MetricFacts(
    "distinct-2", "different pairs of neighboring words, of all pairs written", "Li et al., NAACL 2016", "word pair"
)
DISTINCT_SENTENCES = MetricFacts(
    "distinct sentences", "different sentences, of all sentences written", "this project", "sentence"
)
SELF_BLEU = MetricFacts(
    "self-BLEU",
    "BLEU-4 of each text with all others as its references, averaged: how much the texts repeat one another",
    "Zhu et al., SIGIR 2018 (Texygen); sacrebleu (Post, WMT 2018)",
    "context",
    higher_is_better=False,
)

TEACHER_METRICS = (
    PERPLEXITY, ACCURACY, MACRO_F1, PASS_RATE, REJECTED, UNSUPPORTED, COVERAGE,
    DISTINCT_1, DISTINCT_2, DISTINCT_SENTENCES, SELF_BLEU,
)  # fmt: skip
# Compared by dividing; everything else, a share that may be 0, by subtracting.
COMPARED_BY_RATIO = frozenset({PERPLEXITY.name})
