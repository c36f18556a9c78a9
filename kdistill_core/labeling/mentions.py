"""How reports name the conditions: one pattern a condition, and the state a wording carries by itself.

The phrases follow CheXpert's published mention lists where these fit (Irvin et al., AAAI 2019) and were extended on
the odd-numbered half of the Open-i reports.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kdistill_core.conditions import Condition, State

_HEART = (
    r"(?:heart|cardiac)(?: size| silhouettes?| shadow| contours?| border| diameter| and pulmonary vascularity)?|"
    r"cardiothoracic ratio|size of the (?:heart|cardiac silhouette)"
)
_MEDIASTINUM = (
    r"(?:cardio-?\s?mediastin(?:um|al)|cardiac and (?:the )?mediastinal|heart and (?:the )?mediastin(?:um|"
    r"al)|mediastin(?:um|al))"
    r"(?: silhouettes?| contours?| structures?| borders?| shadow| width| size)?"
)
_BOTH = (
    r"(?:heart|cardiac)(?: size| silhouette| contours?)?,?(?: and|,)(?: the)?(?: \w+)? mediastin\w+|"
    r"cardio-?\s?mediastin\w+"
)
_GAP = r"(?:[^.;:]{0,60}?)"
_NORMAL = r"(?:normal(?! variant)|unremarkable|within normal|not enlarged|stable and normal|wnl)"
_LARGE = r"(?:enlarge[dm]\w*|prominent|increased in size|large)"


@dataclass(frozen=True)
class Phrase:
    """A wording that names ``condition`` and, left alone, puts it in ``state``."""

    condition: Condition
    state: State
    pattern: re.Pattern[str]


def _phrase(condition: Condition, pattern: str, state: State = State.POSITIVE) -> Phrase:
    return Phrase(condition, state, re.compile(rf"\b(?:{pattern})", re.IGNORECASE))


_LESION_NOT_LUNG = r"(?<!bone )(?<!bony )(?<!osseous )(?<!lytic )(?<!sclerotic )(?<!blastic )(?<!skin )"
_DEVICES = (
    r"catheters?|picc|(?:central|venous|arterial|dialysis|jugular|ij|subclavian)(?: venous)? lines?|lines and tubes|"
    r"(?:et|ng|og|endotracheal|nasogastric|orogastric|enteric|feeding|chest|thoracostomy|gastric|tracheostomy|drainage|"
    r"pleural|nasoenteric|intercostal) (?:feeding )?tubes?|tubes\b|ett|ngt|tracheostomy|dob-?hoff|"
    r"pace-?makers?|pacers?|"
    r"aicd|icds?|defibrillators?|(?:pacer|pacing|pacemaker|ventricular|atrial|icd|dual) leads?|(?:support|monitoring|"
    r"cardiac|implanted|medical|stimulator|assist|pacing) devices?|porta?-?a?-?caths?|medi-?ports?|"
    r"(?:infusion|chest|venous) ports?|"
    r"(?:surgical|orthopedic|spinal|fixation|fusion|metallic) hardware|hardware|(?:prosthetic|mechanical|artificial|"
    r"replacement|aortic|mitral) valves?(?: replacement| prosthesis)?|valve replacement|prosthes[ei]s|"
    r"stents?|drains?\b|"
    r"pigtail|swan-?\s?ganz|balloon pump|vagal nerve stimulator|stimulator|generator|arthroplasty"
)

# Within a condition, the first phrase that matches at a place wins: those with a state of their own come first.
PHRASES: tuple[Phrase, ...] = (
    _phrase(
        Condition.ENLARGED_CARDIOMEDIASTINUM,
        rf"normal (?:\w+ )?(?:{_MEDIASTINUM})|(?:{_BOTH}|{_MEDIASTINUM}){_GAP}\b{_NORMAL}|"
        rf"no (?:\w+ )?mediastinal widening",
        State.NEGATIVE,
    ),
    _phrase(
        Condition.ENLARGED_CARDIOMEDIASTINUM,
        rf"(?:wid\w+|enlarge[dm]\w*)(?: of)?(?: the)?(?: \w+)? {_MEDIASTINUM}|{_MEDIASTINUM}(?: widening| enlargement|"
        rf"(?:(?! and| with|,)[^.;:]){{0,40}}? (?:widened|wide\b|enlarged|prominent))",
    ),
    _phrase(
        Condition.CARDIOMEGALY,
        rf"borderline(?: \w+)? (?:cardiomegaly|cardiac enlargement|heart|enlarge\w+)|"
        rf"(?:{_HEART})(?:(?!normal)[^.;:]){{0,40}}? borderline|"
        rf"(?:{_HEART})[^.;:]{{0,40}} (?:upper limits?|top|high)(?: of)? normal (?:or|to) (?:\w+ )?enlarged",
        State.UNCERTAIN,
    ),
    _phrase(
        Condition.CARDIOMEGALY,
        rf"normal (?:in size )?(?:{_HEART})|normal-sized heart|(?:{_HEART})(?:(?! {_LARGE})[^.;:]){{0,60}}?\b{_NORMAL}",
        State.NEGATIVE,
    ),
    _phrase(
        Condition.CARDIOMEGALY,
        rf"cardiomegaly|cardiac enlargement|{_LARGE}(?: of)?(?: the)? (?:{_HEART})|"
        rf"(?:{_HEART})(?:(?!mediast|\bwith\b|, )[^.;:]){{0,40}}? (?:enlarged|enlargement|large\b|prominent)",
    ),
    _phrase(
        Condition.LUNG_OPACITY,
        r"lung(?: field)?s? (?:(?:is|are|remains?|appears?|fields?|bases?|bilaterally|otherwise|both|"
        r"grossly|now) ){0,4}"
        r"(?:clear\b|well[- ]aerated and clear)|clear lungs|lungs(?: are| appear)? (?:\w+ )?normal",
        State.NEGATIVE,
    ),
    _phrase(
        Condition.LUNG_OPACITY,
        r"opaci\w+|infiltrat\w+|air-?\s?space (?:disease|process|opaci\w+|densit\w+|change)|"
        r"(?:interstitial|reticular|lung|bronchovascular) (?:markings?|prominence|pattern|disease|changes?|"
        r"thickening|process)|"
        r"reticul(?:ar|ation|onodular)\w*|"
        r"(?:patchy|streaky|hazy|retrocardiac|basilar|basal|focal|linear|nodular|airspace|pulmonary|"
        r"parenchymal|lobe|lung) "
        r"(?:\w+ )?(?:densit\w+|haziness)|ground-?\s?glass|(?:parenchymal|pulmonary|basilar|apical|lung) scarring",
    ),
    _phrase(
        Condition.LUNG_LESION,
        rf"nodul\w+|{_LESION_NOT_LUNG}lesions?\b|(?:lung |pulmonary |cavitary )lesions?|"
        rf"mass(?:es)?\b(?! effect| index)|"
        r"metasta\w+|neoplas\w+|malignan\w+|carcinoma|(?:lung|pulmonary) (?:cancer|tumou?r)",
    ),
    _phrase(
        Condition.EDEMA,
        r"(?<!subcutaneous )(?<!tissue )edema|(?:congestive )?heart failure|chf\b|"
        r"(?:pulmonary |central )?(?:vascular|venous|pulmonary) congestion|congestive (?:changes?|failure)|kerley",
    ),
    _phrase(Condition.CONSOLIDATION, r"consolidat\w+"),
    _phrase(
        Condition.PNEUMONIA,
        r"(?:broncho)?pneumoni(?:a|as|ae|c)\b|(?<!granulomatous )infection\b|infectious|superinfection",
    ),
    _phrase(
        Condition.ATELECTASIS,
        r"atelecta\w+|(?:lobar|lobe|lung|segmental|subsegmental|alveolar|pulmonary) collapse|"
        r"collapse of (?:the )?(?:\w+ ){0,3}(?:lobe|lung)|"
        r"collapsed (?:\w+ )?(?:lobe|lung)",
    ),
    _phrase(Condition.PNEUMOTHORAX, r"(?:hydro|hemo)?-?pneumo-?thora\w+|ptx\b"),
    _phrase(
        Condition.PLEURAL_EFFUSION,
        r"(?:costophrenic|cp) (?:angles?|sulc[iu]s?|recess\w*) (?:(?:is|are|remain|"
        r"appear) )?(?:\w+ )?(?:sharp|clear|well[- ]defined)|"
        r"sharp (?:costophrenic|cp) (?:angles?|sulc[iu]s?)|(?<!no )(?<!or )pleural spaces? (?:are|is|"
        r"appear) (?:clear|normal)",
        State.NEGATIVE,
    ),
    _phrase(
        Condition.PLEURAL_EFFUSION,
        r"blunt\w*(?: of)?(?: the| both)?(?: (?:left|right|bilateral|lateral|posterior|minimal))*(?: \w+)? "
        r"(?:costophrenic|cp) (?:angles?|sulc\w+|recess\w*)|"
        r"(?:costophrenic|cp) (?:angles?|sulc\w+|recess\w*)(?: \w+){0,3} blunt\w+",
        State.UNCERTAIN,
    ),
    _phrase(
        Condition.PLEURAL_EFFUSION,
        r"(?<!pericardial )(?<!joint )effusions?|pleural (?:\w+ )?fluid|hydro-?(?:pneumo-?)?thorax|hemo-?thorax|"
        r"loculated fluid|empyema",
    ),
    _phrase(
        Condition.PLEURAL_OTHER,
        r"pleural thickening or plaque|pleural(?:[- ]\w+)? (?:thickening|plaques?|scar\w*|calcification\w*|"
        r"reaction|mass\w*|"
        r"based mass\w*|disease|tumou?rs?)|pleural-?based \w+|thickening of the (?:\w+ )?pleura|fibrothorax|"
        r"apical (?:pleural )?cap\w*|biapical (?:pleural )?(?:thickening|scarring)",
    ),
    _phrase(Condition.FRACTURE, r"fractur\w+"),
    _phrase(Condition.SUPPORT_DEVICES, _DEVICES),
    _phrase(
        Condition.NO_FINDING,
        r"no (?:acute |significant |active |other )*(?:\w+ ){0,3}(?:abnormalit(?:y|ies)|findings?|process|disease)|"
        r"normal (?:\w+ )?(?:chest|radiographs?|examination|study|exam)\b|(?:chest|examination|study) is normal",
    ),
)

# A cheap first look: a sentence without any of these stems names nothing.
ANY_STEM = re.compile(
    r"cardi|heart|mediast|opac|infiltr|space|interstit|retic|dens|haz|glass|scar|lung|nodul|lesion|mass|metast|neopl|"
    r"malig|carcin|cancer|tumo|edema|chf|congest|kerley|consolid|pneumo|infect|atelec|collaps|ptx|costoph|"
    r"cp |effus|fluid|"
    r"thora|empy|pleura|apical|fract|cathet|picc|line|tube|ett|ngt|trach|hoff|pace|icd|defib|lead|devic|"
    r"port|hardw|valve|"
    r"prosth|stent|drain|pigtail|swan|balloon|stimul|generat|arthropl|bronchov|marking|parenchym|normal|"
    r"abnormal|finding|"
    r"process|disease",
    re.IGNORECASE,
)
