"""The 14 conditions of CheXpert and CheXbert, their states, and every source's spelling of them.

Every public data set orders the conditions differently, so labels are mapped by name, never by position.
The order of :class:`Condition` is the order of CheXbert's heads (Smit et al., EMNLP 2020).
"""

from __future__ import annotations

from enum import StrEnum


class Condition(StrEnum):
    """A condition a frontal chest radiograph is labeled for; the value is its CheXpert name."""

    ENLARGED_CARDIOMEDIASTINUM = "Enlarged Cardiomediastinum"
    CARDIOMEGALY = "Cardiomegaly"
    LUNG_OPACITY = "Lung Opacity"
    LUNG_LESION = "Lung Lesion"
    EDEMA = "Edema"
    CONSOLIDATION = "Consolidation"
    PNEUMONIA = "Pneumonia"
    ATELECTASIS = "Atelectasis"
    PNEUMOTHORAX = "Pneumothorax"
    PLEURAL_EFFUSION = "Pleural Effusion"
    PLEURAL_OTHER = "Pleural Other"
    FRACTURE = "Fracture"
    SUPPORT_DEVICES = "Support Devices"
    NO_FINDING = "No Finding"


class State(StrEnum):
    """What is said of a condition. ``BLANK`` (not mentioned) and ``UNCERTAIN`` are never merged here."""

    BLANK = "blank"
    POSITIVE = "positive"
    NEGATIVE = "negative"
    UNCERTAIN = "uncertain"


class Source(StrEnum):
    """A data set or tool whose spelling of the conditions is known."""

    CHEXPERT = "chexpert"
    CHEXLOCALIZE = "chexlocalize"
    NIH = "nih"
    PADCHEST = "padchest"
    VINDR = "vindr"
    MS_CXR = "ms-cxr"
    TORCHXRAYVISION = "torchxrayvision"


CONDITIONS: tuple[Condition, ...] = tuple(Condition)
FINDING_CONDITIONS: tuple[Condition, ...] = tuple(c for c in Condition if c is not Condition.NO_FINDING)
FIVE_CONDITIONS: tuple[Condition, ...] = (
    Condition.CARDIOMEGALY,
    Condition.EDEMA,
    Condition.CONSOLIDATION,
    Condition.ATELECTASIS,
    Condition.PLEURAL_EFFUSION,
)

# The code of a state in CheXpert-style tables; a blank is an empty cell there.
STATE_CODES: dict[State, float | None] = {
    State.BLANK: None,
    State.POSITIVE: 1.0,
    State.NEGATIVE: 0.0,
    State.UNCERTAIN: -1.0,
}
# CheXbert's class index per head (its 14th head, No Finding, has the first two only).
CHEXBERT_CLASSES: tuple[State, ...] = (State.BLANK, State.POSITIVE, State.NEGATIVE, State.UNCERTAIN)

_CHEXPERT = {condition.value: condition for condition in Condition}

_SPELLINGS: dict[Source, dict[str, Condition]] = {
    Source.CHEXPERT: _CHEXPERT,
    Source.CHEXLOCALIZE: {
        "Airspace Opacity": Condition.LUNG_OPACITY,  # in its files; its paper says Lung Opacity
        **{
            name: condition
            for name, condition in _CHEXPERT.items()
            if condition
            in {
                Condition.ENLARGED_CARDIOMEDIASTINUM,
                Condition.CARDIOMEGALY,
                Condition.LUNG_LESION,
                Condition.LUNG_OPACITY,
                Condition.EDEMA,
                Condition.CONSOLIDATION,
                Condition.ATELECTASIS,
                Condition.PNEUMOTHORAX,
                Condition.PLEURAL_EFFUSION,
                Condition.SUPPORT_DEVICES,
            }
        },
    },
    # Infiltration is the nearest to Lung Opacity; Emphysema, Fibrosis and Hernia have no counterpart.
    Source.NIH: {
        "Atelectasis": Condition.ATELECTASIS,
        "Cardiomegaly": Condition.CARDIOMEGALY,
        "Consolidation": Condition.CONSOLIDATION,
        "Edema": Condition.EDEMA,
        "Effusion": Condition.PLEURAL_EFFUSION,
        "Infiltrate": Condition.LUNG_OPACITY,
        "Infiltration": Condition.LUNG_OPACITY,
        "Mass": Condition.LUNG_LESION,
        "Nodule": Condition.LUNG_LESION,
        "Pleural_Thickening": Condition.PLEURAL_OTHER,
        "Pneumonia": Condition.PNEUMONIA,
        "Pneumothorax": Condition.PNEUMOTHORAX,
        "No Finding": Condition.NO_FINDING,
    },
    Source.PADCHEST: {
        "alveolar pattern": Condition.LUNG_OPACITY,
        "interstitial pattern": Condition.LUNG_OPACITY,
        "reticular interstitial pattern": Condition.LUNG_OPACITY,
        "reticulonodular interstitial pattern": Condition.LUNG_OPACITY,
        "ground glass pattern": Condition.LUNG_OPACITY,
        "increased density": Condition.LUNG_OPACITY,
        "infiltrates": Condition.LUNG_OPACITY,
        "miliary opacities": Condition.LUNG_OPACITY,
        "atelectasis": Condition.ATELECTASIS,
        "atelectasis basal": Condition.ATELECTASIS,
        "laminar atelectasis": Condition.ATELECTASIS,
        "round atelectasis": Condition.ATELECTASIS,
        "segmental atelectasis": Condition.ATELECTASIS,
        "lobar atelectasis": Condition.ATELECTASIS,
        "total atelectasis": Condition.ATELECTASIS,
        "cardiomegaly": Condition.CARDIOMEGALY,
        "mediastinal enlargement": Condition.ENLARGED_CARDIOMEDIASTINUM,
        "superior mediastinal enlargement": Condition.ENLARGED_CARDIOMEDIASTINUM,
        "consolidation": Condition.CONSOLIDATION,
        "pulmonary edema": Condition.EDEMA,
        "pneumonia": Condition.PNEUMONIA,
        "atypical pneumonia": Condition.PNEUMONIA,
        "pneumothorax": Condition.PNEUMOTHORAX,
        "hydropneumothorax": Condition.PNEUMOTHORAX,
        "pleural effusion": Condition.PLEURAL_EFFUSION,
        "loculated pleural effusion": Condition.PLEURAL_EFFUSION,
        "loculated fissural effusion": Condition.PLEURAL_EFFUSION,
        "pleural thickening": Condition.PLEURAL_OTHER,
        "apical pleural thickening": Condition.PLEURAL_OTHER,
        "calcified pleural thickening": Condition.PLEURAL_OTHER,
        "pleural plaques": Condition.PLEURAL_OTHER,
        "calcified pleural plaques": Condition.PLEURAL_OTHER,
        "nodule": Condition.LUNG_LESION,
        "multiple nodules": Condition.LUNG_LESION,
        "mass": Condition.LUNG_LESION,
        "pulmonary mass": Condition.LUNG_LESION,
        "lung metastasis": Condition.LUNG_LESION,
        "lepidic adenocarcinoma": Condition.LUNG_LESION,
        "fracture": Condition.FRACTURE,
        "rib fracture": Condition.FRACTURE,
        "callus rib fracture": Condition.FRACTURE,
        "clavicle fracture": Condition.FRACTURE,
        "vertebral fracture": Condition.FRACTURE,
        "humeral fracture": Condition.FRACTURE,
        "electrical device": Condition.SUPPORT_DEVICES,
        "pacemaker": Condition.SUPPORT_DEVICES,
        "dai": Condition.SUPPORT_DEVICES,  # implantable defibrillator
        "dual chamber device": Condition.SUPPORT_DEVICES,
        "single chamber device": Condition.SUPPORT_DEVICES,
        "artificial heart valve": Condition.SUPPORT_DEVICES,
        "artificial aortic heart valve": Condition.SUPPORT_DEVICES,
        "artificial mitral heart valve": Condition.SUPPORT_DEVICES,
        "catheter": Condition.SUPPORT_DEVICES,
        "reservoir central venous catheter": Condition.SUPPORT_DEVICES,
        "central venous catheter": Condition.SUPPORT_DEVICES,
        "central venous catheter via umbilical vein": Condition.SUPPORT_DEVICES,
        "central venous catheter via jugular vein": Condition.SUPPORT_DEVICES,
        "central venous catheter via subclavian vein": Condition.SUPPORT_DEVICES,
        "endotracheal tube": Condition.SUPPORT_DEVICES,
        "tracheostomy tube": Condition.SUPPORT_DEVICES,
        "chest drain tube": Condition.SUPPORT_DEVICES,
        "NSG tube": Condition.SUPPORT_DEVICES,
        "gastrostomy tube": Condition.SUPPORT_DEVICES,
        "nephrostomy tube": Condition.SUPPORT_DEVICES,
        "ventriculoperitoneal drain tube": Condition.SUPPORT_DEVICES,
        "normal": Condition.NO_FINDING,
    },
    Source.VINDR: {
        "Atelectasis": Condition.ATELECTASIS,
        "Cardiomegaly": Condition.CARDIOMEGALY,
        "Consolidation": Condition.CONSOLIDATION,
        "Edema": Condition.EDEMA,
        "Infiltration": Condition.LUNG_OPACITY,
        "Lung Opacity": Condition.LUNG_OPACITY,
        "Nodule/Mass": Condition.LUNG_LESION,
        "Lung tumor": Condition.LUNG_LESION,
        "Pleural effusion": Condition.PLEURAL_EFFUSION,
        "Pleural thickening": Condition.PLEURAL_OTHER,
        "Pneumonia": Condition.PNEUMONIA,
        "Pneumothorax": Condition.PNEUMOTHORAX,
        "Rib fracture": Condition.FRACTURE,
        "Clavicle fracture": Condition.FRACTURE,
        "No finding": Condition.NO_FINDING,
    },
    Source.MS_CXR: {
        name: condition
        for name, condition in _CHEXPERT.items()
        if condition
        in {
            Condition.ATELECTASIS,
            Condition.CARDIOMEGALY,
            Condition.CONSOLIDATION,
            Condition.EDEMA,
            Condition.LUNG_OPACITY,
            Condition.PLEURAL_EFFUSION,
            Condition.PNEUMONIA,
            Condition.PNEUMOTHORAX,
        }
    },
    Source.TORCHXRAYVISION: {
        "Atelectasis": Condition.ATELECTASIS,
        "Cardiomegaly": Condition.CARDIOMEGALY,
        "Consolidation": Condition.CONSOLIDATION,
        "Edema": Condition.EDEMA,
        "Effusion": Condition.PLEURAL_EFFUSION,
        "Enlarged Cardiomediastinum": Condition.ENLARGED_CARDIOMEDIASTINUM,
        "Fracture": Condition.FRACTURE,
        "Infiltration": Condition.LUNG_OPACITY,
        "Lung Lesion": Condition.LUNG_LESION,
        "Lung Opacity": Condition.LUNG_OPACITY,
        "Mass": Condition.LUNG_LESION,
        "Nodule": Condition.LUNG_LESION,
        "Pleural_Thickening": Condition.PLEURAL_OTHER,
        "Pneumonia": Condition.PNEUMONIA,
        "Pneumothorax": Condition.PNEUMOTHORAX,
    },
}


def spellings(source: Source) -> dict[str, Condition]:
    """Return every name that ``source`` uses for one of our conditions."""
    return dict(_SPELLINGS[source])


def condition_named(name: str, source: Source = Source.CHEXPERT) -> Condition | None:
    """Return the condition that ``source`` spells ``name`` (case and ``_`` do not matter), or None.

    None means that the source's label has no counterpart among the 14, not that it is unknown.
    """
    return _FOLDED[source].get(_fold(name))


def state_of_code(code: float | None) -> State:
    """Return the state behind a CheXpert table cell: 1, 0, -1, or empty (None or NaN).

    Raises ValueError for any other number.
    """
    if code is None or code != code:
        return State.BLANK
    for state, known in STATE_CODES.items():
        if known == code:
            return state
    raise ValueError(f"{code!r} is not a label; a CheXpert cell holds 1, 0, -1 or nothing.")


def _fold(name: str) -> str:
    return name.strip().replace("_", " ").casefold()


_FOLDED = {
    source: {_fold(name): condition for name, condition in known.items()} for source, known in _SPELLINGS.items()
}
