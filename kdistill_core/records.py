"""The records that travel through the house: studies in, explanations out.

Plain frozen dataclasses without behavior beyond small look-ups; :mod:`kdistill_core.serialization` turns each into
JSON and back without loss. Coordinates are always those of the original image: x to the right in columns,
y downwards in rows, the center of the first pixel at (0, 0).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from kdistill_core.conditions import Condition, State


class Side(StrEnum):
    """A side of the patient, never of the picture."""

    LEFT = "left"
    RIGHT = "right"
    BILATERAL = "bilateral"


class Severity(StrEnum):
    """How much of a finding there is, in the words of reports."""

    SMALL = "small"
    MODERATE = "moderate"
    LARGE = "large"


class SpacingSource(StrEnum):
    """Where a pixel spacing comes from, which decides what a length may be called."""

    CALIBRATED = "calibrated"  # PixelSpacing: "mm"
    DETECTOR = "detector"  # ImagerPixelSpacing: "mm (detector)"
    NONE = "none"  # unknown: "px"


class VoiFunction(StrEnum):
    """VOI LUT functions of DICOM PS3.3 C.11.2.1.3."""

    LINEAR = "LINEAR"
    LINEAR_EXACT = "LINEAR_EXACT"
    SIGMOID = "SIGMOID"


@dataclass(frozen=True)
class Spacing:
    """Distance between neighboring pixel centers in mm; None where the file does not say."""

    row_mm: float | None = None
    column_mm: float | None = None
    source: SpacingSource = SpacingSource.NONE


@dataclass(frozen=True)
class Window:
    """A VOI window in modality units; ``width`` is positive.

    voi_lut: index into the radiograph's ``voi_luts`` of the curve to lay over the window in place of ``function``.
    """

    center: float
    width: float
    name: str = ""
    function: VoiFunction = VoiFunction.LINEAR
    voi_lut: int | None = None


@dataclass(frozen=True, eq=False)
class VoiLut:
    """A VOI LUT sequence item: modality value ``first_mapped`` + i maps to ``values[i]``.

    values: uint16 [entries], of ``bits`` significant bits.
    """

    first_mapped: int
    values: NDArray[np.uint16]
    bits: int
    name: str = ""


@dataclass(frozen=True)
class Patient:
    """The patient module, as the file gives it. Never logged."""

    id: str = ""
    name: str = ""
    sex: str = ""
    birth_date: str = ""  # YYYYMMDD
    age: str = ""  # DICOM age string, e.g. 057Y


@dataclass(frozen=True)
class ImageSource:
    """The place a radiograph was read from: a file and the frame in it (0 for the first)."""

    path: str
    frame: int = 0


@dataclass(frozen=True, eq=False)
class Radiograph:
    """One frame of one image, with everything needed to show it rightly.

    pixels: float32 [rows, columns], modality units (after rescale or modality LUT, before VOI), patient's right on
        the left of a frontal view as stored.
    padding: bool [rows, columns] or None; True where the detector saw nothing (PixelPaddingValue).
    inverted: True when low values are to be shown bright (MONOCHROME1 or presentation LUT INVERSE, resolved once).
    """

    pixels: NDArray[np.float32]
    source: ImageSource
    sha256: str  # of the file's bytes
    inverted: bool = False
    padding: NDArray[np.bool_] | None = None
    windows: tuple[Window, ...] = ()
    voi_luts: tuple[VoiLut, ...] = ()
    spacing: Spacing = field(default_factory=Spacing)
    bits_stored: int = 8
    modality: str = ""  # DICOM (0008,0060), empty for files that carry none
    body_part: str = ""
    view_position: str = ""  # PA, AP, LL, ...
    laterality: str = ""
    patient_orientation: tuple[str, str] | None = None  # direction of rows, of columns, e.g. ("L", "F")
    patient: Patient = field(default_factory=Patient)
    study_uid: str = ""
    series_uid: str = ""
    instance_uid: str = ""
    study_date: str = ""  # YYYYMMDD
    study_description: str = ""
    series_description: str = ""
    manufacturer: str = ""
    frames: int = 1
    burned_in_annotation: bool | None = None

    @property
    def rows(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def columns(self) -> int:
        return int(self.pixels.shape[1])


@dataclass(frozen=True)
class Report:
    """A radiologist's report; sections keyed by name: findings, impression, comparison, indication, and others."""

    text: str
    sections: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Span:
    """Half-open character range [start, end) of a text."""

    start: int
    end: int


@dataclass(frozen=True)
class Finding:
    """A condition, what is said of it, and how sure.

    probability: calibrated probability in [0, 1] that the condition is present, None where nobody estimated it.
    threshold: the probability from which on the state is positive.
    evidence: spans of the report or rationale the state was read from.
    """

    condition: Condition
    state: State
    probability: float | None = None
    threshold: float | None = None
    side: Side | None = None
    severity: Severity | None = None
    place: str = ""
    evidence: tuple[Span, ...] = ()

    @property
    def implied(self) -> bool:
        """Present only because a more specific finding implies it: its own probability is under its threshold."""
        estimated = self.probability is not None and self.threshold is not None
        return self.state is State.POSITIVE and estimated and self.probability < self.threshold  # type: ignore[operator]


@dataclass(frozen=True)
class Box:
    """A rectangle in coordinates of the original image: its upper left corner, its width and height, in pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class RunLengthMask:
    """A binary mask as in COCO: run lengths in column-major order, the first of zeros. size: (rows, columns)."""

    size: tuple[int, int]
    runs: tuple[int, ...]


@dataclass(frozen=True)
class Region:
    """Where a reader marked something on an image, as a box or as a mask.

    label: the data set's own word. condition: its counterpart among the 14, None where it has none. text: the phrase
    of the report that the region belongs to. reader: who marked it, where the data set says so.
    """

    label: str
    condition: Condition | None = None
    box: Box | None = None
    mask: RunLengthMask | None = None
    text: str = ""
    reader: str = ""


@dataclass(frozen=True)
class StudyImage:
    """One image of a study on disk; :func:`kdistill_core.imaging.read_radiograph` reads its ``source``.

    view_position: as the data set gives it, such as PA, AP, LATERAL; empty where it is unknown. rows, columns: of the
    original image, None where the data set does not say.
    """

    id: str
    source: ImageSource
    view_position: str = ""
    rows: int | None = None
    columns: int | None = None
    regions: tuple[Region, ...] = ()


@dataclass(frozen=True)
class Study:
    """What was acquired of one patient on one occasion, with its report and labels where there are any.

    findings: the 14 in the order of ``CONDITIONS``, empty where the data set has no labels for the study. split:
    ``train``, ``validation``, ``test``, or empty where the data set has none.
    """

    id: str
    patient: Patient = field(default_factory=Patient)
    images: tuple[StudyImage, ...] = ()
    report: Report | None = None
    findings: tuple[Finding, ...] = ()
    date: str = ""
    split: str = ""


class SentenceRole(StrEnum):
    """The part a sentence plays in a rationale."""

    ASSERTION = "assertion"
    DEFINITION = "definition"
    SIGN = "sign"
    ARGUMENT = "argument"
    AGAINST = "against"
    SETTLES = "settles"
    OTHER = "other"


class ReviewStatus(StrEnum):
    """What a clinician has decided about a text of the rationale library."""

    UNREVIEWED = "unreviewed"
    ACCEPTED = "accepted"
    EDITED = "edited"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Review:
    """Where a text of the teacher stands with clinicians; ``reviewer`` and ``date`` (YYYY-MM-DD): of the decision."""

    status: ReviewStatus = ReviewStatus.UNREVIEWED
    reviewer: str = ""
    date: str = ""


@dataclass(frozen=True)
class Sentence:
    """A sentence of a rationale: what it speaks of, the part it plays, and whether a clinician has read it.

    review: None where there is nothing to review: the student's words, and what only names a finding.
    """

    span: Span
    condition: Condition | None = None
    state: State = State.BLANK
    role: SentenceRole = SentenceRole.OTHER
    author: RationaleAuthor | None = None  # where it may differ from the rationale's, as in a composed one
    review: Review | None = None


@dataclass(frozen=True)
class Token:
    """A token as the model wrote it; ``span`` covers its characters, surrounding blanks excluded."""

    span: Span
    id: int
    log_probability: float | None = None


@dataclass(frozen=True)
class Provenance:
    """Where a result comes from, enough to make it again."""

    model_name: str = ""
    model_version: str = ""
    weights_sha256: str = ""
    preprocessing_sha256: str = ""
    prompt: str = ""
    seed: int | None = None
    software_version: str = ""
    created: str = ""  # ISO 8601, UTC
    device: str = ""
    precision: str = ""


class RationaleAuthor(StrEnum):
    """Who wrote a rationale or one of its sentences."""

    STUDENT = "student"
    TEACHER = "teacher"  # a language model, now
    LIBRARY = "library"  # a language model, earlier: taken from the rationale library
    KNOWLEDGE = "knowledge"  # the project's own knowledge base; no language model's text passed the gate


@dataclass(frozen=True)
class Rationale:
    """A written explanation with character spans per sentence and per token.

    Teacher rationales carry no tokens unless the language model wrote them in this session.
    """

    text: str
    author: RationaleAuthor
    sentences: tuple[Sentence, ...] = ()
    tokens: tuple[Token, ...] = ()
    provenance: Provenance = field(default_factory=Provenance)
    complete: bool = True  # False when it was canceled or ran into the length limit


class Verdict(StrEnum):
    """How a sentence of one explanation stands to the other explanation."""

    AGREED = "agreed"
    CONTRADICTED = "contradicted"
    ONLY_TEACHER = "only teacher"
    ONLY_STUDENT = "only student"


@dataclass(frozen=True)
class Match:
    """A pair of sentences, by index; None where the other side says nothing of it."""

    verdict: Verdict
    condition: Condition | None
    student_sentence: int | None
    teacher_sentence: int | None
    similarity: float | None = None  # in [0, 1]


@dataclass(frozen=True)
class Comparison:
    """Student's and teacher's rationale of one case, sentence by sentence."""

    matches: tuple[Match, ...] = ()
    method: str = ""


@dataclass(frozen=True)
class ImageSummary:
    """What an explanation keeps of its radiograph: identity and geometry, no pixels and no patient."""

    source: ImageSource
    sha256: str
    rows: int
    columns: int
    spacing: Spacing
    modality: str = ""
    view_position: str = ""
    study_uid: str = ""


@dataclass(frozen=True)
class Explanation:
    """What student and teacher say of one radiograph; findings in the order of ``CONDITIONS``."""

    image: ImageSummary
    findings: tuple[Finding, ...]
    student: Rationale
    teacher: Rationale
    comparison: Comparison
    provenance: Provenance
    notice: str = "Research software, not a medical device. Not for diagnosis."
    warnings: tuple[str, ...] = ()


class TargetKind(StrEnum):
    """What a saliency map can explain."""

    CONDITION = "condition"
    SENTENCE = "sentence"
    WORD = "word"


@dataclass(frozen=True)
class SaliencyTarget:
    """What a saliency map explains: a condition, or a span of the student's rationale."""

    kind: TargetKind
    condition: Condition | None = None
    span: Span | None = None


@dataclass(frozen=True, eq=False)
class SaliencyMap:
    """How much each pixel of the original image counted for ``target``.

    values: float32 [rows, columns] of the original image, in [0, 1]; 1 is the map's own maximum.
    peak: (x, y) of the maximum in original image coordinates; (-1, -1) for a map of zeros.
    note: what has to be said of the map in plain words, such as that nothing spoke for the target.
    """

    values: NDArray[np.float32]
    target: SaliencyTarget
    method: str
    peak: tuple[float, float]
    provenance: Provenance = field(default_factory=Provenance)
    note: str = ""
