"""One explanation, worked out by hand, in the shapes the engine delivers."""

from __future__ import annotations

import numpy as np
import pytest

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.records import (
    Comparison,
    Explanation,
    Finding,
    ImageSource,
    ImageSummary,
    Match,
    Patient,
    Provenance,
    Radiograph,
    Rationale,
    RationaleAuthor,
    SaliencyMap,
    SaliencyTarget,
    Sentence,
    SentenceRole,
    Spacing,
    SpacingSource,
    Span,
    TargetKind,
    Token,
    Verdict,
)

STUDENT = (
    ("There is a left pleural effusion with a meniscus along the lateral chest wall.", Condition.PLEURAL_EFFUSION, "+"),
    ("The left costophrenic angle is blunted.", Condition.PLEURAL_EFFUSION, "+"),
    ("The heart is not enlarged.", Condition.CARDIOMEGALY, "-"),
    ("A line ends over the superior vena cava.", Condition.SUPPORT_DEVICES, "+"),
)
TEACHER = (
    (
        "Pleural effusion is fluid between the pleural layers; upright, it gathers at the base.",
        Condition.PLEURAL_EFFUSION,
        "+",
    ),
    (
        "A meniscus that rises along the lateral wall & a blunted angle argue for it <strongly>.",
        Condition.PLEURAL_EFFUSION,
        "+",
    ),
    ("The heart is enlarged, at a cost of $5 and $6 in certainty.", Condition.CARDIOMEGALY, "+"),
    ("Elevation of the diaphragm speaks against it.", Condition.PLEURAL_EFFUSION, "+"),
)
STATES = {"+": State.POSITIVE, "-": State.NEGATIVE}


def rationale(rows, author: RationaleAuthor, provenance: Provenance) -> Rationale:
    text, sentences, tokens = "", [], []
    for words, condition, sign in rows:
        start = len(text)
        text += words
        sentences.append(Sentence(Span(start, len(text)), condition, STATES[sign], SentenceRole.ASSERTION))
        if author is RationaleAuthor.STUDENT:
            position = start
            for number, word in enumerate(words.split()):
                at = text.index(word, position)
                tokens.append(Token(Span(at, at + len(word)), number, -0.25))
                position = at + len(word)
        text += " "
    return Rationale(text.rstrip(), author, tuple(sentences), tuple(tokens), provenance)


@pytest.fixture(scope="session")
def radiograph() -> Radiograph:
    rows, columns = 300, 240
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    pixels = 1000 + 4 * y + 300 * np.sin(x / 30) - 900 * np.exp(-((x - 170) ** 2 + (y - 220) ** 2) / 900)
    return Radiograph(
        pixels=pixels.astype(np.float32),
        source=ImageSource("/data/DOE_JANE/effusion.dcm"),
        sha256="a" * 64,
        modality="DX",
        view_position="PA",
        spacing=Spacing(0.4, 0.4, SpacingSource.DETECTOR),
        patient_orientation=("L", "F"),
        patient=Patient(id="MRN-4711", name="Doe^Jane", birth_date="19500102", sex="F"),
        study_date="20260102",
        study_uid="2.25.1234",
    )


@pytest.fixture(scope="session")
def explanation(radiograph) -> Explanation:
    provenance = Provenance(
        "student-demo", "0.1.0", "b" * 64, "c" * 64, "", 7, "0.1.0", "2026-11-23T19:00:00Z", "cpu", "float32"
    )
    findings = tuple(
        Finding(
            condition,
            State.POSITIVE if condition in (Condition.PLEURAL_EFFUSION, Condition.SUPPORT_DEVICES) else State.NEGATIVE,
            probability={Condition.PLEURAL_EFFUSION: 0.91, Condition.SUPPORT_DEVICES: 0.73}.get(condition, index / 50),
            threshold=0.4,
        )
        for index, condition in enumerate(CONDITIONS)
    )
    matches = (
        Match(Verdict.AGREED, Condition.PLEURAL_EFFUSION, 0, 0, 0.8),
        Match(Verdict.AGREED, Condition.PLEURAL_EFFUSION, 1, 1, 0.7),
        Match(Verdict.CONTRADICTED, Condition.CARDIOMEGALY, 2, 2, 0.9),
        Match(Verdict.ONLY_STUDENT, Condition.SUPPORT_DEVICES, 3, None),
        Match(Verdict.ONLY_TEACHER, Condition.PLEURAL_EFFUSION, None, 3),
    )
    image = ImageSummary(
        radiograph.source,
        radiograph.sha256,
        radiograph.rows,
        radiograph.columns,
        radiograph.spacing,
        radiograph.modality,
        radiograph.view_position,
        radiograph.study_uid,
    )
    return Explanation(
        image,
        findings,
        rationale(STUDENT, RationaleAuthor.STUDENT, provenance),
        rationale(TEACHER, RationaleAuthor.LIBRARY, Provenance("SmolLM2-135M-Instruct")),
        Comparison(matches, "sentences matched by condition and meaning"),
        provenance,
    )


@pytest.fixture(scope="session")
def maps(radiograph) -> tuple[SaliencyMap, ...]:
    y, x = np.mgrid[0 : radiograph.rows, 0 : radiograph.columns]
    blob = np.exp(-((x - 170.0) ** 2 + (y - 220.0) ** 2) / 900).astype(np.float32)
    other = np.exp(-((x - 60.0) ** 2 + (y - 80.0) ** 2) / 400).astype(np.float32)
    return (
        SaliencyMap(
            blob,
            SaliencyTarget(TargetKind.CONDITION, Condition.PLEURAL_EFFUSION),
            "attention",
            (170.0, 220.0),
        ),
        SaliencyMap(other, SaliencyTarget(TargetKind.CONDITION, Condition.SUPPORT_DEVICES), "attention", (60.0, 80.0)),
    )
