"""Codes of languages: MEDLINE writes ISO 639-2, JATS and most others ISO 639-1."""

from __future__ import annotations

# The languages of PubMed Central that are not rare.
_MEDLINE_CODES = {
    "en": "eng", "de": "ger", "fr": "fre", "es": "spa", "pt": "por", "it": "ita", "ru": "rus", "zh": "chi", "ja": "jpn",
    "ko": "kor", "pl": "pol", "nl": "dut", "tr": "tur", "cs": "cze", "hu": "hun", "uk": "ukr", "fa": "per", "ar": "ara",
}  # fmt: skip


def medline_code(code: str) -> str:
    """Return MEDLINE's code of a language given as ``en``, ``en-US`` or ``eng``; others come back in lower case."""
    plain = code.strip().lower()
    return _MEDLINE_CODES.get(plain.replace("_", "-").partition("-")[0], plain)
