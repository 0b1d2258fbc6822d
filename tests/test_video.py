"""Videos: what is read is what was shown, when it was shown; what is written comes back; wrong files say so."""

import struct
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

from wavelens.domains import DWT
from wavelens.frontends import video as frontend
from wavelens.frontends.video import Video, open_video, read_video, write_video

pytestmark = pytest.mark.needs("av")


def clip(frames=20, height=6, width=8, seed=0):
    """Random bytes as floats, `(1, 3, time, height, width)`: each frame is unlike every other."""
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (1, 3, frames, height, width), generator=draw) / 255


def steps(frames=20, side=32):
    """Frame `k` is grey of `12 k + 10` everywhere: its number can be read from a lossy copy."""
    grey = (torch.arange(frames) * 12 + 10) / 255
    return grey[None, None, :, None, None].expand(1, 3, frames, side, side).contiguous()


def numbers(x):
    """The numbers of the frames of `steps`."""
    return ((x.mean((0, 1, 3, 4)) * 255 - 10) / 12).round().int().tolist()


def encode(path, pictures, codec="ffv1", layout="bgr0", rate=25, stamps=None, given="rgb24", unit=None, **tags):
    """A file by PyAV alone: arrays in the layout `given`, shown at `stamps` of the time base `unit`."""
    import av

    options = tags.pop("options", {})
    with av.open(str(path), "w", **({"format": tags.pop("format")} if "format" in tags else {})) as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width = pictures[0].shape[:2] if given != "yuv444p" else pictures[0].shape[1:]
        stream.pix_fmt = layout
        if unit:
            stream.codec_context.time_base = unit
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        for k, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=given)
            for name, value in tags.items():
                setattr(frame, name, value)
            if stamps is not None:
                frame.pts, frame.time_base = stamps[k], unit
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def cut_out(source, path, first):
    """The file without its first packets, as a stream is cut out of a broadcast."""
    import av

    with av.open(str(source)) as given, av.open(str(path), "w") as out:
        stream = given.streams.video[0]
        copy = out.add_stream_from_template(stream)
        for packet in [packet for packet in given.demux(stream) if packet.size][first:]:
            packet.stream = copy
            out.mux(packet)


@pytest.mark.parametrize("first", [3, 5, 11, 12, 13, 20])
@pytest.mark.parametrize("suffix", ["ts", "mkv"])
@pytest.mark.parametrize(
    ("codec", "options"),
    [("mpeg2video", {"g": "12", "bf": "2"}), ("libx264", {"g": "12", "bf": "2", "x264opts": "open-gop=1:scenecut=0"})],
)
def test_a_stream_that_was_cut_in_its_middle_begins_with_its_first_key_frame(tmp_path, codec, options, suffix, first):
    pictures = (steps(40)[0].permute(1, 2, 3, 0) * 127.5).round().byte().numpy()
    encode(tmp_path / f"whole.{suffix}", pictures, codec, "yuv420p", options=options)
    cut_out(tmp_path / f"whole.{suffix}", tmp_path / f"cut.{suffix}", first)
    whole, file = read_video(tmp_path / f"whole.{suffix}"), open_video(tmp_path / f"cut.{suffix}")
    assert 40 - 16 - first <= file.frames <= 40 - first
    assert file.fps == pytest.approx(whole.fps)
    expected = whole.data[:, :, 40 - file.frames :]
    assert (file.take().data - expected).abs().max() < 0.02
    for start, count, stride in ((1, 3, 2), (file.frames - 2, 2, 1)):
        part = file.take(start, count, stride).data
        assert (part - expected[:, :, start : start + count * stride : stride]).abs().max() < 0.02


@pytest.mark.parametrize("fps", [25, 12.5, 30000 / 1001, 7.3, 0.5])
@pytest.mark.parametrize("shape", [(20, 6, 8), (3, 7, 5), (1, 4, 4)])
def test_lossless_files_give_back_every_byte_and_the_rate(tmp_path, shape, fps):
    x = clip(*shape)
    write_video(tmp_path / "a.mkv", x, fps)
    found = read_video(tmp_path / "a.mkv")
    assert torch.equal(found.data, x)
    assert found.data.dtype == torch.float32
    assert found.fps == pytest.approx(fps, rel=1e-6)
    assert found.seconds == pytest.approx(shape[0] / fps)


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("fps", [25, 30000 / 1001])
def test_lossy_files_keep_frames_rate_and_nearly_the_colours(tmp_path, suffix, fps):
    rows, columns = torch.meshgrid(torch.linspace(0, 1, 48), torch.linspace(0, 1, 64), indexing="ij")
    ramp = torch.stack([rows, columns, 1 - rows])
    x = torch.stack([ramp.roll(3 * k, 2) for k in range(20)], 1)[None]
    write_video(tmp_path / f"a{suffix}", Video(x, fps))
    found = read_video(tmp_path / f"a{suffix}")
    assert found.data.shape == x.shape
    assert found.fps == pytest.approx(fps, rel=1e-6)
    assert (found.data - x).abs().mean() < 0.015
    distance = (found.data[0, :, :, None] - x[0, :, None]).abs().mean((0, 3, 4))  # (found, given)
    assert distance.argmin(1).tolist() == list(range(20))


def test_odd_sides_are_evened_by_their_last_row_and_column(tmp_path):
    write_video(tmp_path / "a.mp4", steps()[..., :31, :29], 10)
    found = read_video(tmp_path / "a.mp4")
    assert found.data.shape == (1, 3, 20, 32, 30)
    assert numbers(found.data) == list(range(20))
    assert numbers(found.data[..., -1:, -1:]) == list(range(20))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_taking_frames_of_a_file_is_taking_them_of_the_video(tmp_path, name):
    """Across key frames and pictures that are stored out of order."""
    write_video(tmp_path / name, steps(), 25)
    whole, file = read_video(tmp_path / name), open_video(tmp_path / name)
    assert numbers(whole.data) == list(range(20))
    assert (file.frames, file.fps, file.seconds) == (20, 25, 0.8)
    for first, count, stride in [(0, None, 1), (3, 5, 1), (13, 7, 1), (2, 4, 5), (19, 1, 1), (4, None, 3)]:
        part, expected = file.take(first, count, stride), whole.take(first, count, stride)
        assert torch.equal(part.data, expected.data)
        assert numbers(part.data) == list(range(20))[first:][::stride][:count]
        assert part.fps == expected.fps == 25 / stride


def test_a_seek_lands_before_the_frame_that_is_wanted(tmp_path):
    grey = [np.full((32, 32, 3), 10 + 2 * k, np.uint8) for k in range(100)]
    encode(tmp_path / "a.mp4", grey, "libx264", "yuv420p", options={"g": "12", "bf": "3", "crf": "1"})
    found = open_video(tmp_path / "a.mp4").take(40, 12, 5)
    level = (found.data.mean((0, 1, 3, 4)) * 255).round().int().tolist()
    assert level == pytest.approx([10 + 2 * k for k in range(40, 100, 5)], abs=1)


def rolling(frames=40, side=32):
    """A pattern that moves and grows brighter: a frame decoded without its predecessors differs from itself."""
    ground = np.random.default_rng(0).integers(0, 200, (side // 8, side // 8, 3), dtype=np.uint8)
    ground = np.kron(ground, np.ones((8, 8, 1), np.uint8))
    return [np.roll(ground, 3 * k, 1) + np.uint8(k) for k in range(frames)]


GROUPS = {"g": "10", "bf": "3"}
OPEN = {"x264-params": "open-gop=1:keyint=10:bframes=3"}
REFRESHED = {"x264-params": "intra-refresh=1:keyint=10:bframes=3"}
OPEN_HEVC = {"x265-params": "open-gop=1:keyint=10:bframes=3:log-level=none"}
HIDDEN = {"g": "10", "auto-alt-ref": "1", "lag-in-frames": "8"}


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", GROUPS),
        ("a.ts", "libx264", GROUPS),
        ("a.flv", "libx264", GROUPS),
        ("a.mkv", "libx264", OPEN),
        ("a.ts", "libx264", OPEN),
        ("a.mp4", "libx264", REFRESHED),
        ("a.ts", "libx264", REFRESHED),
        ("a.mp4", "libx265", OPEN_HEVC),
        ("a.ts", "libx265", OPEN_HEVC),
        ("a.mpg", "mpeg2video", GROUPS),
        ("a.ts", "mpeg2video", GROUPS),
        ("a.avi", "mpeg4", GROUPS),
        ("a.mp4", "mpeg4", GROUPS),
        ("a.webm", "libvpx", HIDDEN),
        ("a.webm", "libvpx-vp9", HIDDEN),
        ("a.wmv", "wmv2", {"g": "10"}),
    ],
)
def test_any_frames_of_any_file_are_those_of_one_decode(tmp_path, name, codec, options):
    """Key frames that later ones look past, pictures out of order and hidden ones, files without an index."""
    encode(tmp_path / name, rolling(), codec, "yuv420p", options=options)
    check_taking(tmp_path / name)


@pytest.mark.parametrize("cut", [1, 7, 13])
def test_what_an_edit_list_cuts_off_is_not_shown(tmp_path, cut):
    encode(tmp_path / "a.mp4", rolling(), "libx264", "yuv420p", options=GROUPS)
    uncut = read_video(tmp_path / "a.mp4")
    content = bytearray((tmp_path / "a.mp4").read_bytes())
    place = content.index(b"elst") + 12  # after the flags and the number of entries: duration in ms, start
    length, start = struct.unpack(">Ii", content[place : place + 8])
    ticks = int.from_bytes(content[(rate := content.index(b"mdhd") + 16) : rate + 4], "big")
    content[place : place + 8] = struct.pack(">Ii", length - cut * 40, start + cut * ticks // 25)
    (tmp_path / "a.mp4").write_bytes(content)
    check_taking(tmp_path / "a.mp4")
    assert torch.equal(read_video(tmp_path / "a.mp4").data, uncut.data[:, :, cut:])


def check_taking(path):
    """Frames that are taken, early or late, are those of PyAV's one decode from the beginning."""
    import av

    with av.open(str(path)) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(container.streams.video[0])]
    whole = torch.from_numpy(np.stack(pictures)).permute(3, 0, 1, 2)[None] / 255
    file = open_video(path)
    assert file.frames == len(pictures)
    for first, count, stride in [(0, None, 1), (2, 3, 9), *((k, 1, 1) for k in range(5, file.frames, 4))]:
        expected = Video(whole, file.fps).take(first, count, stride)
        assert torch.equal(file.take(first, count, stride).data, expected.data), (first, count, stride)


def test_frames_shown_unevenly_are_read_evenly_in_time(tmp_path):
    stamps = [0, 40, 80, 300, 340, 900, 1000]  # milliseconds
    pictures = [np.full((4, 4, 3), 30 * k, np.uint8) for k in range(7)]
    encode(tmp_path / "a.mkv", pictures, stamps=stamps, unit=Fraction(1, 1000))
    found = read_video(tmp_path / "a.mkv")
    assert found.fps == pytest.approx(6)
    nearest = [min(range(7), key=lambda i: abs(stamps[i] - 1000 * k / 6)) for k in range(7)]
    assert (found.data[0, 0, :, 0, 0] * 255 / 30).round().tolist() == nearest
    assert nearest != list(range(7))


def test_a_late_start_is_no_gap(tmp_path):
    pictures = [np.full((4, 4, 3), 30 * k, np.uint8) for k in range(5)]
    encode(tmp_path / "a.mkv", pictures, stamps=[500 + 40 * k for k in range(5)], unit=Fraction(1, 1000))
    found = read_video(tmp_path / "a.mkv")
    assert (found.data[0, 0, :, 0, 0] * 255 / 30).round().tolist() == [0, 1, 2, 3, 4]
    assert found.fps == pytest.approx(25)


def test_a_stream_without_time_stamps_is_counted(tmp_path):
    grey = [np.full((32, 32, 3), 10 + 12 * k, np.uint8) for k in range(20)]
    encode(tmp_path / "a.h264", grey, "libx264", "yuv420p", format="h264", options={"crf": "1"})
    assert numbers(open_video(tmp_path / "a.h264").take(5, 3, 2).data) == [5, 7, 9]
    assert numbers(read_video(tmp_path / "a.h264").data) == list(range(20))


def test_an_animation_loops_at_its_rate(tmp_path):
    palette = torch.tensor([[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]) / 255
    draw = torch.randint(0, 5, (12, 6, 8), generator=torch.Generator().manual_seed(0))
    x = palette[draw].permute(3, 0, 1, 2)[None]
    write_video(tmp_path / "a.gif", x, 12)
    with Image.open(tmp_path / "a.gif") as image:
        assert image.info["loop"] == 0
    found = read_video(tmp_path / "a.gif")
    assert torch.equal(found.data, x)
    assert found.fps == pytest.approx(12, rel=0.01)


@pytest.mark.parametrize(
    ("standard", "red", "blue"), [(1, 0.2126, 0.0722), (5, 0.299, 0.114)], ids=["BT.709", "BT.601"]
)
@pytest.mark.parametrize("full", [False, True])
def test_colours_follow_the_standard_of_the_file(tmp_path, standard, red, blue, full):
    y, u, v = 120, 90, 170
    picture = np.stack([np.full((16, 16), value, np.uint8) for value in (y, u, v)])
    tags = {"colorspace": standard, "color_range": 2 if full else 1}
    encode(tmp_path / "a.mkv", [picture] * 2, layout="yuv444p", given="yuv444p", **tags)
    luma, cb, cr = (
        (y / 255, (u - 128) / 255, (v - 128) / 255) if full else ((y - 16) / 219, (u - 128) / 224, (v - 128) / 224)
    )
    r, b = luma + 2 * (1 - red) * cr, luma + 2 * (1 - blue) * cb
    g = (luma - red * r - blue * b) / (1 - red - blue)
    expected = torch.tensor([r, g, b], dtype=torch.float32)
    assert (read_video(tmp_path / "a.mkv").data[0, :, 1, 8, 8] - expected).abs().max() <= 1.01 / 255


def test_scales_are_in_seconds_and_pixels():
    grid = Video(clip(16, 8, 8), 20).take(0, 8, 2).grid
    assert grid.labels(DWT("haar", (2, 1, 1)).layout((8, 8, 8))) == {
        "a2": "> 0.4 s × > 2 × > 2 px",
        "d2": "0.2–0.4 s × > 2 × > 2 px",
        "d1": "0.1–0.2 s × 1–2 × 1–2 px",
    }


def broken(kind, folder):
    path = folder / {"text": "a.txt", "picture": "a.png", "sound": "a.wav"}.get(kind, "a.mp4")
    if kind == "picture":
        Image.new("RGB", (8, 8)).save(path)
    elif kind == "sound":
        import soundfile

        soundfile.write(path, np.zeros(800), 8000)
    elif kind == "folder":
        path.mkdir()
    elif kind == "truncated":
        write_video(path, steps(), 25)
        path.write_bytes(path.read_bytes()[:900])
    elif kind != "missing":
        path.write_bytes({"empty": b"", "text": b"a film about rain\n" * 200, "noise": bytes(range(256)) * 40}[kind])
    return path


@pytest.mark.parametrize(
    ("kind", "match", "error"),
    [
        ("missing", r"no such video: .*a\.mp4\. Check the spelling", FileNotFoundError),
        ("folder", r"a video must be a file; got the folder .*a\.mp4", ValueError),
        ("empty", r"a\.mp4 is empty, so it is not a video", ValueError),
        ("noise", r"a video is a file that FFmpeg decodes; .*a\.mp4 is none, or it is damaged", ValueError),
        ("truncated", r"a video is a file that FFmpeg decodes; .*a\.mp4 is none, or it is damaged", ValueError),
        ("text", r"a video is a file that FFmpeg decodes; .*a\.txt is a text", ValueError),
        ("picture", r"a\.png is a single picture, which read_image reads", ValueError),
        ("sound", r"a video has a stream of pictures; .*a\.wav has only audio", ValueError),
    ],
)
def test_what_is_no_video_says_so_in_one_line(tmp_path, kind, match, error):
    path = broken(kind, tmp_path)
    with pytest.raises(error, match=match) as raised:
        read_video(path)
    assert "\n" not in str(raised.value)


def test_a_video_without_frames_says_so(tmp_path):
    import av

    with av.open(str(tmp_path / "a.avi"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height = stream.width = 16
        stream.pix_fmt = "yuv420p"
        container.start_encoding()
    with pytest.raises(ValueError, match=r"a video has frames; .*a\.avi has none"):
        read_video(tmp_path / "a.avi")


def test_pictures_in_an_unknown_format_say_so(tmp_path):
    encode(tmp_path / "a.mov", rolling(2), "png", "rgb24")
    content = (tmp_path / "a.mov").read_bytes()
    (tmp_path / "a.mov").write_bytes(content.replace(b"png ", b"none"))
    with pytest.raises(ValueError, match=r"a format that FFmpeg decodes; that of .*a\.mov is unknown"):
        open_video(tmp_path / "a.mov")


def test_a_decoder_that_gives_up_is_no_lack_of_permission(tmp_path, monkeypatch):
    """FFmpeg's decoder of GIF says EPERM of some broken bytes, which PyAV makes a `PermissionError`."""
    import av

    def broken(*_):
        raise av.error.PermissionError(1, "Operation not permitted")

    write_video(tmp_path / "a.gif", steps(3), 10)
    monkeypatch.setattr(frontend, "decoded", broken)
    with pytest.raises(ValueError, match=r"a\.gif is none, or it is damaged"):
        read_video(tmp_path / "a.gif")


@pytest.mark.needs("av")
def test_frames_whose_size_changes_say_so(tmp_path):
    parts = []
    for height, width in ((32, 48), (40, 64)):
        grey = [np.full((height, width, 3), 10 * k, np.uint8) for k in range(4)]
        encode(tmp_path / "part.h264", grey, "libx264", "yuv420p", format="h264")
        parts.append((tmp_path / "part.h264").read_bytes())
    (tmp_path / "a.h264").write_bytes(b"".join(parts))
    with pytest.raises(ValueError, match=r"have one size; got 32 × 48 and 40 × 64 pixels in .*a\.h264\. Cut it"):
        read_video(tmp_path / "a.h264")


def test_a_file_that_was_cut_off_has_the_frames_that_came(tmp_path):
    write_video(tmp_path / "a.mkv", clip(20, 32, 32), 25)
    content = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "a.mkv").write_bytes(content[: len(content) // 2])
    found = read_video(tmp_path / "a.mkv")
    assert 5 < found.frames < 12
    assert torch.equal(found.data, clip(20, 32, 32)[:, :, : found.frames])


def test_frames_that_cannot_be_decoded_are_not_passed_over(tmp_path):
    write_video(tmp_path / "a.mkv", clip(5), 25)
    file = open_video(tmp_path / "a.mkv")
    with pytest.raises(
        ValueError, match=r"a\.mkv could not be decoded: 1 of 6 frames are missing\. The file is damaged"
    ):
        replace(file, keys=(*file.keys, 200)).take()


def test_a_video_larger_than_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    write_video(tmp_path / "a.mkv", clip(20, 6, 8), 25)
    monkeypatch.setattr(frontend, "LARGEST", 10 * 3 * 6 * 8)
    assert open_video(tmp_path / "a.mkv").take(0, 10).frames == 10
    with pytest.raises(ValueError, match=r"at most .* GiB; 20 of 8 × 6 in .* Take fewer"):
        read_video(tmp_path / "a.mkv")


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda path: write_video(path / "a.mp4", clip()), "at a rate per second; got none"),
        (lambda path: write_video(path / "a.mp4", clip(), 0.0), "fps, the frames per second, must be above 0; got 0.0"),
        (lambda path: write_video(path / "a.mp4", clip() * 2, 25), r"frames must lie in \[0, 1\]; got 0 to 2\. Clamp"),
        (lambda path: write_video(path / "a.mp4", clip() * torch.nan, 25), r"frames must lie in \[0, 1\]; got nan"),
        (lambda path: write_video(path / "a.xyz", clip(), 25), r"written as \.mp4, .* or \.gif; got 'a\.xyz'"),
        (lambda path: Video(torch.zeros(1, 1, 4, 8, 8), 25), r"floating-point \(1, 3, time, height, width\)"),
        (lambda path: Video(torch.zeros(1, 3, 4, 8, 8, dtype=torch.uint8), 25), r"got .* of torch\.uint8"),
        (lambda path: Video(clip().numpy(), 25), "frames must be a tensor; got ndarray"),
        (lambda path: Video(clip(), float("nan")), "fps, the frames per second, .*; got nan"),
        (lambda path: Video(clip(), 25).take(0, 30), "the video has 20 frames, too few for frames 0 to 29"),
        (lambda path: Video(clip(), 25).take(20), "the video has 20 frames, too few for frames 20 to 20"),
        (lambda path: Video(clip(), 25).take(0, 3, 0), "count and stride at least 1; got 0, 3 and 0"),
    ],
)
def test_wrong_use_says_what_to_do(tmp_path, call, match):
    with pytest.raises((TypeError, ValueError), match=match):
        call(tmp_path)
