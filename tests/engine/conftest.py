"""A student with random weights that writes without end, and pictures for it to look at."""

from __future__ import annotations

import pytest
from PIL import Image

from kdistill_core.imaging.display import default_window, render
from kdistill_core.phantom import simulate
from kdistill_core.student.tiny import tiny_student


@pytest.fixture(scope="session")
def student_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "chatterbox"
    model, processor = tiny_student()
    model.generation_config.do_sample = True
    model.generation_config.suppress_tokens = [0, 1, 2]  # begin, end, padding
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def image_file(tmp_path_factory):
    """A simulated frontal chest radiograph in portrait format, as a picture file."""
    path = tmp_path_factory.mktemp("images") / "chest.png"
    phantom = simulate(seed=1, rows=320, columns=260).radiograph
    Image.fromarray(render(phantom, default_window(phantom))).save(path)
    return path
