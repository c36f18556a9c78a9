"""Every kind of bad file, read by the real readers: its own message in the window, and the window goes on."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from kdistill_viewer.main_window import MainWindow
from kdistill_viewer.qt_post import QtPost
from kdistill_viewer.settings import Settings, SettingsFile
from kdistill_viewer.state.app_state import AppState, Services, real_services
from kdistill_viewer.state.engine_link import ModelChoice

SLOW_MS = 30_000


@pytest.fixture
def window(qtbot, engines, tmp_path):
    engines.answers = False
    real = real_services()
    post = QtPost()
    state = AppState(Services(engines.start, real.read, real.find_images), post, ModelChoice())
    window = MainWindow(state, Settings(), SettingsFile(tmp_path / "settings" / "viewer.json"))
    post.setParent(window)
    window.show()
    qtbot.waitUntil(lambda: window.complete)
    yield window
    window.close()
    window.deleteLater()
    qtbot.wait(1)


def ct():
    return pydicom.dcmread(get_testdata_file("CT_small.dcm", download=False))


def truncated(folder):
    data = Path(get_testdata_file("CT_small.dcm", download=False)).read_bytes()
    (folder / "short.dcm").write_bytes(data[:-9000])
    return folder / "short.dcm"


def wrong_length(folder):
    image = ct()
    image.PixelData = image.PixelData[:1000]
    image.save_as(folder / "length.dcm")
    return folder / "length.dcm"


def without(*names):
    def make(folder):
        image = ct()
        for name in names:
            delattr(image, name)
        image.save_as(folder / "missing.dcm")
        return folder / "missing.dcm"

    return make


def one_pixel(folder):
    Image.fromarray(np.zeros((1, 1), np.uint8)).save(folder / "dot.png")
    return folder / "dot.png"


def bomb(folder):
    image = ct()
    image.Rows = image.Columns = 20_000
    image.PixelData = bytes(10)
    image.save_as(folder / "bomb.dcm")
    return folder / "bomb.dcm"


def renamed_zip(folder):
    with zipfile.ZipFile(folder / "zip.dcm", "w") as archive:
        archive.writestr("a.txt", "text")
    return folder / "zip.dcm"


def waveform(folder):
    return Path(get_testdata_file("waveform_ecg.dcm", download=False))


def empty_folder(folder):
    (folder / "nothing").mkdir()
    return folder / "nothing"


def absent(folder):
    return folder / "absent.dcm"


KINDS = {
    "truncated": truncated,
    "wrong length": wrong_length,
    "no rows": without("Rows"),
    "no photometric interpretation": without("PhotometricInterpretation"),
    "one pixel": one_pixel,
    "bomb": bomb,
    "zip": renamed_zip,
    "ECG": waveform,
    "empty folder": empty_folder,
    "absent": absent,
}


@pytest.fixture(scope="module")
def messages():
    return {}


@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_file_gets_its_own_message(qtbot, window, tmp_path, messages, kind):
    window.open_paths([KINDS[kind](tmp_path)])
    qtbot.waitUntil(window.messages.isVisible, timeout=SLOW_MS)
    text = window.messages.text()
    assert len(text) > 20
    assert "Traceback" not in text
    assert "unexpected" not in text
    assert text not in messages.values()
    messages[kind] = text.replace(str(tmp_path), "")
    assert window.canvas.radiograph() is None


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may open every folder")
def test_a_closed_folder_is_told(qtbot, window, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    window.open_paths([closed])
    qtbot.waitUntil(window.messages.isVisible, timeout=SLOW_MS)
    assert "may not be opened" in window.messages.text()
    closed.chmod(0o700)


def test_good_files_of_a_folder_are_shown_and_its_bad_ones_listed(qtbot, window, tmp_path):
    ct().save_as(tmp_path / "good.dcm")
    for kind in ("bomb", "zip", "one pixel"):
        KINDS[kind](tmp_path)
    window.open_paths([tmp_path])
    qtbot.waitUntil(lambda: window.canvas.radiograph() is not None, timeout=SLOW_MS)
    qtbot.waitUntil(lambda: window.studies.skipped_list.count() >= 1, timeout=SLOW_MS)
    names = {Path(item.path).name for item in window.state.studies.skipped}
    assert "zip.dcm" in names
    assert window.studies.skipped_button.text() == f"Could not be read ({len(names)})"
