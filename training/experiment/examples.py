"""The training cases of an arm as the trainer draws them; a rationale's version changes with every pass."""

from __future__ import annotations

from torch.utils.data import Dataset

from kdistill_core.distillation.batches import Example, case_key
from training.experiment.cases import ExperimentCases
from training.experiment.targets import ArmTargets


class ArmExamples(Dataset[Example]):
    """One version of one case an item: item ``version * cases + case``.

    A pass of the trainer goes over all of them, each once, in random order. Every arm counts as many versions, though
    of a report there is but one, so that all arms of a seed see the same images in the same order.
    """

    def __init__(self, cases: ExperimentCases, targets: ArmTargets, versions: int = 3) -> None:
        self._cases = cases
        self._targets = targets
        self._versions = versions

    def __len__(self) -> int:
        return self._versions * len(self._cases)

    def __getitem__(self, index: int) -> Example:
        turn, case = divmod(index, len(self._cases))
        told, soft = self._targets.teacher, self._targets.soft_labels
        version = turn % len(told.texts[case])
        return Example(
            pixels=self._cases.pixels[case],
            labels=self._targets.labels[case],
            text=told.texts[case][version],
            states=told.states[case],
            embedding=told.embeddings[case],
            group=int(told.groups[case]),
            soft_labels=None if soft is None else soft[case],
            finding_set=None if told.finding_sets is None else told.finding_sets[case],
            condition_embeddings=told.condition_embeddings_of(case),
            tokens=None if told.tokens is None else told.tokens[case][version],
            concepts=None if self._targets.attributes is None else self._targets.attributes[case],
            key=case_key(self._cases.ids[case]),
        )
