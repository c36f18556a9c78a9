"""Decode one JPEG Lossless frame with GDCM and leave; run as a program by :mod:`dicom_decoding`.

GDCM ends the whole process when it meets damaged JPEG headers (an exception crosses libjpeg's C frames), so it
never runs in the viewer or the engine. Standard library and GDCM only, to start fast. Reads a line of JSON and then the
frame from standard input, writes the samples to standard output, exits with 1 where there are none.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def main() -> int:
    """Return the exit status."""
    if sys.platform != "win32":
        import resource

        # When GDCM aborts, no image of its memory, which holds a patient's picture, is left on the disk.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    header: dict[str, Any] = json.loads(sys.stdin.buffer.readline())
    samples = _decode(sys.stdin.buffer.read(), header)
    sys.stdout.buffer.write(samples)
    return 0 if samples else 1


def _decode(frame: bytes, header: dict[str, Any]) -> bytes:
    import gdcm  # type: ignore[import-untyped]  # it ships no types

    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(frame)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((header["columns"], header["rows"], 1))
    image.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation.GetPIType(header["photometric_interpretation"])
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    if header["samples_per_pixel"] > 1:
        image.SetPlanarConfiguration(0)
    syntax = gdcm.TransferSyntax.GetTSType(header["transfer_syntax"])
    image.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    stored = header["bits_stored"]
    image.SetPixelFormat(
        gdcm.PixelFormat(
            header["samples_per_pixel"],
            header["bits_allocated"],
            stored,
            stored - 1,
            header["pixel_representation"],
        )
    )
    # The binding hands the buffer over as text with escapes for what is no UTF-8.
    samples: bytes = image.GetBuffer().encode("utf-8", "surrogateescape")
    return samples


if __name__ == "__main__":
    sys.exit(main())
