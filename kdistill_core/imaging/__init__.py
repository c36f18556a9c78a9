"""Files to radiographs: reading, the display pipeline, spacing, model input and its geometry.

Importing this package is cheap: pydicom, Pillow and SimpleITK are imported by the first file that needs them, and
nothing here imports torch.
"""

from kdistill_core.imaging.browsing import find_images
from kdistill_core.imaging.entries import ImageEntry, SkippedFile
from kdistill_core.imaging.errors import ImagingError
from kdistill_core.imaging.reading import read_radiograph

__all__ = ["ImageEntry", "ImagingError", "SkippedFile", "find_images", "read_radiograph"]
