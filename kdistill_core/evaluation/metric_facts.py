"""What every metric of generated texts and of agreement counts, its direction, range, unit and source."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MetricFacts:
    """A metric as a table of metrics shows it.

    counts: what it counts, in plain words. source: where it is defined. unit: what is counted or averaged over. lowest,
    highest: the range of its values.
    """

    name: str
    counts: str
    source: str
    unit: str
    lowest: float = 0.0
    highest: float = 1.0
    higher_is_better: bool = True


_LABELS_SOURCE = "Smit et al., EMNLP 2020 (CheXbert); averages as in scikit-learn"
TEXT_PRECISION = MetricFacts(
    "text precision", "conditions that a text names and the truth has, of those it names", _LABELS_SOURCE, "condition"
)
TEXT_RECALL = MetricFacts(
    "text recall", "conditions that a text names and the truth has, of those the truth has", _LABELS_SOURCE, "condition"
)
TEXT_F1 = MetricFacts("text F1", "the harmonic mean of text precision and recall", _LABELS_SOURCE, "condition")
CONTRADICTION_RATE = MetricFacts(
    "contradiction rate",
    "findings called positive by one side and negative by the other, of those that both call one or the other",
    "this project",
    "finding",
    higher_is_better=False,
)
OPPOSITE_SIDE_RATE = MetricFacts(
    "opposite side rate",
    "findings on the other side of the patient, of those that both texts assert with a side",
    "this project, sides as the rules read them",
    "finding",
    higher_is_better=False,
)
BLEU = MetricFacts(
    "BLEU",
    "shared word sequences of 1 to 4 words, as BLEU-1 to BLEU-4",
    "Papineni et al., ACL 2002; sacrebleu (Post, WMT 2018)",
    "all texts together",
)
ROUGE_L = MetricFacts(
    "ROUGE-L",
    "the longest common subsequence of words, as F-measure",
    "Lin, Text Summarization Branches Out 2004; rouge-score",
    "case",
)
METEOR = MetricFacts(
    "METEOR (exact and stem matches)",
    "shared words and word stems, and how far they stand in one order; no synonyms",
    "Lavie and Agarwal, WMT 2007; nltk",
    "case",
)
SEMANTIC_SIMILARITY = MetricFacts(
    "semantic similarity",
    "the cosine between sentence embeddings (all-MiniLM-L6-v2); blind to negation",
    "Reimers and Gurevych, EMNLP 2019",
    "case",
    lowest=-1.0,
)
RADGRAPH_F1 = MetricFacts(
    "RadGraph F1",
    "shared entities and relations, as a network reads them",
    "Jain et al., NeurIPS Datasets 2021; Delbrouck et al., Findings of EMNLP 2022; radgraph",
    "case",
)

OBSERVED_AGREEMENT = MetricFacts(
    "observed agreement", "cases in which both sides have the condition or both do not", "Cohen 1960", "case"
)
KAPPA = MetricFacts(
    "Cohen's kappa",
    "agreement beyond what the two sides' own frequencies would give by chance; falls where a condition is rare",
    "Cohen, Educ Psychol Meas 1960; its paradox: Feinstein and Cicchetti, J Clin Epidemiol 1990",
    "case",
    lowest=-1.0,
)
AC1 = MetricFacts(
    "Gwet's AC1",
    "agreement beyond chance, with a chance that hardly depends on how rare the condition is",
    "Gwet, Br J Math Stat Psychol 2008",
    "case",
    lowest=-1.0,
)
PABAK = MetricFacts(
    "PABAK",
    "kappa adjusted for prevalence and bias: twice the observed agreement less 1",
    "Byrt, Bishop and Carlin, J Clin Epidemiol 1993",
    "case",
    lowest=-1.0,
)
AGREED = MetricFacts(
    "agreed", "statements of which both sides say the same, of all that either makes", "this project", "statement"
)
CONTRADICTED = MetricFacts(
    "contradicted",
    "statements of which the sides say the opposite, of all that either makes",
    "this project",
    "statement",
    higher_is_better=False,
)
ONLY_STUDENT = MetricFacts(
    "only student",
    "statements that the student alone makes, of all that either makes",
    "this project",
    "statement",
    higher_is_better=False,
)
ONLY_TEACHER = MetricFacts(
    "only teacher",
    "statements that the teacher alone makes, of all that either makes",
    "this project",
    "statement",
    higher_is_better=False,
)

LABEL_METRICS = (TEXT_PRECISION, TEXT_RECALL, TEXT_F1, CONTRADICTION_RATE)
TEXT_METRICS = (OPPOSITE_SIDE_RATE, BLEU, ROUGE_L, METEOR, SEMANTIC_SIMILARITY, RADGRAPH_F1)
AGREEMENT_METRICS = (OBSERVED_AGREEMENT, KAPPA, AC1, PABAK, AGREED, CONTRADICTED, ONLY_STUDENT, ONLY_TEACHER)
