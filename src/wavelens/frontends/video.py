"""Videos as signals: files to `(1, 3, time, height, width)` in [0, 1], frame by frame where they are long, and back.

Time runs evenly: frame `k` is the one shown nearest to `k / fps` after the first, so that a distance in frames is one
in seconds in files with a varying frame rate too. Frames are upright, RGB and opaque.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from wavelens.frontends import animation
from wavelens.frontends.frames import UPRIGHT, Matrix, alpha_decoder, decoded, display_matrix, pixels_of
from wavelens.grid import Grid
from wavelens.optional import optional
from wavelens.untrusted import check_file

SUFFIXES = (
    ".3gp",
    ".avi",
    ".flv",
    ".m2ts",
    ".m4v",
    ".mkv",
    ".mov",
    ".mp4",
    ".mpeg",
    ".mpg",
    ".ogv",
    ".ts",
    ".webm",
    ".wmv",
)
CODECS = {  # by suffix: encoder, pixels and options
    ".mp4": ("libx264", "yuv420p", {"crf": "16"}),
    ".mov": ("libx264", "yuv420p", {"crf": "16"}),
    ".mkv": ("ffv1", "bgr0", {}),
}
PLAYLISTS = {"concat", "dash", "hls", "imf", "rtp", "rtsp", "sap", "sdp", "webm_dash_manifest"}  # open other files
LARGEST = 2**31  # values in memory: 8 GiB


@dataclass(frozen=True, eq=False)
class Video:
    """Frames `(1, 3, time, height, width)` in [0, 1], `fps` of them per second."""

    data: Tensor
    fps: float

    def __post_init__(self) -> None:
        if not isinstance(self.data, Tensor):
            raise TypeError(f"frames must be a tensor; got {type(self.data).__name__}. Try torch.as_tensor.")
        shape = tuple(self.data.shape)
        if len(shape) != 5 or shape[:2] != (1, 3) or 0 in shape or not self.data.is_floating_point():
            raise ValueError(
                f"a video must be floating-point (1, 3, time, height, width) in [0, 1]; got {shape} of "
                f"{self.data.dtype}."
            )
        _check_rate(self.fps)

    @property
    def frames(self) -> int:
        return self.data.shape[2]

    @property
    def seconds(self) -> float:
        return self.frames / self.fps

    @property
    def grid(self) -> Grid:
        """Seconds and pixels."""
        return Grid((1 / self.fps, 1, 1), ("s", "px", "px"))

    def take(self, first: int = 0, count: int | None = None, stride: int = 1) -> Video:
        """`count` frames from number `first`, `stride` apart; all that there are without a count."""
        return Video(self.data[:, :, list(_numbers(self.frames, first, count, stride))], self.fps / stride)


@dataclass(frozen=True, eq=False)
class VideoFile:
    """A video on a disk: how many frames it has and when they are shown; only those that are taken are decoded.

    `keys` names the picture in the file that each frame shows, by its time stamp or, where a file has none, its number.
    """

    path: Path
    fps: float
    keys: tuple[int, ...]
    stamped: bool

    @property
    def frames(self) -> int:
        return len(self.keys)

    @property
    def seconds(self) -> float:
        return self.frames / self.fps

    def take(self, first: int = 0, count: int | None = None, stride: int = 1) -> Video:
        """`count` frames from number `first`, `stride` apart; all that there are without a count."""
        keys = [self.keys[k] for k in _numbers(self.frames, first, count, stride)]
        pictures = _pictures(self, keys, seek=self.stamped and first > 0)
        if len(pictures) < len(set(keys)):  # a file without an index may seek too far
            pictures = _pictures(self, keys, seek=False)
        if missing := len(set(keys)) - len(pictures):
            raise ValueError(
                f"{self.path} could not be decoded: {missing} of {len(keys)} frames are missing. "
                "The file is damaged; get a fresh copy."
            )
        sizes = dict.fromkeys(pictures[key].shape[:2] for key in keys)
        if len(sizes) > 1:
            raise ValueError(
                f"the frames of a video must have one size; got {' and '.join(f'{h} × {w}' for h, w in sizes)} pixels "
                f"in {self.path}. Cut it where the size changes, or scale it to one."
            )
        data = torch.empty(3, len(keys), *pictures[keys[0]].shape[:2])
        for k, key in enumerate(keys):
            data[:, k] = torch.from_numpy(pictures[key]).permute(2, 0, 1) / 255
        return Video(data[None], self.fps / stride)


def open_video(path: str | PathLike[str]) -> VideoFile:
    """The video at `path`, of which nothing is kept yet: anything that FFmpeg reads, and animated WebP and AVIF.

    A path without a file is a `FileNotFoundError`; a folder, a single picture, a sound, a file without frames, and
    anything that is no video a `ValueError`; a missing PyAV an `ImportError`.
    """
    path = Path(path)
    check_file(path, "video")
    if animation.is_webp_or_avif(path):
        seconds = animation.start_times(path)
        return _file(path, list(range(len(seconds))), seconds, None, stamped=False)
    with _opened(path) as (container, stream):
        packets = (packet for packet in container.demux(stream) if packet.size and not packet.is_discard)
        told = [(packet.pts, packet.is_keyframe) for packet in packets]
        stamps, heads = [stamp for stamp, _ in told], [stamp for stamp, is_key in told if is_key]
        nominal, unit = stream.average_rate or stream.guessed_rate, stream.time_base
    stamped = None not in stamps
    if stamped and heads and min(stamps) < heads[0]:
        stamps = _from_key_frame(path, stamps, heads[0])
    if not stamped:  # a bare stream: its frames are known once they are decoded
        with _opened(path) as (container, stream):
            stamps = list(range(sum(1 for _ in container.decode(stream))))
        unit = 1 / (nominal or Fraction(25))
    if not stamps:
        raise ValueError(f"a video has frames; {path} has none. The file is damaged or was cut off; get a fresh copy.")
    keys = np.unique(np.array(stamps, dtype=np.int64))
    return _file(path, keys.tolist(), (keys - keys[0]) * float(unit), nominal, stamped)


def _from_key_frame(path: Path, stamps: list[int], head: int) -> list[int]:
    """The stamps from that of the first key frame on, where decoding begins with it: the stream was cut before it."""
    with _opened(path) as (container, stream):
        start = next(decoded(container, stream, alpha_decoder(stream)), None)
    if start is None or start.pts != head:
        return stamps
    return [stamp for stamp in stamps if stamp >= head]


def _file(
    path: Path, keys: list[int], seconds: NDArray[np.float64], nominal: Fraction | None, stamped: bool
) -> VideoFile:
    """The frames that lie evenly in time, of pictures that are shown at `seconds`."""
    fps = _rate(seconds, nominal)
    return VideoFile(path, fps, tuple(keys[k] for k in _evenly(seconds, fps)), stamped)


def read_video(path: str | PathLike[str]) -> Video:
    """All frames of the video at `path`: `(1, 3, time, height, width)` in [0, 1], and how many there are per second.

    Frames are turned and mirrored by their display matrix, transparency is composited over white, colours follow the
    file's own standard, all at 8 bits. Pixels are taken as square. A video that would fill more than 8 GiB is a
    `ValueError`: take a part of it with `open_video(path).take(first, count, stride)`. A stream that was cut out of a
    longer one begins with its first key frame. Damage that FFmpeg conceals is not noticed. Errors as `open_video`, and
    a `ValueError` for transparency that cannot be decoded.

    >>> wl.frontends.write_video("black.mp4", torch.zeros(1, 3, 4, 32, 32), fps=8)
    >>> video = wl.frontends.read_video("black.mp4")
    >>> video.data.shape, video.fps
    (torch.Size([1, 3, 4, 32, 32]), 8.0)
    """
    return open_video(path).take()


def write_video(path: str | PathLike[str], video: Video | Tensor, fps: float | None = None) -> None:
    """Writes a `Video`, or frames `(1, 3, time, height, width)` in [0, 1] with their `fps`; the suffix sets the format.

    .mp4 and .mov are H.264, which any player shows (odd sides get one more row or column, their last again), .mkv is
    FFV1, which keeps every byte, .gif loops and keeps time to 1/100 s. Values outside [0, 1] are a `ValueError`.

    >>> wl.frontends.write_video("black.mp4", torch.zeros(1, 3, 4, 32, 32), fps=8)
    >>> wl.frontends.read_video("black.mp4").fps
    8.0
    """
    if isinstance(video, Tensor) and fps is None:
        raise ValueError("frames must be written at a rate per second; got none. Give fps, or a Video.")
    video = video if isinstance(video, Video) else Video(video, float(fps or 0))
    data, suffix = video.data[0].detach().float().cpu(), Path(path).suffix.lower()
    if suffix not in (*CODECS, ".gif"):
        raise ValueError(f"a video must be written as {', '.join(CODECS)} or .gif; got {Path(path).name!r}.")
    low, high = data.min().item(), data.max().item()
    if not (low > -0.5 / 255 and high < 255.5 / 255):
        raise ValueError(f"frames must lie in [0, 1]; got {low:.3g} to {high:.3g}. Clamp or rescale them first.")
    pixels = (data.permute(1, 2, 3, 0) * 255).round().clamp(0, 255).byte().numpy()
    if suffix == ".gif":
        _write_gif(path, pixels, video.fps)
    else:
        _write_encoded(path, pixels, video.fps, *CODECS[suffix])


def _check_rate(fps: float) -> None:
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"fps, the frames per second, must be above 0; got {fps}.")


def _numbers(frames: int, first: int, count: int | None, stride: int) -> range:
    """The numbers of the frames that are taken."""
    if stride < 1 or first < 0 or (count is not None and count < 1):
        raise ValueError(
            f"first must be at least 0, and count and stride at least 1; got {first}, {count} and {stride}."
        )
    stop = frames if count is None else first + (count - 1) * stride + 1
    if first >= frames or stop > frames:
        raise ValueError(
            f"the video has {frames} frames, too few for frames {first} to {max(stop - 1, first)}. "
            "Take fewer, or closer together."
        )
    return range(first, stop, stride)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """The container and its stream of pictures; what FFmpeg raises becomes a `ValueError`."""
    av = optional("av", "video")
    allowed = {"format_whitelist": ",".join(av.formats_available - PLAYLISTS), "protocol_whitelist": "file"}
    try:
        with av.open(str(Path(path).absolute()), options=allowed, metadata_errors="ignore") as container:
            yield container, _stream(path, container, av)
    except MemoryError:
        raise
    except av.error.ArgumentError as error:
        raise ValueError(f"a video is one file; {path} names others, as a playlist does. Name one of those.") from error
    except av.error.FFmpegError as error:
        raise ValueError(
            f"a video is a file that FFmpeg decodes; {path} is none, or it is damaged ({error.strerror})."
        ) from error
    except (ValueError, ImportError):
        raise
    except Exception as error:  # decoders raise anything on broken bytes
        raise ValueError(f"{path} could not be decoded: {error}. The file is damaged; get a fresh copy.") from error


def _stream(path: Path, container: Any, av: Any) -> Any:
    if container.format.name == "tty":
        raise ValueError(f"a video is a file that FFmpeg decodes; {path} is a text.")
    if container.format.name.endswith("_pipe") or container.format.name == "image2":
        raise ValueError(f"a video has frames in time; {path} is a single picture, which read_image reads.")
    covers = av.stream.Disposition.attached_pic
    pictures = [stream for stream in container.streams.video if not stream.disposition & covers]
    if not pictures:
        types = " and ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise ValueError(f"a video has a stream of pictures; {path} has only {types}.")
    if pictures[0].codec_context is None:
        raise ValueError(f"a video is in a format that FFmpeg decodes; that of {path} is unknown to it. Convert it.")
    pictures[0].thread_type = "AUTO"
    return pictures[0]


def _rate(seconds: NDArray[np.float64], nominal: Fraction | None) -> float:
    """Frames a second: as the file says, if that is what its frames do."""
    if len(seconds) == 1:
        return float(nominal or 1)
    measured = (len(seconds) - 1) / float(seconds[-1])
    return float(nominal) if nominal and abs(float(nominal) / measured - 1) < 0.02 else measured


def _evenly(seconds: NDArray[np.float64], fps: float) -> NDArray[np.intp]:
    """The number of the picture nearest to each `k / fps`."""
    count = round(float(seconds[-1]) * fps) + 1
    halfway = (seconds[1:] + seconds[:-1]) / 2
    return np.searchsorted(halfway, np.arange(count) / fps, side="left")


def _pictures(video: VideoFile, keys: Sequence[int], seek: bool) -> dict[int, NDArray[np.uint8]]:
    """The pictures with these keys, `(height, width, 3)`, as far as they are there."""
    missing, kept = set(keys), {}
    with closing(_decoded(video, len(keys), keys[0] if seek else None)) as frames:
        for key, picture in frames:
            if key in missing:
                missing.discard(key)
                kept[key] = picture()
            if not missing:
                break
    return kept


def _decoded(video: VideoFile, count: int, first: int | None) -> Generator[tuple[int, Callable[[], NDArray[np.uint8]]]]:
    """Keys and pictures from the beginning, or from a key frame before `first`; `count` of them are kept."""
    if animation.is_webp_or_avif(video.path):
        for number, picture in enumerate(animation.pictures(video.path)):
            _check_size(video.path, count, *picture.shape[:2])
            yield number, partial(np.asarray, picture)
        return
    with _opened(video.path) as (container, stream):
        for number, (frame, usual) in enumerate(_frames(container, stream, first)):
            _check_size(video.path, count, frame.height, frame.width)
            yield frame.pts if video.stamped else number, partial(pixels_of, frame, usual)


def _frames(container: Any, stream: Any, first: int | None) -> Iterator[tuple[Any, Matrix]]:
    """The frames, from a key frame before `first` where that is given, each with the display matrix of the first."""
    transparent = alpha_decoder(stream)
    frames = decoded(container, stream, transparent)
    start = next(frames, None)
    if start is None:
        return
    usual = display_matrix(start) or UPRIGHT  # a stream may state it in its first frame alone
    if first is None or transparent is not None:  # the key frames of a transparent layer are its own
        yield start, usual
    else:
        container.seek(first, stream=stream)
        frames = decoded(container, stream)
    yield from ((frame, usual) for frame in frames)


def _check_size(path: Path, count: int, height: int, width: int) -> None:
    size = count * 3 * height * width
    if size > LARGEST:
        raise ValueError(
            f"frames in memory take at most {4 * LARGEST / 2**30:.0f} GiB; {count} of {width} × {height} in {path} "
            f"take {4 * size / 2**30:.0f}. Take fewer, with open_video(path).take."
        )


def _write_encoded(
    path: str | PathLike[str], pixels: NDArray[np.uint8], fps: float, codec: str, layout: str, options: dict[str, str]
) -> None:
    av = optional("av", "video")
    if layout == "yuv420p":
        pixels = np.pad(pixels, ((0, 0), (0, pixels.shape[1] % 2), (0, pixels.shape[2] % 2), (0, 0)), "edge")
    with av.open(str(Path(path).absolute()), "w") as container:
        stream = container.add_stream(
            codec, rate=Fraction(fps).limit_denominator(1001 if fps >= 1 else 10**6), options=options
        )
        stream.height, stream.width, stream.pix_fmt = pixels.shape[1], pixels.shape[2], layout
        for picture in pixels:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _write_gif(path: str | PathLike[str], pixels: NDArray[np.uint8], fps: float) -> None:
    first, *rest = [Image.fromarray(picture) for picture in pixels]
    times = [round(100 * k / fps) * 10 for k in range(len(pixels) + 1)]
    durations = [max(after - before, 10) for before, after in itertools.pairwise(times)]
    first.save(path, "GIF", save_all=True, append_images=rest, duration=durations, loop=0)
