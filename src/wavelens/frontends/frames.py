"""Frames of videos as they are meant to be seen: turned and mirrored by their display matrix, opaque over white."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wavelens.optional import optional

ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # FFmpeg's own decoders leave out the second, transparent layer
SIDE_DATA_TYPES = 64  # numbers that FFmpeg gives to kinds of side data, with room for further ones
UNIT = 1 << 16  # 1 in the fixed-point numbers of a display matrix
UPRIGHT = (1.0, 0.0, 0.0, 1.0)
MAX_SHEAR = 0.02  # by which a matrix may miss a multiple of a quarter turn: one degree

Matrix = tuple[float, float, float, float]


def alpha_decoder(stream: Any) -> Any:
    """A decoder that keeps the transparent layer of a VP8 or VP9 stream, or None where there is no such layer."""
    name = ALPHA_DECODERS.get(stream.codec_context.name)
    tags = {key.lower(): value for key, value in stream.metadata.items()}
    if name is None or tags.get("alpha_mode", "0") == "0":
        return None
    av = optional("av", "video")
    try:
        decoder = av.CodecContext.create(name, "r")
    except av.codec.codec.UnknownCodecError as error:
        raise ValueError(
            f"a transparent {stream.codec_context.name} video is decoded by {name}, which this PyAV lacks. Install "
            "PyAV from PyPI, or composite the video over a background first."
        ) from error
    decoder.extradata = stream.codec_context.extradata
    return decoder


def decoded(container: Any, stream: Any, decoder: Any = None) -> Iterator[Any]:
    """The frames of a stream in the order in which they are shown, by its own decoder or another."""
    if decoder is None:
        yield from container.decode(stream)
        return
    for packet in container.demux(stream):
        yield from decoder.decode(packet if packet.size else None)


def pixels_of(frame: Any, usual: Matrix) -> NDArray[np.uint8]:
    """The frame upright and opaque, RGB `(height, width, 3)`; `usual` is for frames without a display matrix."""
    pixels = frame.to_ndarray(format="rgb24")
    if frame.format.has_palette or any(component.is_alpha for component in frame.format.components):
        image = Image.fromarray(pixels)
        image.putalpha(Image.fromarray(_alpha(frame)))
        pixels = over_white(image)
    return np.ascontiguousarray(_oriented(pixels, display_matrix(frame) or usual))


def _alpha(frame: Any) -> NDArray[np.uint8]:
    """The transparent layer `(height, width)`, by way of planes: FFmpeg leaves out the last columns of some yuva420p
    frames where it packs them into RGBA itself."""
    return np.ascontiguousarray(frame.reformat(format="gbrap").to_ndarray(format="rgba")[..., 3])


def over_white(image: Image.Image) -> NDArray[np.uint8]:
    """An RGBA picture composited over white, RGB `(height, width, 3)`."""
    return np.array(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB"))


def display_matrix(frame: Any) -> Matrix | None:
    """`(a, b, c, d)`: a pixel at `(x, y)`, y downwards, is shown at `(a x + c y, b x + d y)`, but for a shift."""
    try:
        data = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # a kind of side data that PyAV has no name for
        data = _without_unnamed(frame).side_data.get("DISPLAYMATRIX")
    if data is None:
        return None
    a, b, _, c, d, *_ = struct.unpack("9i", bytes(data))
    return a / UNIT, b / UNIT, c / UNIT, d / UNIT


def _without_unnamed(frame: Any) -> Any:
    """The frame with only those kinds of side data that PyAV can list."""
    av = optional("av", "video")
    graph = av.filter.Graph()
    size = {"width": frame.width, "height": frame.height}
    last = graph.add_buffer(**size, format=frame.format, time_base=frame.time_base or Fraction(1, 25))
    for number in sorted(set(range(SIDE_DATA_TYPES)) - {named.value for named in av.sidedata.sidedata.Type}):
        following = graph.add("sidedata", f"mode=delete:type={number}")
        last.link_to(following)
        last = following
    last.link_to(graph.add("buffersink"))
    graph.configure()
    graph.push(frame)
    return graph.pull()


def _oriented(pixels: NDArray[np.uint8], matrix: Matrix) -> NDArray[np.uint8]:
    """One of the eight orientations: rows and columns change places or not, and either may run backwards."""
    a, b, c, d = matrix
    if a * d == b * c:  # none: players leave such frames as they are
        return pixels
    straight, turned = max(abs(a), abs(d)), max(abs(b), abs(c))
    if min(straight, turned) > MAX_SHEAR * max(straight, turned):
        raise ValueError(
            f"a video is turned by quarter turns and mirrored; its display matrix is [{a:.3g} {b:.3g}; {c:.3g} "
            f"{d:.3g}]. Turn its pixels with a video editor first."
        )
    if straight > turned:
        return pixels[:: _sign(d), :: _sign(a)]
    return pixels.swapaxes(0, 1)[:: _sign(b), :: _sign(c)]


def _sign(value: float) -> int:
    return -1 if value < 0 else 1
