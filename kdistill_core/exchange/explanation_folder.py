"""An explanation as a folder: the record, one picture and one page.

The patient stays out of all three unless the caller says otherwise; of the path the image was read from only the
file's own name is kept, because folders are often named after patients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

from kdistill_core.exchange.errors import ExchangeError
from kdistill_core.exchange.pictures import png
from kdistill_core.imaging.identification import patient_line
from kdistill_core.records import Explanation, ImageSource, Radiograph, SaliencyMap
from kdistill_core.serialization import from_json, to_json

RECORD_NAME = "explanation.json"
PICTURE_NAME = "side-by-side.png"
PAGE_NAME = "report.html"
PATIENT_NAME = "patient.json"


class Identity(Enum):
    """Whether an export names the patient."""

    WITHHELD = "withheld"
    SHOWN = "shown"


def write(
    explanation: Explanation,
    radiograph: Radiograph,
    maps: Sequence[SaliencyMap],
    out_dir: Path | str,
    *,
    identity: Identity = Identity.WITHHELD,
) -> Path:
    """Write explanation.json, side-by-side.png and report.html into ``out_dir`` and return it.

    maps: overlays in the geometry of ``radiograph``; the first is the one the picture shows. The folder is created
    where there is none, files of these names in it are replaced. With ``Identity.SHOWN`` the picture and the page
    name patient and date, patient.json holds them, and the record keeps full path and study UID. Raises ExchangeError.
    """
    from kdistill_core.exchange.report_page import render_page
    from kdistill_core.exchange.side_by_side import draw

    for saliency_map in maps:
        if saliency_map.values.shape != radiograph.pixels.shape:
            raise ExchangeError(
                f"An overlay of {saliency_map.values.shape} does not fit an image of {radiograph.pixels.shape}.",
                "Overlays have to be in the geometry of the original image.",
            )
    line = ""
    if identity is Identity.SHOWN:
        line = patient_line(radiograph)
    else:
        explanation = _withheld(explanation)
    picture = png(draw(explanation, radiograph, maps, line))
    page = render_page(explanation, radiograph, maps, line)
    folder = Path(out_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RECORD_NAME).write_bytes(to_json(explanation))
        (folder / PICTURE_NAME).write_bytes(picture)
        (folder / PAGE_NAME).write_text(page, encoding="utf-8")
        if identity is Identity.SHOWN:
            (folder / PATIENT_NAME).write_bytes(to_json(radiograph.patient))
        else:
            # An earlier export into the same folder may have named the patient.
            (folder / PATIENT_NAME).unlink(missing_ok=True)
    except OSError as error:
        raise ExchangeError(
            f"The explanation could not be written to {folder}: {error.strerror}.",
            "Choose a folder that you may write to, on a disk with room.",
        ) from error
    return folder


def read(folder: Path | str) -> Explanation:
    """Return the explanation that a folder written by :func:`write` holds. Raises ExchangeError, RecordError."""
    path = Path(folder) / RECORD_NAME
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ExchangeError(
            f"{path} cannot be read: {error.strerror}.", "Choose a folder of an explanation."
        ) from error
    return from_json(text, Explanation)


def _withheld(explanation: Explanation) -> Explanation:
    """Keep of the path the file's own name, and put a UID in place of the study's.

    A study's UID leads back to the patient and may hold the date. Its replacement is the same for all images of a
    study, as DICOM PS3.15 annex E asks for (action U).
    """
    image = explanation.image
    bare = ImageSource(Path(image.source.path).name, image.source.frame)
    study_uid = f"2.25.{uuid5(NAMESPACE_OID, image.study_uid).int}" if image.study_uid else ""
    return replace(explanation, image=replace(image, source=bare, study_uid=study_uid))
