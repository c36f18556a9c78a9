"""What the phantom's authors write: one bank of wordings, each with what it says of the conditions.

Slots: {side} right, left or bilateral; {zone} upper, mid, lower; {size} a word for the severity; {device} a device.
"""

from __future__ import annotations

from dataclasses import dataclass

from kdistill_core.conditions import Condition, State

_C, _P, _N, _U = Condition, State.POSITIVE, State.NEGATIVE, State.UNCERTAIN


@dataclass(frozen=True)
class Phrase:
    """A sentence with slots and the state of every condition that it speaks of."""

    text: str
    says: dict[Condition, State]


def _all(condition: Condition, state: State, *texts: str) -> list[Phrase]:
    return [Phrase(text, {condition: state}) for text in texts]


POSITIVE: dict[Condition, list[Phrase]] = {
    _C.ENLARGED_CARDIOMEDIASTINUM: _all(
        _C.ENLARGED_CARDIOMEDIASTINUM, _P,
        "The mediastinum is widened.", "There is {size} widening of the superior mediastinum.",
        "The cardiomediastinal silhouette is enlarged.", "Widened mediastinal contour.",
    ),
    _C.CARDIOMEGALY: _all(
        _C.CARDIOMEGALY, _P,
        "There is {size} cardiomegaly.", "The heart is {size}ly enlarged.", "Heart size is enlarged.",
        "Cardiomegaly, {size}.", "The cardiac silhouette is {size}ly enlarged.", "{size} enlargement of the heart.",
    ),
    _C.LUNG_OPACITY: _all(
        _C.LUNG_OPACITY, _P,
        "There is a hazy opacity in the {side} {zone} lung.", "{side} {zone} lung opacity.",
        "Ill-defined opacity projects over the {side} {zone} zone.",
        "Patchy {side} {zone} zone opacity is present.",
    ),
    _C.LUNG_LESION: _all(
        _C.LUNG_LESION, _P,
        "There is a {nodule} in the {side} {zone} lung.", "{side} {zone} lung {nodule}.",
        "A rounded {nodule} projects over the {side} {zone} zone.",
        "A {nodule} is seen in the {side} {zone} lung, further evaluation with CT is recommended.",
    ),
    _C.EDEMA: _all(
        _C.EDEMA, _P,
        "There is {size} pulmonary edema.", "{size} interstitial pulmonary edema.",
        "Findings are consistent with {size} pulmonary edema.",
        "Perihilar haziness and septal lines, compatible with {size} pulmonary edema.",
    ),
    _C.CONSOLIDATION: _all(
        _C.CONSOLIDATION, _P,
        "There is consolidation in the {side} {zone} lung.", "{side} {zone} zone consolidation.",
        "Dense {side} {zone} lung consolidation with air bronchograms.",
        "Airspace consolidation is present in the {side} {zone} zone.",
    ),
    _C.PNEUMONIA: [
        *_all(
            _C.PNEUMONIA, _P,
            "Findings are consistent with {side} {zone} lung pneumonia.", "{side} {zone} zone pneumonia.",
            "There is pneumonia in the {side} {zone} lung.",
        ),
        Phrase("{side} {zone} lung opacity, consistent with pneumonia.", {_C.PNEUMONIA: _P, _C.LUNG_OPACITY: _P}),
        Phrase("{side} {zone} lung consolidation, compatible with pneumonia.",
               {_C.PNEUMONIA: _P, _C.CONSOLIDATION: _P}),
    ],
    _C.ATELECTASIS: _all(
        _C.ATELECTASIS, _P,
        "There is {side} {lobe} atelectasis.", "{side} {lobe} atelectasis with volume loss.",
        "Atelectasis at the {side} {lobe}.", "Subsegmental {side} {lobe} atelectasis is noted.",
    ),
    _C.PNEUMOTHORAX: _all(
        _C.PNEUMOTHORAX, _P,
        "There is a {size} {side} pneumothorax.", "{size} {side} apical pneumothorax.",
        "A {size} {side} pneumothorax is present.", "{side} pneumothorax, {size}.",
    ),
    _C.PLEURAL_EFFUSION: _all(
        _C.PLEURAL_EFFUSION, _P,
        "There is a {size} {side} pleural effusion.", "{size} {side} pleural effusion.",
        "{side} pleural effusion, {size}, is present.",
        "Blunting of the {side} costophrenic angle is consistent with a {size} pleural effusion.",
    ),
    _C.PLEURAL_OTHER: _all(
        _C.PLEURAL_OTHER, _P,
        "There is {side} pleural thickening.", "{side} {pleura} is seen.", "{size} {side} pleural thickening.",
    ),
    _C.FRACTURE: _all(
        _C.FRACTURE, _P,
        "There are displaced {side} rib fractures.", "{side} rib fracture.",
        "Acute {side} {ribs} fracture is noted.",
    ),
    _C.SUPPORT_DEVICES: _all(
        _C.SUPPORT_DEVICES, _P, "{device} in place.", "{device} is in satisfactory position.", "{device} is noted.",
    ),
}  # fmt: skip

UNCERTAIN: dict[Condition, list[Phrase]] = {
    _C.ENLARGED_CARDIOMEDIASTINUM: _all(
        _C.ENLARGED_CARDIOMEDIASTINUM, _U, "The mediastinum may be widened.",
        "Apparent widening of the mediastinum, possibly due to technique.",
    ),
    _C.CARDIOMEGALY: _all(
        _C.CARDIOMEGALY, _U, "Possible cardiomegaly.", "The heart may be mildly enlarged.",
        "Cardiomegaly cannot be excluded.",
    ),
    _C.LUNG_OPACITY: _all(
        _C.LUNG_OPACITY, _U, "Possible {side} {zone} lung opacity.", "Questionable opacity in the {side} {zone} zone.",
    ),
    _C.LUNG_LESION: _all(
        _C.LUNG_LESION, _U, "Possible {nodule} in the {side} {zone} lung.",
        "A {side} {zone} lung {nodule} cannot be excluded.",
    ),
    _C.EDEMA: _all(_C.EDEMA, _U, "Possible {size} pulmonary edema.", "Pulmonary edema cannot be excluded."),
    _C.CONSOLIDATION: _all(
        _C.CONSOLIDATION, _U, "Possible {side} {zone} lung consolidation.",
        "Findings may represent consolidation in the {side} {zone} lung.",
    ),
    _C.PNEUMONIA: [
        *_all(_C.PNEUMONIA, _U, "Possible {side} {zone} lung pneumonia.", "Pneumonia cannot be excluded."),
        Phrase("{side} {zone} lung opacity may represent pneumonia.", {_C.LUNG_OPACITY: _P, _C.PNEUMONIA: _U}),
    ],
    _C.ATELECTASIS: [
        *_all(_C.ATELECTASIS, _U, "Possible {side} {lobe} atelectasis.", "Probable {side} {lobe} atelectasis."),
        Phrase("{side} {lobe} opacity may represent atelectasis.", {_C.LUNG_OPACITY: _P, _C.ATELECTASIS: _U}),
    ],
    _C.PNEUMOTHORAX: _all(
        _C.PNEUMOTHORAX, _U, "Possible {size} {side} pneumothorax.", "A {side} pneumothorax cannot be excluded.",
    ),
    _C.PLEURAL_EFFUSION: _all(
        _C.PLEURAL_EFFUSION, _U, "Possible {size} {side} pleural effusion.",
        "A {size} {side} pleural effusion cannot be excluded.",
    ),
    _C.PLEURAL_OTHER: _all(_C.PLEURAL_OTHER, _U, "Possible {side} pleural thickening."),
    _C.FRACTURE: _all(
        _C.FRACTURE, _U, "Possible {side} rib fracture.", "A {side} rib fracture cannot be excluded.",
    ),
    _C.SUPPORT_DEVICES: _all(_C.SUPPORT_DEVICES, _P, "{device} is partly seen."),
}  # fmt: skip

NEGATIVE: list[Phrase] = [
    Phrase("No pneumothorax.", {_C.PNEUMOTHORAX: _N}),
    Phrase("There is no pneumothorax.", {_C.PNEUMOTHORAX: _N}),
    Phrase("No pleural effusion.", {_C.PLEURAL_EFFUSION: _N}),
    Phrase("There is no pleural effusion.", {_C.PLEURAL_EFFUSION: _N}),
    Phrase("No pleural effusion or pneumothorax.", {_C.PLEURAL_EFFUSION: _N, _C.PNEUMOTHORAX: _N}),
    Phrase("There is no focal consolidation, pleural effusion or pneumothorax.",
           {_C.CONSOLIDATION: _N, _C.PLEURAL_EFFUSION: _N, _C.PNEUMOTHORAX: _N}),
    Phrase("No focal consolidation.", {_C.CONSOLIDATION: _N}),
    Phrase("The heart size is normal.", {_C.CARDIOMEGALY: _N}),
    Phrase("Heart size within normal limits.", {_C.CARDIOMEGALY: _N}),
    Phrase("The cardiomediastinal silhouette is normal.", {_C.ENLARGED_CARDIOMEDIASTINUM: _N}),
    Phrase("Mediastinal contours are unremarkable.", {_C.ENLARGED_CARDIOMEDIASTINUM: _N}),
    Phrase("No pulmonary edema.", {_C.EDEMA: _N}),
    Phrase("There is no evidence of pulmonary edema.", {_C.EDEMA: _N}),
    Phrase("No evidence of pneumonia.", {_C.PNEUMONIA: _N}),
    Phrase("No acute fracture.", {_C.FRACTURE: _N}),
    Phrase("No pulmonary nodule or mass.", {_C.LUNG_LESION: _N}),
    Phrase("No atelectasis.", {_C.ATELECTASIS: _N}),
    Phrase("No pleural thickening.", {_C.PLEURAL_OTHER: _N}),
]  # fmt: skip
# Statements that presuppose the absence of several conditions; written only when all of them are absent.
CLEAR_LUNGS: dict[Condition, State] = {_C.LUNG_OPACITY: _N}
CLEAR = [Phrase("The lungs are clear.", CLEAR_LUNGS), Phrase("Lungs are clear.", CLEAR_LUNGS)]
RESOLVED: list[Phrase] = [
    Phrase("The previously seen pleural effusion has resolved.", {_C.PLEURAL_EFFUSION: _N}),
    Phrase("The pneumothorax seen on the prior study is no longer visible.", {_C.PNEUMOTHORAX: _N}),
    Phrase("Interval resolution of pulmonary edema.", {_C.EDEMA: _N}),
    Phrase("Previously described pneumonia has resolved.", {_C.PNEUMONIA: _N}),
    Phrase("The previously noted atelectasis has cleared.", {_C.ATELECTASIS: _N}),
]
OVERCALLS: list[tuple[Condition, Phrase]] = [
    (_C.ATELECTASIS, Phrase("Superimposed pneumonia cannot be excluded.", {_C.PNEUMONIA: _U})),
    (_C.PLEURAL_EFFUSION, Phrase("Adjacent atelectasis is possible.", {_C.ATELECTASIS: _U})),
    (_C.LUNG_OPACITY, Phrase("This may represent pneumonia in the appropriate clinical setting.", {_C.PNEUMONIA: _U})),
    (_C.CARDIOMEGALY, Phrase("Mild pulmonary edema is possible.", {_C.EDEMA: _U})),
]
IRRELEVANT = (
    "Degenerative changes of the thoracic spine are noted.", "The aorta is tortuous.", "Low lung volumes.",
    "Comparison is limited by differences in technique.", "No free air under the diaphragm.",
    "The patient is rotated.", "Visualized upper abdomen is unremarkable.",
    "Atherosclerotic calcification of the aorta.",
    "Overlying soft tissues limit evaluation of the bases.", "Mild dextroscoliosis.",
)  # fmt: skip
INDICATIONS = (
    "Shortness of breath.", "Chest pain.", "Cough and fever.", "Evaluate for pneumonia.", "Preoperative evaluation.",
    "Status post line placement, rule out pneumothorax.", "Fall.", "Follow-up.", "Hypoxia.", "Routine examination.",
    "History of heart failure, evaluate for edema.", "Weight loss, smoker.",
)  # fmt: skip
COMPARISONS = (
    "None.",
    "Chest radiograph of the previous day.",
    "Prior study is not available.",
    "Multiple prior studies.",
)
NORMAL_IMPRESSIONS = (
    "No acute cardiopulmonary process.", "No acute cardiopulmonary abnormality.", "Normal chest radiograph.",
    "No acute disease.",
)  # fmt: skip
