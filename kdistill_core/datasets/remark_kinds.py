"""What readers note of files that do not fit together: a stable kind and its sentence, the same for every data set.

Each is the kind and the text of :meth:`kdistill_core.datasets.contract.Ledger.note`; the case is the id of the image,
the study or the patient that the sentence speaks of.
"""

from __future__ import annotations

MISSING_IMAGE = ("missing image", "The tables name this image, but its file is not there.")
UNLISTED_IMAGE = ("unlisted image", "This image file is there, but no table names it; it is not used.")
UNLISTED_FOLDER = ("unlisted folder", "This folder of images is there, but no table names it; it is not used.")
EMPTY_VIEW_POSITION = ("empty view position", "The tables do not say which view this image is.")

MISSING_REPORT = ("missing report", "There is no report of this study.")
EMPTY_REPORT = ("empty report", "The report of this study holds no text.")
UNREADABLE_REPORT = ("unreadable report", "The file of this study's report is there, but cannot be opened.")
REPORT_NOT_UTF8 = (
    "report not UTF-8",
    "The report of this study is not UTF-8; its text was read with a replacement character for each unreadable byte.",
)

NO_LABELS = ("no labels", "The label table does not name this study; nothing is known of its conditions.")
BLANK_LABELS = ("all-blank labels", "The label table leaves all 14 conditions of this study blank.")
UNKNOWN_STUDY = ("labels of an unknown study", "The label table names this study, and no other table does.")
LABELS_DISAGREE = ("labels disagree", "The images of this study carry different labels; those of the first count.")

NO_SPLIT = ("no split", "The split table does not name this image.")
UNKNOWN_IMAGE = ("split of an unknown image", "The split table names this image, and no other table does.")
STUDY_IN_TWO_SPLITS = (
    "study in two splits",
    "The images of this study are of different splits; the whole study counts as held out, test before validation.",
)
PATIENT_IN_TWO_SPLITS = ("patient in two splits", "Studies of this patient are of different splits.")

BOX_OUTSIDE = ("box outside the image", "A box on this image reaches beyond its edge; it is kept as it is.")
