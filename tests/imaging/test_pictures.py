"""PNG, JPEG and TIFF, written by Pillow and tifffile."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from kdistill_core.imaging import ImagingError, find_images, read_radiograph
from kdistill_core.imaging.display import presets, render
from kdistill_core.records import ImageSource, Spacing

GRAY8 = np.arange(40 * 30, dtype=np.uint16).reshape(40, 30).astype(np.uint8)
GRAY16 = (np.arange(40 * 30) * 50).reshape(40, 30).astype(np.uint16)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("stored", [GRAY8, GRAY16], ids=["8 bits", "16 bits"])
def test_gray_values_come_back(tmp_path, stored, suffix):
    path = tmp_path / f"image.{suffix}"
    Image.fromarray(stored).save(path)
    radiograph = read_radiograph(path)
    np.testing.assert_array_equal(radiograph.pixels, stored)
    assert radiograph.bits_stored == stored.dtype.itemsize * 8
    assert radiograph.spacing == Spacing()
    assert not radiograph.inverted


def test_jpeg_comes_back_about(tmp_path):
    path = tmp_path / "image.jpg"
    row, column = np.mgrid[:64, :64]
    stored = (row + column).astype(np.uint8)
    Image.fromarray(stored).save(path, quality=95)
    np.testing.assert_allclose(read_radiograph(path).pixels, stored, atol=4)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_flavors(tmp_path, byteorder, compression, dtype):
    path = tmp_path / "image.tif"
    stored = GRAY16.astype(dtype)
    if compression == "lzw":
        if byteorder == ">":
            pytest.skip("Pillow writes little-endian LZW only")
        Image.fromarray(stored).save(path, compression="tiff_lzw")
    else:
        tifffile.imwrite(path, stored, byteorder=byteorder, compression=compression)
    np.testing.assert_array_equal(read_radiograph(path).pixels, stored)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_whose_zero_is_white_is_shown_as_one_whose_zero_is_black(tmp_path, dtype):
    top = np.iinfo(dtype).max
    paths = [tmp_path / "black.tif", tmp_path / "white.tif"]
    tifffile.imwrite(paths[0], GRAY16.astype(dtype), photometric="minisblack")
    tifffile.imwrite(paths[1], top - GRAY16.astype(dtype), photometric="miniswhite")
    black, white = (read_radiograph(path) for path in paths)
    np.testing.assert_allclose(render(white, presets(white)[-1]).astype(int), render(black, presets(black)[-1]), atol=1)


def test_pages_of_a_tiff_are_frames(tmp_path):
    path = tmp_path / "pages.tif"
    tifffile.imwrite(path, np.stack([GRAY16, GRAY16 // 2, GRAY16 // 3]), photometric="minisblack")
    for page in range(3):
        radiograph = read_radiograph(ImageSource(str(path), page))
        np.testing.assert_array_equal(radiograph.pixels, GRAY16 // (page + 1))
        assert radiograph.frames == 3
    with pytest.raises(ImagingError, match="has 3 pages; page 4"):
        read_radiograph(ImageSource(str(path), 3))
    assert [entry.frames for entry in find_images([path])] == [3]


def test_float_tiff(tmp_path):
    path = tmp_path / "float.tif"
    tifffile.imwrite(path, GRAY16.astype(np.float32) / 3)
    np.testing.assert_array_equal(read_radiograph(path).pixels, GRAY16.astype(np.float32) / 3)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "LA"])
def test_gray_saved_as_color_is_gray(tmp_path, mode):
    path = tmp_path / "image.png"
    Image.fromarray(GRAY8).convert(mode).save(path)
    np.testing.assert_allclose(read_radiograph(path).pixels, GRAY8, atol=1)


def test_a_small_colored_mark_is_let_pass(tmp_path):
    path = tmp_path / "image.png"
    picture = np.repeat(np.tile(np.arange(200, dtype=np.uint8), (200, 1))[..., None], 3, axis=2)
    picture[5:15, 5:15] = (255, 0, 0)
    Image.fromarray(picture).save(path)
    assert read_radiograph(path).columns == 200


def test_a_photograph_turned_by_its_camera_stands_upright(tmp_path):
    path = tmp_path / "turned.jpg"
    image = Image.fromarray(np.tile(np.arange(64, dtype=np.uint8), (32, 1)) * 3)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to show
    image.save(path, exif=exif, quality=95)
    radiograph = read_radiograph(path)
    assert (radiograph.rows, radiograph.columns) == (64, 32)
    assert radiograph.pixels[-1].mean() > radiograph.pixels[0].mean() + 100


def test_the_hash_is_that_of_the_file(tmp_path):
    import hashlib

    path = tmp_path / "image.png"
    Image.fromarray(GRAY8).save(path)
    assert read_radiograph(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
