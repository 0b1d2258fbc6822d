"""From files to signals, one kind of signal a file."""

from wavelens.frontends.audio import AudioFile, Clip, Resample, open_audio, read_audio, resample, windows, write_audio
from wavelens.frontends.clouds import Cloud, read_cloud, write_cloud
from wavelens.frontends.dicom import dicom_display, read_dicom_image
from wavelens.frontends.image import ImageFile, open_image, read_image
from wavelens.frontends.mel import KaldiMel, LogMel
from wavelens.frontends.raster import (
    Raster,
    RasterFile,
    RasterHeader,
    Scene,
    open_raster,
    read_raster,
    read_resolutions,
    write_raster,
)
from wavelens.frontends.series import Series, read_series, write_series
from wavelens.frontends.several_scans import read_scans
from wavelens.frontends.text import Text, read_text
from wavelens.frontends.video import Video, VideoFile, open_video, read_video, write_video
from wavelens.frontends.volume import Volume, read_volume, volume_cost, write_volume

__all__ = [
    "AudioFile",
    "Clip",
    "Cloud",
    "ImageFile",
    "KaldiMel",
    "LogMel",
    "Raster",
    "RasterFile",
    "RasterHeader",
    "Resample",
    "Scene",
    "Series",
    "Text",
    "Video",
    "VideoFile",
    "Volume",
    "dicom_display",
    "open_audio",
    "open_image",
    "open_raster",
    "open_video",
    "read_audio",
    "read_cloud",
    "read_dicom_image",
    "read_image",
    "read_raster",
    "read_resolutions",
    "read_scans",
    "read_series",
    "read_text",
    "read_video",
    "read_volume",
    "resample",
    "volume_cost",
    "windows",
    "write_audio",
    "write_cloud",
    "write_raster",
    "write_series",
    "write_video",
    "write_volume",
]
