"""DICOM: series of slices and multi-frame files as volumes, one slice or X-ray as a picture."""

from wavelens.frontends.dicom.display import dicom_display, picture_bytes, read_dicom_image
from wavelens.frontends.dicom.files import DICOM, dicom_content, is_dicom
from wavelens.frontends.dicom.series import read_series, series_bytes

__all__ = [
    "DICOM",
    "dicom_content",
    "dicom_display",
    "is_dicom",
    "picture_bytes",
    "read_dicom_image",
    "read_series",
    "series_bytes",
]
