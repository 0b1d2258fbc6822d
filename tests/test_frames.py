"""Frames as they are meant to be seen: eight orientations, transparency over white, and animated pictures."""

import io
import struct
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image, features

from test_video import encode
from wavelens.frontends import animation, frames, read_image
from wavelens.frontends.video import open_video, read_video

pytestmark = pytest.mark.needs("av")

STORED = [[1, 2, 3], [4, 5, 6]]
ORIENTATIONS = {  # of EXIF: the matrix (a, b, c, d) that takes (x, y) to (a x + c y, b x + d y), and what is seen
    1: ((1, 0, 0, 1), [[1, 2, 3], [4, 5, 6]]),
    2: ((-1, 0, 0, 1), [[3, 2, 1], [6, 5, 4]]),
    3: ((-1, 0, 0, -1), [[6, 5, 4], [3, 2, 1]]),
    4: ((1, 0, 0, -1), [[4, 5, 6], [1, 2, 3]]),
    5: ((0, 1, 1, 0), [[1, 4], [2, 5], [3, 6]]),
    6: ((0, 1, -1, 0), [[4, 1], [5, 2], [6, 3]]),
    7: ((0, -1, -1, 0), [[6, 3], [5, 2], [4, 1]]),
    8: ((0, -1, 1, 0), [[3, 6], [2, 5], [1, 4]]),
}
SIDE = 16  # pixels of a cell of STORED
MATRIX = {b"tkhd": 4 + 4 + 20 + 16, b"mvhd": 4 + 4 + 16 + 16}  # bytes from a box's name to its matrix, in version 0


def cells(values=STORED):
    """Grey cells whose level tells their number."""
    grey = np.kron(np.array(values, np.uint8) * 40, np.ones((SIDE, SIDE), np.uint8))
    return np.stack([grey] * 3, -1)


def seen(path, time=1):
    """The numbers of the cells in a frame of a file."""
    frame = read_video(path).data[0, :, time].mean(0) * 255 / 40
    return frame[SIDE // 2 :: SIDE, SIDE // 2 :: SIDE].round().int().tolist()


def patch(path, box, matrix):
    """Writes a matrix of four numbers into a header of an mp4."""
    a, b, c, d = (round(v * 65536) for v in matrix)
    content = bytearray(path.read_bytes())
    place = content.index(box) + MATRIX[box]
    content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("box", [b"tkhd", b"mvhd"])
def test_a_display_matrix_turns_and_mirrors(tmp_path, orientation, box):
    path, (matrix, expected) = tmp_path / "a.mov", ORIENTATIONS[orientation]
    encode(path, [cells()] * 3, "png", "rgb24")
    patch(path, box, matrix)
    assert seen(path) == expected


def test_the_matrices_of_track_and_movie_are_applied_one_after_the_other(tmp_path):
    encode(tmp_path / "a.mov", [cells()] * 3, "png", "rgb24")
    patch(tmp_path / "a.mov", b"tkhd", ORIENTATIONS[6][0])
    patch(tmp_path / "a.mov", b"mvhd", ORIENTATIONS[2][0])
    assert seen(tmp_path / "a.mov") == [[1, 4], [2, 5], [3, 6]]  # a quarter turn clockwise, then left for right


def test_a_matrix_that_only_scales_or_is_none_changes_nothing(tmp_path):
    encode(tmp_path / "a.mov", [cells()] * 3, "png", "rgb24")
    for matrix in ((2, 0, 0, 0.5), (0, 0, 0, 0)):
        patch(tmp_path / "a.mov", b"tkhd", matrix)
        assert seen(tmp_path / "a.mov") == STORED


def test_half_a_quarter_turn_says_so(tmp_path):
    encode(tmp_path / "a.mov", [cells()] * 3, "png", "rgb24")
    patch(tmp_path / "a.mov", b"tkhd", (0.7, 0.7, -0.7, 0.7))
    with pytest.raises(ValueError, match=r"its display matrix is \[0\.7 0\.7; -0\.7 0\.7\]\. Turn its pixels"):
        read_video(tmp_path / "a.mov")


@pytest.mark.parametrize(("options", "orientation"), [("flip=horizontal", 2), ("flip=vertical", 4), ("rotate=90", 8)])
def test_the_orientation_that_an_h264_stream_states_is_applied(tmp_path, options, orientation):
    """It stands in a message before each frame; its angle runs anticlockwise."""
    import av
    from av.bitstream import BitStreamFilterContext

    encode(tmp_path / "plain.mp4", [cells()] * 3, "libx264", "yuv420p", options={"crf": "1"})
    with av.open(str(tmp_path / "plain.mp4")) as given, av.open(str(tmp_path / "a.mp4"), "w") as out:
        stream = given.streams.video[0]
        copy = out.add_stream_from_template(stream)
        stating = BitStreamFilterContext(f"h264_metadata=display_orientation=insert:{options}", stream, copy)
        for packet in given.demux(stream):
            for changed in stating.filter(packet if packet.size else None):
                changed.stream = copy
                out.mux(changed)
    assert seen(tmp_path / "a.mp4") == ORIENTATIONS[orientation][1]


def store(path, pictures, codec, layout, height, width):
    """Encoded pictures as the frames of a file."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width, stream.pix_fmt = height, width, layout
        for k, picture in enumerate(pictures):
            packet = av.Packet(picture)
            packet.pts = packet.dts = k
            packet.time_base, packet.stream, packet.is_keyframe = Fraction(1, 10), stream, True
            container.mux(packet)


def orients_by_exif():
    import av

    return av.library_versions["libavcodec"] >= (62,)  # FFmpeg 8


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_frames_with_exif_are_turned_and_mirrored(tmp_path, orientation):
    """FFmpeg makes a display matrix of it, beside side data of a kind that PyAV has no name for."""
    if not orients_by_exif():
        pytest.skip("FFmpeg reads EXIF from version 8")
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    Image.fromarray(cells()).save(file, "JPEG", quality=98, exif=exif)
    store(tmp_path / "a.mov", [file.getvalue()] * 3, "mjpeg", "yuvj420p", 2 * SIDE, 3 * SIDE)
    assert seen(tmp_path / "a.mov") == ORIENTATIONS[orientation][1]


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_photo_is_oriented_alike(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(cells()).save(tmp_path / "a.png", exif=exif)
    photo = read_image(tmp_path / "a.png")[0].mean(0) * 255 / 40
    assert photo[SIDE // 2 :: SIDE, SIDE // 2 :: SIDE].round().int().tolist() == ORIENTATIONS[orientation][1]


RED = (200, 0, 0)
FAINT = tuple(0.2 * v + 0.8 * 255 for v in RED)  # over white, at an alpha of 51 of 255


def veiled(number=0):
    """Red, opaque above and faint below; `number` rows of the upper half are faint too."""
    picture = np.zeros((64, 64, 4), np.uint8)
    picture[...] = (*RED, 51)
    picture[number:32, :, 3] = 255
    return picture


def check_veiled(path, tolerance):
    frame = read_video(path).data[0, :, 1] * 255
    for row, expected in ((20, RED), (60, FAINT)):
        assert frame[:, row, 30].tolist() == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize(
    ("name", "codec", "layout", "options"),
    [
        ("a.webm", "libvpx-vp9", "yuva420p", {}),
        ("a.mkv", "libvpx-vp9", "yuva420p", {}),
        ("a.webm", "libvpx", "yuva420p", {"auto-alt-ref": "0"}),
        ("a.mov", "prores_ks", "yuva444p10le", {}),
        ("a.mov", "png", "rgba", {}),
        ("a.mov", "qtrle", "argb", {}),
        ("a.mkv", "ffv1", "yuva420p", {}),
        ("a.mkv", "ffv1", "bgra", {}),
        ("a.avi", "utvideo", "gbrap", {}),
        ("a.apng", "apng", "rgba", {}),
    ],
)
def test_transparency_is_white(tmp_path, name, codec, layout, options):
    """Tolerances: a step of 8 bits, and three where colours are kept as luma and chroma of 8 bits."""
    encode(tmp_path / name, [veiled()] * 3, codec, layout, given="rgba", rate=10, options=options)
    check_veiled(tmp_path / name, 3 if layout.startswith("yuva") else 1)


def layered(width, height, alpha, seed=0, **properties):
    """A yuva420p frame of random luma and chroma, with that alpha everywhere, and its opaque yuv420p twin."""
    import av

    draw, made = np.random.default_rng(seed), []
    values = [draw.integers(16, 236, (height, width + 8)), *(draw.integers(16, 240, (2, height, width + 8)))]
    for layout in ("yuva420p", "yuv420p"):
        frame = av.VideoFrame(width, height, layout)
        for plane, layer in zip(frame.planes, [*values, np.full((height, width), alpha)], strict=False):
            rows = np.zeros((plane.height, plane.line_size), np.uint8)
            rows[:, : plane.width] = layer[: plane.height, : plane.width]
            plane.update(rows.tobytes().ljust(plane.buffer_size, b"\0"))
        for name, value in properties.items():
            setattr(frame, name, value)
        made.append(frame)
    return made


WIDTHS = (*range(31, 50), 64, 66, 100, 500)


@pytest.mark.parametrize("width", WIDTHS)
def test_every_column_of_a_transparent_frame_is_what_it_stores(width):
    """FFmpeg packs yuva420p into RGBA without the alpha of the last columns, where a row has 1 to 4 after 16."""
    for alpha in (0, 51, 255):
        frame, twin = layered(width, 40, alpha)
        opaque = twin.to_ndarray(format="rgb24").astype(float)
        white = np.full_like(opaque, 255)
        expected = opaque * alpha / 255 + white * (1 - alpha / 255)
        first, second = (frames.pixels_of(frame, frames.UPRIGHT) for _ in range(2))
        np.testing.assert_allclose(first, expected, atol=0.51)
        assert (first == second).all()


@pytest.mark.parametrize("range_", [1, 2], ids=["tv", "pc"])
@pytest.mark.parametrize("matrix", [1, 5, 9], ids=["709", "601", "2020"])
@pytest.mark.parametrize("width", [34, 48])
def test_colours_of_a_transparent_frame_follow_its_matrix_and_range(width, matrix, range_):
    frame, twin = layered(width, 40, 255, colorspace=matrix, color_range=range_)
    assert (frames.pixels_of(frame, frames.UPRIGHT) == frames.pixels_of(twin, frames.UPRIGHT)).all()
    plain, _ = layered(width, 40, 255, colorspace=1, color_range=1)
    if (matrix, range_) != (1, 1):
        assert (frames.pixels_of(frame, frames.UPRIGHT) != frames.pixels_of(plain, frames.UPRIGHT)).any()


@pytest.mark.parametrize(("codec", "suffix"), [("libvpx-vp9", "webm"), ("libvpx", "webm"), ("ffv1", "mkv")])
@pytest.mark.parametrize("width", [33, 34, 35, 36, 500])
def test_a_transparent_video_is_the_same_twice_and_to_its_last_column(tmp_path, codec, suffix, width):
    picture = np.empty((36, width, 4), np.uint8)
    picture[...] = (*RED, 51)
    options = {"auto-alt-ref": "0"} if codec == "libvpx" else {}
    encode(tmp_path / f"a.{suffix}", [picture] * 3, codec, "yuva420p", given="rgba", rate=10, options=options)
    video = read_video(tmp_path / f"a.{suffix}").data
    assert torch.equal(video, read_video(tmp_path / f"a.{suffix}").data)
    assert (video[0, :, 1] * 255 - torch.tensor(FAINT)[:, None, None]).abs().max() < 4


def test_a_palette_with_transparency_is_white(tmp_path):
    picture, file = Image.new("P", (64, 64), 0), io.BytesIO()
    picture.putpalette([*RED, *RED])
    picture.paste(1, (0, 32, 64, 64))
    picture.save(file, "PNG", transparency=bytes([255, 51]))
    store(tmp_path / "a.mov", [file.getvalue()] * 3, "png", "rgba", 64, 64)
    check_veiled(tmp_path / "a.mov", 1)


def skip_without(format):
    if not features.check(format.lower()):
        pytest.skip(f"this Pillow has no {format}")


@pytest.mark.parametrize(("format", "options"), [("WEBP", {"lossless": True}), ("AVIF", {"quality": 100})])
def test_an_animated_picture_is_a_video(tmp_path, format, options):
    """Frames of 100, 200, 100 and 100 ms: evenly in time they are 0, 1, 1, 3 at 7.5 a second."""
    skip_without(format)
    first, *rest = [Image.fromarray(veiled(8 * k), "RGBA") for k in range(4)]
    path = tmp_path / f"a.{format.lower()}"
    first.save(path, save_all=True, append_images=rest, duration=[100, 200, 100, 100], **options)
    file = open_video(path)
    assert (file.frames, file.fps) == (4, pytest.approx(7.5))
    veils = (read_video(path).data[0, 1] * 255 > 100).sum(1)[:, 30] - 32
    assert veils.tolist() == [8 * k for k in nearest([0, 0.1, 0.3, 0.4], 7.5)]
    assert torch.equal(file.take(3, 1).data, read_video(path).data[:, :, 3:])
    check_veiled(path, 3)
    torch.testing.assert_close(read_image(path)[0], read_video(path).data[0, :, 0], rtol=0, atol=0.51 / 255)


def nearest(starts, fps):
    """The frame whose start is nearest to each `k / fps`."""
    return [min(range(len(starts)), key=lambda i: abs(starts[i] - k / fps)) for k in range(len(starts))]


@pytest.mark.parametrize("format", ["WEBP", "AVIF"])
def test_a_still_picture_is_no_video(tmp_path, format):
    skip_without(format)
    path = tmp_path / f"a.{format.lower()}"
    Image.fromarray(veiled(), "RGBA").save(path)
    with pytest.raises(ValueError, match=r"a video has frames in time; .* is a single picture, which read_image reads"):
        open_video(path)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ValueError, match=r"could not be decoded|single picture"):
        open_video(path)


def test_transparency_that_cannot_be_decoded_is_refused(tmp_path, monkeypatch):
    encode(tmp_path / "a.webm", [veiled()] * 3, "libvpx-vp9", "yuva420p", given="rgba")
    monkeypatch.setitem(frames.ALPHA_DECODERS, "vp9", "libnone")
    with pytest.raises(ValueError, match=r"a transparent vp9 video is decoded by libnone, which this PyAV lacks"):
        read_video(tmp_path / "a.webm")


def test_a_transparent_layer_is_decoded_from_its_beginning(tmp_path):
    """Its key frames are not those of the colours."""
    pictures = [veiled(k) for k in range(24)]
    options = {"g": "6", "auto-alt-ref": "0"}
    encode(tmp_path / "a.webm", pictures, "libvpx-vp9", "yuva420p", given="rgba", options=options)
    whole, file = read_video(tmp_path / "a.webm"), open_video(tmp_path / "a.webm")
    for first, count, stride in ((5, 1, 1), (13, 4, 3), (23, 1, 1)):
        assert torch.equal(file.take(first, count, stride).data, whole.take(first, count, stride).data)


def test_frames_without_a_duration_last_a_tenth_of_a_second(tmp_path):
    first, *rest = [Image.fromarray(veiled(8 * k), "RGBA") for k in range(3)]
    first.save(tmp_path / "a.webp", save_all=True, append_images=rest, duration=0)
    assert (open_video(tmp_path / "a.webp").frames, open_video(tmp_path / "a.webp").fps) == (3, pytest.approx(10))


def test_broken_bytes_in_an_animation_say_so(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    first, *rest = [Image.fromarray(picture) for picture in noise]
    first.save(tmp_path / "a.webp", save_all=True, append_images=rest, lossless=True)
    content = bytearray((tmp_path / "a.webp").read_bytes())
    place = content.rindex(b"VP8L") + 8  # the picture of the last frame
    content[place : place + 100] = bytes(100)
    (tmp_path / "a.webp").write_bytes(content)
    assert animation.is_webp_or_avif(tmp_path / "a.webp")
    with pytest.raises(ValueError, match=r"a\.webp could not be decoded"):
        read_video(tmp_path / "a.webp")
