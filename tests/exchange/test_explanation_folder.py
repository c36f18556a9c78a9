"""The folder that holds an explanation: complete, self-contained, without the patient."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import UID

from kdistill_core.conditions import CONDITIONS
from kdistill_core.exchange.errors import ExchangeError
from kdistill_core.exchange.explanation_folder import Identity, read, write
from kdistill_core.records import Patient, Sentence, Span
from kdistill_core.serialization import RecordError

SECRETS = ("Doe", "Jane", "DOE_JANE", "MRN-4711", "19500102", "1950-01-02", "20260102", "2026-01-02")


class Page(HTMLParser):
    """What a browser would find in the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def pixels_of(folder) -> np.ndarray:
    """Return the picture in a folder, uint8 [rows, columns, 3]."""
    with Image.open(folder / "side-by-side.png") as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.fixture(scope="module")
def folder(explanation, radiograph, maps, tmp_path_factory):
    """A folder that the tests of this file only look at."""
    return write(explanation, radiograph, maps, tmp_path_factory.mktemp("explanation") / "out")


def test_the_three_files_are_there_and_nothing_else(folder):
    assert sorted(path.name for path in folder.iterdir()) == ["explanation.json", "report.html", "side-by-side.png"]


def test_the_record_comes_back_but_for_what_leads_to_the_patient(folder, explanation):
    image = replace(
        explanation.image,
        source=replace(explanation.image.source, path="effusion.dcm"),
        study_uid=read(folder).image.study_uid,
    )
    assert read(folder) == replace(explanation, image=image)


def test_the_studys_uid_is_replaced_by_one_that_all_its_images_share(folder, explanation, radiograph, maps, tmp_path):
    replaced = read(folder).image.study_uid
    assert UID(replaced).is_valid
    assert explanation.image.study_uid not in replaced
    sibling = replace(explanation, image=replace(explanation.image, sha256="1" * 64))
    assert read(write(sibling, radiograph, maps, tmp_path / "sibling")).image.study_uid == replaced
    stranger = replace(explanation, image=replace(explanation.image, study_uid="2.25.99"))
    assert read(write(stranger, radiograph, maps, tmp_path / "stranger")).image.study_uid != replaced


def test_the_record_holds_what_the_manual_says(folder):
    record = json.loads((folder / "explanation.json").read_text())
    assert [finding["condition"] for finding in record["findings"]] == [condition.value for condition in CONDITIONS]
    assert {"condition", "state", "probability"} <= record["findings"][0].keys()
    assert record["image"]["study_uid"].startswith("2.25.")
    for author in ("student", "teacher"):
        text = record[author]["text"]
        spans = [sentence["span"] for sentence in record[author]["sentences"]]
        assert all(text[span["start"] : span["end"]].endswith(".") for span in spans)
    token = record["student"]["tokens"][4]["span"]
    assert record["student"]["text"][token["start"] : token["end"]] == "pleural"
    assert len(record["provenance"]["weights_sha256"]) == 64
    assert record["comparison"]["matches"][2]["verdict"] == "contradicted"
    assert "not a medical device" in record["notice"]


def test_no_text_names_the_patient_or_a_date(folder):
    for name in ("explanation.json", "report.html"):
        # Compressed pixels may spell anything by chance.
        text = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "", (folder / name).read_text())
        assert not [secret for secret in SECRETS if secret in text]
    with Image.open(folder / "side-by-side.png") as picture:
        assert not picture.info


def test_the_picture_is_the_same_whoever_the_patient_is(folder, explanation, radiograph, maps, tmp_path):
    other = replace(radiograph, patient=Patient(id="other", name="Somebody^Else"), study_date="19991231")
    again = write(explanation, other, maps, tmp_path)
    assert np.array_equal(pixels_of(again), pixels_of(folder))
    assert (again / "report.html").read_bytes() == (folder / "report.html").read_bytes()


def test_the_patient_is_named_where_that_was_asked_for(explanation, radiograph, maps, tmp_path):
    folder = write(explanation, radiograph, maps, tmp_path, identity=Identity.SHOWN)
    assert "Doe, Jane · ID MRN-4711 · born 1950-01-02 · study of 2026-01-02" in (folder / "report.html").read_text()
    assert json.loads((folder / "patient.json").read_text())["id"] == "MRN-4711"
    assert read(folder).image.source.path == "/data/DOE_JANE/effusion.dcm"
    assert read(folder).image.study_uid == explanation.image.study_uid


def test_a_later_export_without_the_patient_removes_what_named_it(explanation, radiograph, maps, tmp_path):
    write(explanation, radiograph, maps, tmp_path, identity=Identity.SHOWN)
    write(explanation, radiograph, maps, tmp_path)
    assert not (tmp_path / "patient.json").exists()


def test_the_page_needs_nothing_from_anywhere(folder):
    text = (folder / "report.html").read_text()
    for _, attributes in Page(text).tags:
        for name in ("src", "href", "action", "data"):
            assert (attributes.get(name) or "data:").startswith("data:")
    without_data = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "", text)
    assert not re.search(r"https?://|url\(|@import", without_data)


def test_the_page_says_everything_that_both_wrote_and_the_notice(folder, explanation):
    words = Page((folder / "report.html").read_text()).words
    for rationale in (explanation.student, explanation.teacher):
        for sentence in rationale.sentences:
            assert rationale.text[sentence.span.start : sentence.span.end] in words
    assert explanation.notice in words
    assert "b" * 64 in words


def test_markup_in_a_rationale_is_shown_and_not_obeyed(explanation, radiograph, tmp_path):
    words = '<img src="http://evil.example/x" onerror="alert(1)"> & {{ 7 * 7 }}'
    student = replace(explanation.student, text=words, sentences=(Sentence(Span(0, len(words))),), tokens=())
    page = Page((write(replace(explanation, student=student), radiograph, (), tmp_path) / "report.html").read_text())
    assert words in page.words
    assert not any("onerror" in attributes for _, attributes in page.tags)


def test_every_picture_in_the_page_has_words_for_those_who_do_not_see_it(folder):
    images = [attributes for tag, attributes in Page((folder / "report.html").read_text()).tags if tag == "img"]
    assert len(images) == 5
    assert all("alt" in attributes for attributes in images)


def test_the_pages_image_is_the_displayed_radiograph(folder, radiograph):
    images = [attributes for tag, attributes in Page((folder / "report.html").read_text()).tags if tag == "img"]
    data = base64.b64decode(images[0]["src"].partition(",")[2])
    picture = np.asarray(Image.open(io.BytesIO(data)))
    assert picture.shape == radiograph.pixels.shape
    # Brighter where the values are higher, as the file is not inverted.
    assert np.corrcoef(picture.ravel(), radiograph.pixels.ravel())[0, 1] > 0.99


def test_the_overlay_lies_where_the_map_is_strongest(folder, maps):
    overlays = [a for tag, a in Page((folder / "report.html").read_text()).tags if tag == "img" and "class" in a]
    for attributes, saliency_map in zip(overlays, maps, strict=True):
        data = base64.b64decode(attributes["src"].partition(",")[2])
        alpha = np.asarray(Image.open(io.BytesIO(data)))[..., 3].astype(float)
        rows, columns = np.nonzero(alpha == alpha.max())
        x, y = saliency_map.peak
        assert abs(columns.mean() - x) <= 1
        assert abs(rows.mean() - y) <= 1


def test_the_picture_grows_with_the_text(folder, explanation, radiograph, maps, tmp_path):
    short = pixels_of(folder).shape
    text = "A sentence that says something of the left lower zone. " * 120
    long = replace(explanation, teacher=replace(explanation.teacher, text=text, sentences=()))
    tall = pixels_of(write(long, radiograph, maps, tmp_path / "long")).shape
    assert short[1] == tall[1] == 1920
    assert short[0] < 1300
    assert tall[0] > short[0] + 500


@pytest.mark.parametrize("word", ["x" * 900, "wide " * 400, "\n\n"])
def test_nothing_is_drawn_into_the_margins(explanation, radiograph, maps, tmp_path, word):
    student = replace(explanation.student, text=word, sentences=(), tokens=())
    warned = replace(explanation, student=student, warnings=(word,))
    picture = pixels_of(write(warned, radiograph, maps, tmp_path))
    body, ground = picture[50:], np.array([0x10, 0x14, 0x18])
    assert (body[:, :28] == ground).all()
    assert (body[:, -28:] == ground).all()
    assert (body[-20:] == ground).all()


def test_the_notice_is_burnt_into_the_picture(folder):
    band = pixels_of(folder)[:44].astype(int)
    assert (band[0] == [0xF2, 0xB8, 0x4B]).all()
    dark = (band.sum(axis=2) < 150).mean()
    assert 0.005 < dark < 0.2  # letters


def test_the_pictures_image_is_not_mirrored(folder):
    # The dark spot of the radiograph lies at (170, 220) of 240 x 300, and the image is drawn 496 x 620 at (32, 190).
    lower = pixels_of(folder)[190 + 300 : 190 + 620, 32 : 32 + 496].sum(axis=2, dtype=int)
    row, column = np.unravel_index(np.argmin(lower), lower.shape)
    assert column / 496 == pytest.approx(170 / 240, abs=0.02)
    assert (row + 300) / 620 == pytest.approx(220 / 300, abs=0.02)


def test_an_explanation_without_overlays_is_written_too(explanation, radiograph, tmp_path):
    folder = write(explanation, radiograph, (), tmp_path)
    assert "No overlay was computed" in (folder / "report.html").read_text()


def test_a_map_of_another_geometry_is_refused(explanation, radiograph, maps, tmp_path):
    turned = replace(maps[0], values=maps[0].values.T)
    with pytest.raises(ExchangeError, match="does not fit"):
        write(explanation, radiograph, (turned,), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_named(explanation, radiograph, maps, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ExchangeError, match="file"):
        write(explanation, radiograph, maps, tmp_path / "file" / "out")


def test_reading_a_folder_without_explanation_says_so(tmp_path):
    with pytest.raises(ExchangeError, match="cannot be read"):
        read(tmp_path)
    (tmp_path / "explanation.json").write_text("{}")
    with pytest.raises(RecordError, match="Explanation"):
        read(tmp_path)
