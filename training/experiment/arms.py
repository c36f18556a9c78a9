"""The arms of the experiment, as data: where each takes its texts and labels from, and which terms it has."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from training.experiment.errors import ExperimentError


class Texts(StrEnum):
    """What the student learns to write."""

    REPORT = "the report's own sentences, in anatomical order"
    RATIONALE = "the teacher's rationale of what it reads in the report"
    TRUTH = "the teacher's rationale of the truth"


class Labels(StrEnum):
    """What the classifier learns from."""

    NONE = "none"
    READ = "what is read in the report"
    SOFT = "what is read in the report, and soft labels for what it leaves out or open"
    TRUTH = "the truth"


@dataclass(frozen=True)
class Arm:
    """One way to train the student.

    alignment: the explanation is aligned with the rationale. tokens: the teacher's next-token distribution is learned
    as well. may_be_told: whether the text may be told the states of its target in training, which needs a reading.
    """

    name: str
    title: str
    texts: Texts
    labels: Labels
    alignment: bool = False
    tokens: bool = False
    may_be_told: bool = True

    @property
    def has_heads(self) -> bool:
        """Whether the classifier is trained."""
        return self.labels is not Labels.NONE

    @property
    def reads_as_teacher(self) -> bool:
        """Whether it learns what the teacher reads, which is more than a labeler's labels: see ``targets.py``."""
        return self.texts is not Texts.REPORT

    @property
    def learns_from(self) -> str:
        """What its classifier learns from, in words."""
        if not self.reads_as_teacher or self.labels not in (Labels.READ, Labels.SOFT):
            return self.labels.value
        return self.labels.value.replace("in the report", "in the report, with what follows from it")

    @property
    def sees_truth(self) -> bool:
        """Whether the truth of the training cases is among its targets: in the ceiling alone."""
        return self.texts is Texts.TRUTH or self.labels is Labels.TRUTH

    @property
    def heads_name(self) -> str:
        """Name of its first stage, which arms of equal labels and alignment have in common."""
        by_teacher = ", by the teacher" if self.reads_as_teacher else ""
        return f"heads, {self.labels.name.lower()}{by_teacher}{', aligned' if self.alignment else ''}"


_ALL = (
    Arm("a", "end to end", Texts.REPORT, Labels.NONE, may_be_told=False),
    Arm("b", "end to end + classification", Texts.REPORT, Labels.READ),
    Arm("b+", "end to end + classification + soft labels", Texts.REPORT, Labels.SOFT),
    Arm("c", "K-Distill without alignment", Texts.RATIONALE, Labels.READ),
    Arm("d", "K-Distill", Texts.RATIONALE, Labels.READ, alignment=True),
    Arm("d+", "K-Distill + soft labels", Texts.RATIONALE, Labels.SOFT, alignment=True),
    Arm("e", "K-Distill + token-level distillation", Texts.RATIONALE, Labels.READ, alignment=True, tokens=True),
    Arm("f", "ceiling: K-Distill on the truth", Texts.TRUTH, Labels.TRUTH, alignment=True),
)
ARMS: dict[str, Arm] = {arm.name: arm for arm in _ALL}


def arm_named(name: str) -> Arm:
    """Return the arm of that name. Raises ExperimentError."""
    if name not in ARMS:
        raise ExperimentError(f"There is no arm {name!r}.", f"Choose from {', '.join(ARMS)}.")
    return ARMS[name]
