"""How reports name the conditions: for each condition its wordings, and the state a wording carries by itself.

To teach the labeler a wording, add one line to its condition's list and, where the line brings a new word, the word's
stem. The lists follow the mentions of CheXpert's labeler (Irvin et al., AAAI 2019; stanfordmlgroup/chexpert-labeler,
``phrases/``) and were extended on the odd-numbered half of the Open-i reports. Patterns are matched against lower-case
text with single blanks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kdistill_core.conditions import Condition, State


@dataclass(frozen=True)
class Phrase:
    """Wordings that name ``condition`` and, left alone, put it in ``state``.

    stems: a sentence without any of these holds no match, which spares the search.
    """

    condition: Condition
    state: State
    pattern: re.Pattern[str]
    stems: tuple[str, ...]


def _phrase(
    condition: Condition,
    *wordings: str,
    stems: str,
    state: State = State.POSITIVE,
    not_after: tuple[str, ...] = (),
) -> Phrase:
    """Return the phrase of ``wordings``; a word in ``not_after`` right before one of them makes it something else."""
    behind = "".join(rf"(?<!\b{re.escape(word)} )" for word in not_after)
    return Phrase(condition, state, re.compile(rf"\b{behind}(?:{'|'.join(wordings)})"), tuple(stems.split()))


# Parts that several wordings share.
_HEART = (
    r"(?:heart|cardiac)(?: size| silhouettes?| shadow| contours?| border| diameter| and pulmonary vascularity)?|"
    r"cardiothoracic ratio|size of the (?:heart|cardiac silhouette)"
)
_MEDIASTINUM = (
    r"(?:cardio-?\s?mediastin(?:um|al)|cardiac and (?:the )?mediastinal|heart and (?:the )?mediastin(?:um|al)|"
    r"mediastin(?:um|al))(?: silhouettes?| contours?| structures?| borders?| shadow| width| size)?"
)
_HEART_AND_MEDIASTINUM = (
    r"(?:heart|cardiac)(?: size| silhouette| contours?)?,?(?: and|,)(?: the)?(?: \w+)? mediastin\w+|"
    r"cardio-?\s?mediastin\w+"
)
_NORMAL = r"(?:normal(?! variant)|unremarkable|within normal|not enlarged|stable and normal|wnl)"
_LARGE = r"(?:enlarge[dm]\w*|increased in size|large)"
_ANGLE = r"(?:costophrenic|cp) (?:angles?|sulc[iu]s?|recess\w*|xxxx)"
_LIKE_LUNG = r"(?:patchy|streaky|hazy|retrocardiac|basilar|basal|focal|linear|nodular|airspace|pulmonary|parenchymal)"

ENLARGED_CARDIOMEDIASTINUM = (
    _phrase(
        Condition.ENLARGED_CARDIOMEDIASTINUM,
        rf"normal (?:\w+ )?(?:{_MEDIASTINUM})",
        rf"(?:{_HEART_AND_MEDIASTINUM}|{_MEDIASTINUM})[^.;:]{{0,60}}?\b{_NORMAL}",
        r"no (?:\w+ )?mediastinal widening",
        state=State.NEGATIVE,
        stems="mediast",
    ),
    _phrase(
        Condition.ENLARGED_CARDIOMEDIASTINUM,
        rf"(?:wid\w+|enlarge[dm]\w*)(?: of)?(?: the)?(?: \w+)? {_MEDIASTINUM}",
        rf"{_MEDIASTINUM}(?: widening| enlargement|(?:(?! and| with|,)[^.;:]){{0,40}}? (?:widened|wide\b|enlarged|"
        r"prominent))",
        stems="mediast",
    ),
)

CARDIOMEGALY = (
    # Only a borderline size is uncertain in CheXpert; "borderline cardiomegaly" names the condition.
    _phrase(
        Condition.CARDIOMEGALY,
        r"borderline(?: \w+)? (?:heart|cardiac) (?:size|silhouette|contour|shadow)",
        r"borderline(?: \w+)? enlarge\w+ (?:of (?:the )?)?cardiac (?:size|silhouette|contour|shadow)",
        r"borderline(?: in)? size of the heart",
        rf"(?:{_HEART})(?:(?!normal)[^.;:]){{0,40}}? borderline",
        rf"(?:{_HEART})[^.;:]{{0,40}} (?:upper limits?|top|high)(?: of)? normal (?:or|to) (?:\w+ )?enlarged",
        # Radiologists call prominent what they would not call enlarged.
        rf"prominent (?:{_HEART})",
        rf"(?:{_HEART})(?:(?!mediast|\bwith\b|, )[^.;:]){{0,40}}? prominent",
        state=State.UNCERTAIN,
        stems="heart cardi",
    ),
    _phrase(
        Condition.CARDIOMEGALY,
        rf"normal (?:in size )?(?:{_HEART})",
        r"normal-sized heart",
        rf"(?:{_HEART})(?:(?! {_LARGE})[^.;:]){{0,60}}?\b{_NORMAL}",
        state=State.NEGATIVE,
        stems="heart cardi",
    ),
    _phrase(
        Condition.CARDIOMEGALY,
        r"cardiomegaly",
        r"cardiac enlargement",
        rf"{_LARGE}(?: of)?(?: the)? (?:{_HEART})",
        rf"(?:{_HEART})(?:(?!mediast|\bwith\b|, )[^.;:]){{0,40}}? (?:enlarged|enlargement|large\b)",
        stems="heart cardi",
    ),
)

LUNG_OPACITY = (
    _phrase(
        Condition.LUNG_OPACITY,
        r"lung(?: field)?s? (?:(?:is|are|remains?|appears?|fields?|bases?|bilaterally|otherwise|both|grossly|"
        r"now) ){0,4}"
        r"(?:clear\b|well[- ]aerated and clear)",
        r"clear lungs",
        r"lungs(?: are| appear)? (?:\w+ )?normal",
        state=State.NEGATIVE,
        stems="lung",
    ),
    _phrase(
        Condition.LUNG_OPACITY,
        r"opaci\w+",
        r"infiltrat\w+",
        r"air-?\s?space (?:disease|process|opaci\w+|densit\w+|change)",
        r"(?:interstitial|reticular|lung|bronchovascular) (?:markings?|prominence|pattern|disease|changes?|thickening|"
        r"process)",
        r"reticul(?:ar|ation|onodular)\w*",
        rf"(?:{_LIKE_LUNG}|lobe|lung) (?:\w+ )?(?:densit\w+|haziness)",
        r"ground-?\s?glass",
        r"(?:parenchymal|pulmonary|basilar|apical|lung) scarring",
        stems="opac infiltr space interstit retic lung bronchov dens haz glass scar",
    ),
)

LUNG_LESION = (
    _phrase(
        Condition.LUNG_LESION,
        r"lesions?\b",
        stems="lesion",
        not_after=("bone", "bony", "osseous", "lytic", "sclerotic", "blastic", "skin"),
    ),
    _phrase(
        Condition.LUNG_LESION,
        r"nodul\w+",
        r"mass(?:es)?\b(?! effect| index)",
        r"metasta\w+",
        r"neoplas\w+",
        r"malignan\w+",
        r"carcinoma",
        r"(?:lung|pulmonary) (?:cancer|tumou?r)",
        stems="nodul mass metast neopl malig carcin cancer tumo",
    ),
)

EDEMA = (
    # Congestion comes before edema: CheXpert counts it as uncertain edema.
    _phrase(
        Condition.EDEMA,
        r"(?:pulmonary |central )?(?:vascular|venous|pulmonary) (?:congestion|prominence|indistinctness)",
        r"congestive changes?",
        state=State.UNCERTAIN,
        stems="congest prominence indistinct",
    ),
    _phrase(
        Condition.EDEMA,
        r"edema",
        r"(?:congestive )?heart failure",
        r"congestive failure",
        r"chf\b",
        r"kerley",
        stems="edema failure chf kerley",
        not_after=("subcutaneous", "tissue"),
    ),
)

CONSOLIDATION = (_phrase(Condition.CONSOLIDATION, r"consolidat\w+", stems="consolid"),)

PNEUMONIA = (
    _phrase(
        Condition.PNEUMONIA,
        r"(?:broncho)?pneumoni(?:a|as|ae|c)\b",
        r"infection\b",
        r"infectious",
        r"superinfection",
        stems="pneumoni infect",
        not_after=("granulomatous", "prior", "previous", "remote", "old", "past"),
    ),
    # MeSH files pneumonitis under Pneumonia (D011014), but for these, which are not infections.
    _phrase(
        Condition.PNEUMONIA,
        r"pneumonitis",
        stems="pneumonitis",
        not_after=("radiation", "hypersensitivity", "chemical", "interstitial", "organizing", "lupus"),
    ),
)

ATELECTASIS = (
    _phrase(
        Condition.ATELECTASIS,
        r"atelecta\w+",
        r"(?:lobar|lobe|lung|segmental|subsegmental|alveolar|pulmonary) collapse",
        r"collapse of (?:the )?(?:[\w-]+ ){0,4}(?:lobes?|lungs?)",
        r"collapsed (?:\w+ )?(?:lobe|lung)",
        stems="atelect collaps",
    ),
)

PNEUMOTHORAX = (_phrase(Condition.PNEUMOTHORAX, r"(?:hydro|hemo)?-?pneumo-?thora\w+", r"ptx\b", stems="pneumo ptx"),)

PLEURAL_EFFUSION = (
    _phrase(
        Condition.PLEURAL_EFFUSION,
        rf"{_ANGLE} (?:(?:is|are|remain|appear) )?(?:\w+ )?(?:sharp|clear|well[- ]defined)",
        rf"sharp {_ANGLE}",
        r"(?<!no )(?<!or )pleural spaces? (?:are|is|appear) (?:clear|normal)",
        state=State.NEGATIVE,
        stems="costoph cp pleural",
    ),
    # Blunting may be a scar: uncertain, as in CheXpert.
    _phrase(
        Condition.PLEURAL_EFFUSION,
        r"blunt\w*(?: of)?(?: the| both)?(?: (?:left|right|bilateral|lateral|posterior|minimal))*(?: \w+)? " + _ANGLE,
        rf"{_ANGLE}(?: \w+){{0,3}} blunt\w+",
        state=State.UNCERTAIN,
        stems="blunt",
    ),
    _phrase(
        Condition.PLEURAL_EFFUSION,
        r"effusions?",
        r"pleural (?:\w+ )?fluid",
        r"pleural fusions?",  # how speech recognition hears it
        r"hydro-?(?:pneumo-?)?thorax",
        r"hemo-?(?:pneumo-?)?thorax",
        r"loculated fluid",
        r"empyema",
        stems="effus fluid fusion thorax empy",
        not_after=("pericardial", "joint"),
    ),
)

PLEURAL_OTHER = (
    _phrase(
        Condition.PLEURAL_OTHER,
        r"pleural thickening or plaque",
        r"(?:pleural|pleuro)(?:[- ]\w+)? (?:thickening|plaques?|scar\w*|calcification\w*|reaction|mass\w*|"
        r"based mass\w*|disease|tumou?rs?)",
        r"pleural-?based \w+",
        r"thickening (?:of|in|along) the (?:\w+ ){0,2}(?:pleura|fissures?)",
        r"fissural thickening",
        r"fibrothorax",
        r"apical (?:pleural )?cap\w*",
        r"biapical (?:pleural )?thickening",
        stems="pleur fissur fibrothorax apical",
    ),
)

FRACTURE = (_phrase(Condition.FRACTURE, r"fractur\w+", stems="fract"),)

SUPPORT_DEVICES = (
    _phrase(
        Condition.SUPPORT_DEVICES,
        # lines
        r"catheters?",
        r"picc",
        r"(?:central|venous|arterial|dialysis|jugular|ij|subclavian)(?: venous)? lines?",
        r"lines and tubes",
        r"porta?-?a?-?caths?",
        r"medi-?ports?",
        r"(?:infusion|chest|venous) ports?",
        r"swan-?\s?ganz",
        r"balloon pump",
        # tubes and drains
        r"(?:et|ng|og|endotracheal|nasogastric|orogastric|enteric|feeding|chest|thoracostomy|gastric|tracheostomy|"
        r"drainage|pleural|nasoenteric|intercostal) (?:feeding )?tubes?",
        r"tubes\b",
        r"ett",
        r"ngt",
        r"tracheostomy",
        r"dob-?hoff",
        r"drains?\b",
        r"pigtail",
        # pacemakers and stimulators
        r"pace-?makers?",
        r"pacers?",
        r"aicd",
        r"icds?",
        r"defibrillators?",
        r"(?:pacer|pacing|pacemaker|ventricular|atrial|icd|dual) leads?",
        r"(?:support|monitoring|cardiac|implanted|medical|stimulator|assist|pacing) devices?",
        r"vagal nerve stimulator",
        r"stimulator",
        r"generator",
        # hardware and prostheses
        r"(?:surgical|orthopedic|spinal|fixation|fusion|metallic) hardware",
        r"hardware",
        r"(?:prosthetic|mechanical|artificial|replacement|aortic|mitral) valves?(?: replacement| prosthesis)?",
        r"valve replacement",
        r"prosthes[ei]s",
        r"stents?",
        r"arthroplasty",
        stems="cathet picc line port swan balloon tube ett ngt trach hoff drain pigtail pace aicd icd defib lead "
        "device stimul generator hardware valve prosthes stent arthropl cath",
    ),
)

NO_FINDING = (
    _phrase(
        Condition.NO_FINDING,
        r"no (?:acute |significant |active |other )*(?:\w+ ){0,3}(?:abnormalit(?:y|ies)|findings?|process|disease)",
        r"normal (?:\w+ )?(?:chest|radiographs?|examination|study|exam)\b",
        r"(?:chest|examination|study) is normal",
        stems="abnormal finding process disease normal",
    ),
)

# Within a condition, the first phrase that matches at a place wins: those with a state of their own come first.
PHRASES: tuple[Phrase, ...] = (
    *ENLARGED_CARDIOMEDIASTINUM,
    *CARDIOMEGALY,
    *LUNG_OPACITY,
    *LUNG_LESION,
    *EDEMA,
    *CONSOLIDATION,
    *PNEUMONIA,
    *ATELECTASIS,
    *PNEUMOTHORAX,
    *PLEURAL_EFFUSION,
    *PLEURAL_OTHER,
    *FRACTURE,
    *SUPPORT_DEVICES,
    *NO_FINDING,
)
