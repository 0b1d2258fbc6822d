"""Every kind of input that the library reads: a small valid one, what reads it, and ways to damage it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import soundfile
import torch
from PIL import Image
from torch import nn

import raster_files
import series_files
import wavelens as wl
from fuzz import mutations as m
from wavelens import frontends, runs
from wavelens.baselines import parse_explainer
from wavelens.cli.evaluate import _part
from wavelens.cli.shared_options import spacing_of
from wavelens.core import Domain
from wavelens.explaining.request import wavelets_like
from wavelens.frontends import audio, image, video, volume
from wavelens.metrics.measures import parse_metric
from wavelens.models.weights import fill_from
from wavelens.runs.annotations import MaskFile, annotated
from wavelens.runs.samples import Sample, labelled
from wavelens.runs.statistics.comparison import compare
from wavelens.runs.store.shards import read_shard
from wavelens.spec import parse
from wavelens.untrusted import check_file

random = np.random.default_rng(0)
PIXELS = random.integers(0, 256, (10, 12, 4), dtype=np.uint8)
SOUND = random.uniform(-0.5, 0.5, (4000, 2)).astype(np.float32)
FRAMES = random.integers(0, 256, (5, 24, 32, 3), dtype=np.uint8)
VOXELS = random.normal(size=(5, 6, 4)).astype(np.float32)


@dataclass(frozen=True)
class Format:
    """`write(folder)` gives the path that `read` takes; one of the files `damaged` is changed, in one of the `ways`."""

    name: str
    write: Callable[[Path], Path]
    read: Callable[[Path], object]
    ways: tuple[m.Mutation, ...] = (m.any_bytes,)
    damaged: str = "*"


def formats() -> list[Format]:
    return [
        *_photos(),
        *_sounds(),
        *_videos(),
        *_volumes(),
        *_series(),
        *_rasters(),
        *_results(),
        *_records(),
        *_values(),
    ]


def _file(name: str, write: Callable[[Path], object]) -> Callable[[Path], Path]:
    def written(folder: Path) -> Path:
        write(folder / name)
        return folder / name

    return written


# Photos.

PHOTOS: dict[str, tuple[str, dict[str, Any]]] = {  # name: mode and how it is saved; those of `image.SUFFIXES` and more
    "a.avif": ("RGB", {}),
    "a.bmp": ("RGB", {}),
    "palette.gif": ("P", {}),
    "a.jfif": ("RGB", {"format": "JPEG"}),
    "a.jp2": ("RGB", {}),
    "a.jpe": ("L", {"format": "JPEG"}),
    "a.jpeg": ("CMYK", {}),
    "a.jpg": ("RGB", {"progressive": True, "exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"}),
    "a.png": ("RGBA", {}),
    "deep.png": ("I;16", {}),
    "a.pgm": ("L", {}),
    "a.pnm": ("RGB", {}),
    "a.ppm": ("RGB", {}),
    "a.tif": ("F", {}),
    "a.tiff": ("RGB", {"compression": "tiff_lzw"}),
    "a.webp": ("RGBA", {}),
}


PAM = b"P7\nWIDTH 12\nHEIGHT 10\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n" + PIXELS.tobytes()


def _photos() -> Iterator[Format]:
    for name, (mode, options) in PHOTOS.items():
        if Path(name).suffix in image.SUFFIXES:
            yield Format(f"photo {name}", _file(name, partial(_write_photo, mode, options)), frontends.read_image)
    if ".pam" in image.SUFFIXES:
        yield Format("photo a.pam", _file("a.pam", lambda path: path.write_bytes(PAM)), frontends.read_image)
    yield Format("photo animated.gif", _file("animated.gif", _write_animation), frontends.read_image)


def _write_photo(mode: str, options: dict[str, Any], path: Path) -> None:
    picture = Image.fromarray(PIXELS, "RGBA")
    if mode == "I;16":
        picture = Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257)
    elif mode == "F":
        picture = Image.fromarray(PIXELS[..., 0].astype(np.float32) / 255)
    elif mode != "RGBA":
        picture = picture.convert("RGB").convert(mode)
    picture.save(path, **options)


def _write_animation(path: Path) -> None:
    first, *rest = [Image.fromarray(frame) for frame in FRAMES]
    first.save(path, save_all=True, append_images=rest)


# Sounds and videos.

ANIMATIONS = {".avif", ".gif", ".png", ".webp"}
SOUNDS = {
    "a.wav": {"subtype": "PCM_16"},
    "float.wav": {"subtype": "FLOAT"},
    "a.aif": {"format": "AIFF"},
    "a.au": {"subtype": "FLOAT"},
    "a.caf": {"subtype": "ALAC_16"},
    "a.w64": {},
    "a.aiff": {"format": "AIFF", "subtype": "PCM_24"},
    "a.flac": {},
    "a.mp3": {},
    "a.oga": {"format": "OGG"},
    "a.ogg": {},
    "a.opus": {"format": "OGG", "subtype": "OPUS"},
}
VIDEOS = {  # suffix: encoder, pixels, rate
    ".3gp": ("mpeg4", "yuv420p"),
    ".avi": ("mpeg4", "yuv420p"),
    ".flv": ("flv", "yuv420p"),
    ".m2ts": ("mpeg2video", "yuv420p"),
    ".m4v": ("mpeg4", "yuv420p"),
    ".mkv": ("ffv1", "bgr0"),
    ".mov": ("libx264", "yuv420p"),
    ".mp4": ("libx264", "yuv420p"),
    ".mpeg": ("mpeg1video", "yuv420p"),
    ".mpg": ("mpeg2video", "yuv420p"),
    ".ogv": ("libvpx", "yuv420p"),
    ".ts": ("mpeg2video", "yuv420p"),
    ".webm": ("libvpx", "yuv420p"),
    ".wmv": ("wmv2", "yuv420p"),
}
ENCODERS = {  # of sounds, by suffix
    ".aac": "aac",
    ".ac3": "ac3",
    ".avi": "mp2",
    ".flv": "mp3",
    ".m4a": "aac",
    ".m4b": "aac",
    ".mka": "aac",
    ".ts": "mp2",
    ".wma": "wmav2",
    ".wv": "wavpack",
}


def _sounds() -> Iterator[Format]:
    for name, options in SOUNDS.items():
        write = partial(soundfile.write, data=SOUND, samplerate=48000, **options)
        yield Format(f"sound {name}", _file(name, lambda path, write=write: write(path)), _hear)
    for suffix, codec in ENCODERS.items():
        if suffix in (*audio.SUFFIXES, *video.SUFFIXES):
            yield Format(f"sound a{suffix}", _file(f"a{suffix}", partial(_write_by_ffmpeg, codec)), _hear)


CONTAINERS = {".m4b": "mp4"}  # of suffixes that FFmpeg does not know


def _hear(path: Path) -> object:
    frontends.open_audio(path)
    return frontends.read_audio(path), next(frontends.windows(path, 0.02, rate=16000))


def _write_by_ffmpeg(codec: str, path: Path) -> None:
    import av

    with av.open(str(path), "w", format=CONTAINERS.get(path.suffix)) as container:
        stream = container.add_stream(codec, rate=48000, layout="stereo")
        stream.bit_rate = 64000
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(SOUND.T), format="fltp", layout="stereo")
        frame.sample_rate = 48000
        for piece in (frame, None):
            container.mux(stream.encode(piece))


def _videos() -> Iterator[Format]:
    for suffix, how in VIDEOS.items():
        yield Format(f"video a{suffix}", _file(f"a{suffix}", partial(_write_video, *how)), frontends.read_video)
    for suffix in sorted(ANIMATIONS & set(video.SUFFIXES)):
        yield Format(f"video a{suffix}", _file(f"a{suffix}", _write_animation), frontends.read_video)


def _write_video(codec: str, pixels: str, path: Path) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = *FRAMES.shape[1:3], pixels
        for picture in FRAMES:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


# Volumes.


def _volumes() -> Iterator[Format]:
    yield Format("volume a.npy", _file("a.npy", lambda path: np.save(path, VOXELS)), frontends.read_volume, ARRAY)
    ways = (m.any_bytes, *map(m.in_zip, ARRAY))
    yield Format("volume a.npz", _file("a.npz", lambda path: np.savez_compressed(path, VOXELS)), _first, ways)
    writers = {
        "a.nii": _write_nifti,
        "a.nii.gz": _write_nifti,
        "a.mgz": _write_mgz,
        "a.mgh": _write_mgz,
        "a.hdr": _write_pair,
        "a.img": _write_pair,
        "a.hdr.gz": _write_pair,
        "a.img.gz": _write_pair,
        "a.mha": _write_itk,
        "a.mhd": _write_itk,
        "a.nrrd": _write_itk,
        "a.nhdr": _write_itk,
        "a.dcm": _write_frames,
        "a.dicom": _write_frames,
        "a.ima": _write_frames,
    }
    for name, write in writers.items():
        if name.endswith(tuple(volume.SUFFIXES)):
            inside, pair = (m.in_gzip(m.any_bytes),) * name.endswith("gz"), f"*{Path(name).suffix}"
            yield Format(f"volume {name}", _file(name, write), frontends.read_volume, (m.any_bytes, *inside), pair)
    if ".dcm" in volume.SUFFIXES:
        yield Format("photo a.dcm", _file("a.dcm", partial(_write_slice, 0)), frontends.read_image)
    yield Format("volume of slices", _write_series, frontends.read_volume)


ARRAY = (m.any_bytes, m.npy_header)


SERIES: dict[str, tuple[Callable[..., Path], tuple[m.Mutation, ...]]] = {
    "a.csv": (series_files.write_csv, (m.any_bytes, m.text_tokens)),
    "a.tsv": (partial(series_files.write_csv, delimiter="\t"), (m.any_bytes, m.text_tokens)),
    "row.npy": (lambda path, values: np.save(path, values) or path, ARRAY),
    "rate.npz": (series_files.write_npz, (m.any_bytes, *map(m.in_zip, ARRAY))),
    "a.parquet": (series_files.write_parquet, (m.any_bytes,)),
    "a.hea": (series_files.write_wfdb, (m.any_bytes, m.text_tokens)),
    "a.edf": (series_files.write_edf, (m.any_bytes,)),
    "a.bdf": (series_files.write_edf, (m.any_bytes,)),
    "a_raw.fif": (series_files.write_fif, (m.any_bytes,)),
    "a.mseed": (series_files.write_miniseed, (m.any_bytes,)),
    "a.miniseed": (series_files.write_miniseed, (m.any_bytes,)),
    "a.ms": (series_files.write_miniseed, (m.any_bytes,)),
}


def _series() -> Iterator[Format]:
    for name, (write, ways) in SERIES.items():
        yield Format(f"series {name}", partial(_write_one, name, write), frontends.read_series, ways)
    yield Format("series folder.sac", _write_components, frontends.read_series)


def _write_one(name: str, write: Callable[..., Path], folder: Path) -> Path:
    return write(folder / name, series_files.recording())


def _write_components(folder: Path) -> Path:
    for trace in series_files.stream_of(series_files.recording()):
        trace.write(str(folder / f"{trace.stats.channel}.sac"), format="SAC")
    return folder


def _first(path: Path) -> object:
    return frontends.read_volume(path, key="arr_0")


def _write_nifti(path: Path) -> None:
    frontends.write_volume(path, frontends.Volume(torch.from_numpy(VOXELS)[None, None], np.diag([1.0, 2, 3, 1])))


def _write_mgz(path: Path) -> None:
    import nibabel

    nibabel.save(nibabel.MGHImage(VOXELS, np.diag([1.0, 2, 3, 1])), path)


def _write_pair(path: Path) -> None:
    import nibabel

    image = nibabel.Nifti1Pair(VOXELS, np.diag([1.0, 2, 3, 1]))
    nibabel.save(image, path.with_name(path.name.replace(".hdr", ".img")))


def _write_itk(path: Path) -> None:
    import SimpleITK

    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(VOXELS), str(path))


def _write_series(folder: Path) -> Path:
    for k in range(3):
        _write_slice(k, folder / f"{k}.dcm")
    return folder


def _write_slice(k: int, path: Path) -> None:
    _slice(k, path).save_as(path, enforce_file_format=True)


def _write_frames(path: Path) -> None:
    """Slices as the frames of one file."""
    from pydicom.dataset import Dataset

    def group(**macros: dict[str, Any]) -> Dataset:
        made = Dataset()
        for macro, elements in macros.items():
            setattr(made, macro, [Dataset()])
            for name, value in elements.items():
                setattr(getattr(made, macro)[0], name, value)
        return made

    one, slices = _slice(0, path), [_slice(k, path) for k in range(3)]
    one.NumberOfFrames, one.PixelData = 3, b"".join(each.PixelData for each in slices)
    one.PerFrameFunctionalGroupsSequence = [
        group(PlanePositionSequence={"ImagePositionPatient": each.ImagePositionPatient}) for each in slices
    ]
    one.SharedFunctionalGroupsSequence = [
        group(
            PlaneOrientationSequence={"ImageOrientationPatient": one.ImageOrientationPatient},
            PixelMeasuresSequence={"PixelSpacing": one.PixelSpacing, "SliceThickness": 2.5},
        )
    ]
    del one.ImagePositionPatient, one.ImageOrientationPatient, one.PixelSpacing
    one.save_as(path, enforce_file_format=True)


def _slice(k: int, path: Path) -> Any:
    import pydicom
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[f"slice {k}"])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one = pydicom.dataset.FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    one.SOPClassUID, one.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    one.SeriesInstanceUID, one.Modality = generate_uid(entropy_srcs=["series"]), "CT"
    one.ImagePositionPatient, one.ImageOrientationPatient = [0, 0, 2.5 * k], [1, 0, 0, 0, 1, 0]
    one.PixelSpacing, one.RescaleSlope, one.RescaleIntercept = [0.5, 0.5], 2, -1000
    one.Rows, one.Columns, one.SamplesPerPixel, one.PhotometricInterpretation = 6, 5, 1, "MONOCHROME2"
    one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 0
    one.PixelData = (PIXELS[:6, :5, 0].astype(np.uint16) * 16).tobytes()
    return one


# Rasters.

BANDS = random.integers(1, 4000, (3, 10, 12)).astype(np.uint16)


def _rasters() -> Iterator[Format]:
    geotiff = partial(raster_files.write_geotiff, values=BANDS, names=("B02", "B03", "B04"), nodata=7)
    yield Format("raster a.tif", _file("a.tif", geotiff), frontends.read_raster)
    yield Format("raster a.tiff", _file("a.tiff", partial(geotiff, compress="deflate")), frontends.read_raster)
    microscopy = partial(raster_files.write_ome, values=BANDS[:2])
    yield Format("raster a.ome.tif", _file("a.ome.tif", microscopy), frontends.read_raster)
    yield Format("raster a.nc", _file("a.nc", _write_netcdf), frontends.read_raster)
    yield Format("raster of a folder", _write_scene, frontends.read_raster, damaged="T35/*")


def _write_netcdf(path: Path) -> None:
    raster_files.dataset(np.concatenate([BANDS, BANDS[:1]])).to_netcdf(path)


def _write_scene(folder: Path) -> Path:
    return raster_files.write_sentinel(folder / "T35", (("B02", 10), ("B11", 20)), side=12)


# Attributions, runs, weights.

JSON = (m.json_tree, m.json_tree, m.any_bytes)
TENSORS = (m.safetensors_header, m.safetensors_header, m.any_bytes)


def _results() -> Iterator[Format]:
    yield Format("attribution", _file("a.safetensors", partial(_write_attribution, False)), _load, TENSORS)
    yield Format("attribution in halves", _file("half.safetensors", partial(_write_attribution, True)), _load, TENSORS)
    yield Format("manifest", _write_run, _read_run, JSON, damaged="manifest.json")
    yield Format("shard", _write_run, _read_run, TENSORS, damaged="shards/*")
    yield Format("shard by itself", _write_shard, lambda path: read_shard(path, "run", range(4)), TENSORS)
    weights = nn.Linear(3, 2).state_dict()
    safe = _file("a.safetensors", lambda path: safetensors.torch.save_file(weights, path))
    yield Format("weights in safetensors", safe, _fill, TENSORS)
    pickled = _file("a.pth", partial(torch.save, {"state_dict": weights, "epoch": 3}))
    yield Format("weights from torch.save", pickled, _fill, (m.any_bytes, m.in_zip(m.any_bytes)))


def _write_attribution(half: bool, path: Path) -> None:
    x = torch.from_numpy(random.normal(size=(2, 1, 8, 12))).float()
    net = nn.Sequential(nn.Flatten(), nn.Linear(96, 3)).eval().eval()
    wl.attribute(net, x, 1, domain=wl.DWT("db2", levels=1), method=wl.IntegratedGradients(steps=3)).save(path, half)


def _load(path: Path) -> object:
    loaded = wl.Attribution.load(path)
    return repr(loaded), loaded.item(0)


@dataclass(frozen=True)
class Level:
    """A task whose results are known."""

    def load(self) -> Callable[[int], dict[str, object]]:
        return lambda item: {"insertion": item / 7, "curve": torch.arange(3.0) * item}


def _write_run(folder: Path) -> Path:
    runs.run(Level(), range(7), folder, shard_size=3)
    return folder


def _read_run(folder: Path) -> object:
    run = runs.Run.open(folder)
    return run.read(), len(run.missing()), compare([folder], resamples=100)


def _write_shard(folder: Path) -> Path:
    from wavelens.runs.store.shards import write_shard

    write_shard(folder / "a.safetensors", "run", {0: "a", 1: "b", 3: "c"}, {"x": torch.arange(3.0)},
                [{"index": 2, "name": "d", "reason": "none"}])  # fmt: skip
    return folder / "a.safetensors"


def _fill(path: Path) -> object:
    net = nn.Linear(3, 2)
    fill_from(net, path)
    return net(torch.ones(1, 3))


# What says where objects are, and of which class a file is.


def _records() -> Iterator[Format]:
    yield Format("boxes", _file("boxes.json", _write_boxes), _read_boxes, JSON)
    mask = _file("mask.png", lambda path: Image.fromarray(PIXELS[..., 0]).save(path))
    yield Format("mask", mask, lambda path: MaskFile(path.name, 1, str(path.parent)).region((10, 12), 0))
    table = _file("labels.csv", lambda path: path.write_text("a.png,cat\nb.png,dog\n"))
    yield Format("labels", table, _read_labels, (m.any_bytes, m.text_tokens))


SAMPLES = [Sample("a.png", 5), Sample("b.png", 6)]


def _write_boxes(path: Path) -> None:
    images = [{"id": k, "file_name": f"{name}.png", "height": 10, "width": 12} for k, name in enumerate("ab")]
    boxes = [{"image_id": k, "bbox": [1, 2, 3.5, 4], "category_id": k} for k in range(2)]
    classes = [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}]
    path.write_text(json.dumps({"images": images, "annotations": boxes, "categories": classes}))


def _read_boxes(path: Path) -> object:
    found = annotated(SAMPLES, path, lambda name: [["cat", "dog"].index(name)] if name in ("cat", "dog") else [])
    return [one.objects.region((10, 12), 0) for one in found if one.objects is not None]


def _read_labels(path: Path) -> object:
    return labelled(SAMPLES, str(path), ["cat", "dog"].index)


# Values on the command line.

TEXTS = {
    "domain": ("DWT('db4', levels=2, mode='reflect')", lambda text: _transform(parse(text))),
    "levels of axes": ("DWT('haar', levels=(1, 3))", lambda text: _transform(parse(text))),
    "method": ("SmoothGrad(samples=3, sigma=0.1, seed=7)", lambda text: _explain(parse(text))),
    "path": ("IntegratedGradients(steps=5, quadrature='riemann', baseline=0.5)", lambda text: _explain(parse(text))),
    "adaptive": ("IntegratedGradients(tolerance=0.05, max_steps=64)", lambda text: _explain(parse(text))),
    "nested": ("Zennit('GuidedBackprop', ExpectedGradients(samples=4))", parse),
    "options": ("Captum('GradientShap', baseline=1, n_samples=5, stdevs=0.1)", parse),
    "metric": ("MuFidelity(subsets=16, grid=7, domain=DWT('db2', 2))", parse_metric),
    "explainer": ("GradCAM(layer='layer4')", parse_explainer),
    "control": ("EnergyOrder(domain=Identity, baseline=0.5)", parse_explainer),
    "wavelets": ("haar, db4, bior2.2", lambda text: wavelets_like(wl.DWT("haar", 2), text.split(","))),
    "spacing": ("1.5,1,0.75", spacing_of),
    "shard": ("3/8", _part),
}


def _values() -> Iterator[Format]:
    for name, (text, read) in TEXTS.items():
        write = _file("value.txt", lambda path, text=text: path.write_text(text))
        yield Format(f"value: {name}", write, lambda path, read=read: read(_text(path)), (m.text_tokens,))


def _text(path: Path) -> str:
    check_file(path, "text")  # a command line has no pipe in its place
    return path.read_bytes().decode("utf-8", "surrogateescape")


def _transform(value: object) -> object:
    x = torch.linspace(0, 1, 128).reshape(1, 1, 8, 16)
    return value.analysis(x).synthesis() if isinstance(value, Domain) else value


def _explain(value: Any) -> object:
    """The value, carried out where it asks for a hundred gradients at most."""
    efforts = [getattr(value, f.name) for f in fields(value) if f.name in ("samples", "steps", "max_steps")]
    if not callable(value) or max(efforts, default=1) > 100 or getattr(value, "tolerance", None) not in (None, 0.05):
        return value
    net = nn.Sequential(nn.Flatten(), nn.Linear(8, 3), nn.Tanh()).eval().eval()
    return wl.attribute(net, torch.linspace(0, 1, 8).reshape(1, 1, 8), 1, domain=wl.DWT("haar", 1), method=value)
