"""The display pipeline over miniature files: padding, LUTs, windows, polarity, against arithmetic and highdicom."""

from __future__ import annotations

import warnings

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.pixels.processing import apply_voi

from kdistill_core.imaging import read_radiograph
from kdistill_core.imaging.display import automatic_window, default_window, full_window, presets, render
from kdistill_core.records import VoiFunction, Window

RAMP = (np.arange(256, dtype=np.uint16) * 16).reshape(16, 16)


def highdicom_frame(path, *, presentation=True):
    """Return what highdicom shows of a file, float64 [rows, columns] in [0, 255]."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = highdicom.imread(path)
        return image.get_frame(
            1,
            dtype=np.float64,
            apply_voi_transform=True,
            apply_presentation_lut=presentation,
            voi_output_range=(0, 255),
        )


def shown(path, *, invert=False):
    radiograph = read_radiograph(path)
    return render(radiograph, presets(radiograph)[0], invert=invert)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID", None])
@pytest.mark.parametrize("rescale", [(1, 0), (0.5, -100), (2, 7)])
def test_windows_are_shown_as_highdicom_shows_them(write_dicom, photometric, function, rescale):
    path = write_dicom(
        RAMP,
        photometric=photometric,
        BitsStored=12,
        WindowCenter=1500,
        WindowWidth=2000,
        VOILUTFunction=function,
        RescaleSlope=rescale[0],
        RescaleIntercept=rescale[1],
        RescaleType="US",
    )
    # highdicom takes the slope into a LINEAR window before subtracting its one, which C.11.2.1.2.1 has in modality
    # units: half a modality unit of difference. pydicom, in test_voi, agrees to the last digit.
    tolerance = 0.51 if rescale[0] == 1 or function in ("LINEAR_EXACT", "SIGMOID") else 0.75
    np.testing.assert_allclose(shown(path), highdicom_frame(path), atol=tolerance)


@pytest.mark.parametrize("first", [0, 100])
def test_voi_lut_is_shown_as_highdicom_shows_it(write_dicom, lut_item, first):
    values = [int(value) for value in np.round(np.linspace(0, 1, 3000) ** 2 * 65535)]
    path = write_dicom(RAMP, BitsStored=12, VOILUTSequence=[lut_item(first, values, 16, "CURVE")])
    radiograph = read_radiograph(path)
    assert presets(radiograph)[0].name == "CURVE"
    np.testing.assert_allclose(shown(path), highdicom_frame(path), atol=0.51)


def test_voi_lut_of_negative_modality_values_starts_below_zero(write_dicom, lut_item):
    values = list(range(0, 256, 4))
    path = write_dicom(
        RAMP,
        BitsStored=12,
        VOILUTSequence=[lut_item(-32, values, 8)],
        RescaleSlope=1,
        RescaleIntercept=-32,
        RescaleType="US",
    )
    # The first four pixels are -32, -16, 0 and 16: entries 0, 16, 32 and 48 of the table.
    assert shown(path).ravel()[:5].tolist() == [0, 64, 128, 192, 252]


def test_voi_lut_of_twelve_bits_is_shown_as_pydicom_shows_it(write_dicom, lut_item):
    values = [int(value) for value in np.round(np.linspace(1, 0, 4096) ** 3 * 4095)]
    path = write_dicom(RAMP, BitsStored=12, VOILUTSequence=[lut_item(0, values, 12)])
    dataset = pydicom.dcmread(path)
    expected = apply_voi(dataset.pixel_array, dataset) / 4095 * 255
    np.testing.assert_allclose(shown(path), expected, atol=0.51)


def test_modality_lut_comes_before_the_window(write_dicom, lut_item):
    values = [int(value) for value in np.linspace(0, 65535, 4096)[::-1]]
    path = write_dicom(
        RAMP,
        BitsStored=12,
        ModalityLUTSequence=[lut_item(0, values, 16)],
        WindowCenter=32768,
        WindowWidth=65536,
    )
    np.testing.assert_array_equal(read_radiograph(path).pixels.ravel()[:3], [values[0], values[16], values[32]])
    np.testing.assert_allclose(shown(path), highdicom_frame(path), atol=0.51)


def test_eight_bit_lut_entries_in_words_are_read(write_dicom, lut_item):
    item = lut_item(0, [0] * 256, 8)
    item.add_new("LUTData", "OW", bytes(reversed(range(256))))
    path = write_dicom((RAMP // 16).astype(np.uint8), VOILUTSequence=[item])
    np.testing.assert_array_equal(shown(path).ravel(), np.arange(255, -1, -1))


def test_monochrome1_is_inverted_once(write_dicom):
    window = {"BitsStored": 12, "WindowCenter": 2048, "WindowWidth": 4096}
    bright_high = shown(write_dicom(RAMP, **window)).astype(int)
    for shape in (None, "INVERSE"):
        path = write_dicom(RAMP, photometric="MONOCHROME1", PresentationLUTShape=shape, **window)
        np.testing.assert_allclose(shown(path), 255 - bright_high, atol=1)


def test_presentation_lut_shape_inverse_inverts_monochrome2_too(write_dicom):
    path = write_dicom(RAMP, BitsStored=12, PresentationLUTShape="INVERSE", WindowCenter=2048, WindowWidth=4096)
    np.testing.assert_allclose(shown(path), highdicom_frame(path), atol=0.51)
    assert shown(path)[0, 0] == 255


def test_polarity_is_resolved_after_the_window_and_the_readers_invert_last(write_dicom):
    path = write_dicom(RAMP, photometric="MONOCHROME1", BitsStored=12, WindowCenter=500, WindowWidth=400)
    picture = shown(path)
    # Values below the window are white, those above black: the window selects stored values, not inverted ones.
    assert picture.ravel()[0] == 255
    assert picture.ravel()[-1] == 0
    np.testing.assert_allclose(shown(path, invert=True), 255 - picture.astype(int), atol=1)


def test_padding_does_not_move_the_window(write_dicom):
    picture = np.tile(np.arange(1000, 1032, dtype=np.uint16), (32, 1))
    padded = picture.copy()
    padded[:10] = 4095
    plain = read_radiograph(write_dicom(picture, name="plain.dcm", BitsStored=12))
    masked = read_radiograph(write_dicom(padded, name="masked.dcm", BitsStored=12, PixelPaddingValue=4095))
    for window in (automatic_window, full_window, default_window):
        assert window(masked) == window(plain)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_in_either_polarity(write_dicom, photometric):
    picture = RAMP.copy()
    picture[:4] = 4000
    radiograph = read_radiograph(write_dicom(picture, photometric=photometric, BitsStored=12, PixelPaddingValue=4000))
    for invert in (False, True):
        out = render(radiograph, full_window(radiograph), invert=invert)
        assert (out[:4] == 0).all()
        assert out[4:].max() == 255


def test_padding_range_masks_from_value_to_limit_whichever_is_larger(write_dicom):
    for value, limit in [(0, 63), (63, 0)]:
        radiograph = read_radiograph(
            write_dicom(RAMP, BitsStored=12, PixelPaddingValue=value, PixelPaddingRangeLimit=limit)
        )
        np.testing.assert_array_equal(radiograph.padding, RAMP <= 63)


def test_padding_is_a_stored_value_not_a_rescaled_one(write_dicom):
    picture = RAMP.astype(np.int16) - 2000
    path = write_dicom(picture, PixelPaddingValue=-2000, RescaleSlope=2, RescaleIntercept=10, RescaleType="US")
    radiograph = read_radiograph(path)
    assert radiograph.padding.sum() == 1
    assert radiograph.pixels[0, 0] == -3990


def test_several_windows_keep_order_and_names_and_impossible_ones_are_left_out(write_dicom):
    path = write_dicom(
        RAMP,
        BitsStored=12,
        WindowCenter=[2000, 1000, 300],
        WindowWidth=[4000, 0, 500],
        WindowCenterWidthExplanation=["NORMAL", "BROKEN", "HARD"],
    )
    names = [window.name for window in presets(read_radiograph(path))]
    assert names == ["NORMAL", "HARD", "Automatic", "Full range"]


def test_a_file_without_windows_offers_computed_ones(write_dicom):
    radiograph = read_radiograph(write_dicom(RAMP, BitsStored=12))
    assert [window.name for window in presets(radiograph)] == ["Automatic", "Full range"]
    whole = render(radiograph, full_window(radiograph))
    assert (whole.min(), whole.max()) == (0, 255)


def test_a_constant_picture_can_be_shown(write_dicom):
    radiograph = read_radiograph(write_dicom(np.full((16, 16), 7, np.uint16)))
    for window in presets(radiograph):
        render(radiograph, window)


def test_a_strange_voi_function_falls_to_the_standards_default(write_dicom):
    path = write_dicom(RAMP, WindowCenter=100, WindowWidth=50, VOILUTFunction="PRIVATE")
    assert read_radiograph(path).windows == (Window(100, 50, "Window 1", VoiFunction.LINEAR),)
