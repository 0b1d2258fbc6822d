"""The end of a sound by its header: a file that was cut short says so, one that was streamed is whole."""

from fractions import Fraction

import numpy as np
import pytest
import soundfile
import torch

from wavelens.frontends.audio import open_audio, read_audio, windows

SAMPLES = 20_000
STATED = [  # libsndfile's containers whose header states how far the samples go, and channels
    ("WAV", "PCM_16", 2),
    ("WAV", "IMA_ADPCM", 2),
    ("RF64", "PCM_16", 1),
    ("RF64", "FLOAT", 2),
    ("RF64", "ALAW", 2),
    ("W64", "PCM_16", 1),
    ("W64", "PCM_U8", 2),
    ("W64", "MS_ADPCM", 2),
    ("W64", "IMA_ADPCM", 1),
    ("AIFF", "PCM_24", 2),
    ("AU", "PCM_16", 1),
    ("AU", "FLOAT", 2),
    ("CAF", "PCM_16", 2),
    ("CAF", "ALAC_16", 2),
    ("AVR", "PCM_16", 2),
    ("AVR", "PCM_S8", 1),
    ("MPC2K", "PCM_16", 2),
    ("NIST", "PCM_24", 2),
    ("NIST", "ULAW", 1),
    ("MAT4", "FLOAT", 2),
    ("MAT5", "DOUBLE", 2),
    ("VOC", "PCM_16", 2),
    ("VOC", "ALAW", 2),
    ("SVX", "PCM_16", 1),
    ("SDS", "PCM_16", 1),
    ("WVE", "ALAW", 1),
    ("OGG", "VORBIS", 2),
    ("OGG", "OPUS", 1),
]
UNSTATED = [
    ("IRCAM", "PCM_16", 1),
    ("IRCAM", "FLOAT", 2),
    ("PVF", "PCM_32", 1),
    ("PAF", "PCM_16", 2),
    ("PAF", "PCM_24", 1),
]


def noise(channels, samples=SAMPLES):
    t = np.arange(samples)[:, None]
    return np.clip(0.4 * np.sin(t / (20 + np.arange(channels))) + 0.1 * np.sin(t**1.5), -0.9, 0.9)


def write(path, container, subtype, channels):
    """A file by libsndfile; returns its samples in one read, `(1, channel, samples)`."""
    soundfile.write(path, noise(channels), 8000 if container == "WVE" else 16000, subtype, format=container)
    return torch.from_numpy(soundfile.read(path, dtype="float32", always_2d=True)[0].T)[None]


def write_by_ffmpeg(path, codec, demuxer, rate, channels):
    """A file by PyAV; returns the samples that it decodes in one pass, where full scale is 1."""
    import av

    layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
    with av.open(str(path), "w", format=demuxer) as out:
        stream = out.add_stream(codec, rate=rate, layout=layout)
        values = np.ascontiguousarray(noise(channels).T, dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(values, "fltp", layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        for part in av.AudioResampler(stream.codec_context.format, layout, rate).resample(frame):
            out.mux(stream.encode(part))
        out.mux(stream.encode())
    with av.open(str(path)) as container:
        converter = av.AudioResampler("dbl")
        parts = [part.to_ndarray() for frame in container.decode(audio=0) for part in converter.resample(frame)]
    return torch.from_numpy(np.concatenate(parts, 1).reshape(-1, channels).T).float()[None]


def check_cut(path, sizes):
    """The first bytes of the file alone are called damaged, however the file is read."""
    content = path.read_bytes()
    for size in sizes:
        cut = path.with_name(f"cut{path.suffix}")
        cut.write_bytes(content[:size])
        for read in (read_audio, open_audio, lambda name: list(windows(name, 0.3))):
            with pytest.raises(ValueError, match=r"cut\.\w+ .*damaged; get a fresh copy"):
                read(cut)


@pytest.mark.parametrize(("container", "subtype", "channels"), STATED)
def test_a_file_that_ends_before_its_samples_says_so(tmp_path, container, subtype, channels):
    path = tmp_path / "a.bin"
    whole = write(path, container, subtype, channels)
    assert torch.equal(read_audio(path).data, whole)
    size = path.stat().st_size
    check_cut(path, (size * 3 // 5 // 768 * 768, size * 3 // 5 | 1))  # between samples, and where it falls


@pytest.mark.parametrize(("container", "subtype", "channels"), UNSTATED)
def test_a_file_without_a_stated_length_that_ends_inside_a_sample_says_so(tmp_path, container, subtype, channels):
    path = tmp_path / "a.bin"
    whole = write(path, container, subtype, channels)
    assert torch.equal(read_audio(path).data, whole)
    check_cut(path, (path.stat().st_size - 1, path.stat().st_size * 3 // 5 | 1))


def test_a_cut_is_seen_behind_a_header_of_any_size(tmp_path):
    """The notes of libsndfile end after 2,048 bytes; chunks of odd size have a filling byte, or lack it."""
    path = tmp_path / "a.wav"
    whole = write(path, "WAV", "PCM_16", 1)
    content = path.read_bytes()
    at = content.index(b"data")
    for filling in (b"\0", b""):
        chunk = b"note\x03\0\0\0abc" + filling
        path.write_bytes(content[:at] + chunk * 200 + content[at:])
        if filling:
            assert torch.equal(read_audio(path).data, whole)
        check_cut(path, (path.stat().st_size * 3 // 5,))


@pytest.mark.parametrize(
    ("container", "before"), [("CAF", b"desc"), ("W64", b"fmt "), ("RF64", b"fmt "), ("WAV", b"fmt ")]
)
def test_a_size_beyond_all_files_says_damaged_or_unknown(tmp_path, container, before):
    path = tmp_path / "a.bin"
    write(path, container, "PCM_16", 1)
    content = path.read_bytes()
    at = content.index(before) + (16 if container == "W64" else 4)
    for size in (b"\xff" * 8, b"\x7f" + b"\xff" * 7, b"\xff" * 7 + b"\x7f"):
        size = size[: 4 if container in ("WAV", "RF64") else 8]
        path.write_bytes(content[:at] + size + content[at + len(size) :])
        with pytest.raises((ValueError, ImportError), match=r"a\.bin .*(damaged|convert|none)"):
            read_audio(path)


def test_a_header_of_zeros_is_given_up(tmp_path):
    """They would be chunks of no size, without an end in a file of gigabytes."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"RIFF" + bytes(4) + b"WAVE" + bytes(3_000_000))
    with pytest.raises((ValueError, ImportError), match=r"a\.bin "):
        read_audio(path)


STREAMED = [  # container, what stands before the size, its bytes, and what streams put there
    ("WAV", b"data", 4, "little", (0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000)),
    ("AIFF", b"SSND", 4, "big", (0xFFFFFFFF, 0x7F000008, 0)),
    ("AU", b".snd\0\0\0\x18", 4, "big", (0xFFFFFFFF,)),
    ("W64", bytes.fromhex("64617461f3acd3118cd100c04f8edb8a"), 8, "little", (0, 2**63 - 1, 2**64 - 1)),
]


@pytest.mark.parametrize(("container", "before", "width", "order", "lengths"), STREAMED)
def test_a_streamed_file_is_whole(tmp_path, container, before, width, order, lengths):
    """Its header was written before its length was known."""
    path = tmp_path / "a.bin"
    whole = write(path, container, "PCM_16", 1)
    content = path.read_bytes()
    at = content.index(before) + len(before)
    for length in lengths:
        path.write_bytes(content[:at] + length.to_bytes(width, order) + content[at + width :])
        assert torch.equal(read_audio(path).data, whole)


@pytest.mark.needs("av")
def test_a_streamed_file_that_libsndfile_refuses_is_whole(tmp_path):
    """A caf whose chunk of samples has the size -1, and a wav where both sizes are 0."""
    path = tmp_path / "a.bin"
    whole = write(path, "CAF", "PCM_16", 2)
    content = path.read_bytes()
    at = content.index(b"data") + 4
    path.write_bytes(content[:at] + b"\xff" * 8 + content[at + 8 :])
    assert torch.equal(read_audio(path).data, whole)
    whole = write(path, "WAV", "PCM_16", 2)
    content = path.read_bytes()
    at = content.index(b"data") + 4
    path.write_bytes(b"RIFF" + bytes(4) + content[8:at] + bytes(4) + content[at + 4 :])
    assert torch.equal(read_audio(path).data, whole)


BEYOND_LIBSNDFILE = [  # demuxer, codec, rate and channels of files that it refuses or takes for others
    ("wav", "flac", 44100, 1),
    ("caf", "flac", 44100, 2),
    ("wav", "adpcm_ms", 96000, 2),
    ("wav", "adpcm_ima_wav", 96000, 2),
    ("wav", "pcm_s64le", 44100, 2),
    ("w64", "pcm_f64le", 96000, 2),
    ("w64", "pcm_f32le", 96000, 2),
    ("w64", "pcm_f32le", 48000, 6),
    ("w64", "pcm_alaw", 96000, 2),
    ("w64", "pcm_mulaw", 96000, 2),
    ("w64", "adpcm_ms", 96000, 2),
    ("adx", "adpcm_adx", 44100, 1),
    ("adx", "adpcm_adx", 48000, 2),
]


@pytest.mark.needs("av")
@pytest.mark.parametrize(("demuxer", "codec", "rate", "channels"), BEYOND_LIBSNDFILE)
def test_what_libsndfile_cannot_read_of_its_own_formats_is_decoded_by_ffmpeg(tmp_path, demuxer, codec, rate, channels):
    """Above 48 kHz headers are extensible: of those of a w64 libsndfile heeds the bits of a sample alone."""
    path = tmp_path / "a.bin"
    whole = write_by_ffmpeg(path, codec, demuxer, rate, channels)
    data = read_audio(path).data
    torch.testing.assert_close(data, whole, rtol=0, atol=1e-7)
    assert torch.equal(torch.cat([clip.data for clip in windows(path, 0.03)], -1), data)
    at = len(noise(1)) // 2
    corr = np.corrcoef(data[0, 0, at : at + 5000].numpy(), noise(channels)[at : at + 5000, 0])[0, 1]
    assert corr > 0.9
    size = path.stat().st_size
    check_cut(path, (size * 3 // 5 | 1,))


@pytest.mark.needs("av")
def test_the_sound_of_an_ogg_with_pictures_is_read(tmp_path):
    import av

    path, x = tmp_path / "a.ogg", np.ascontiguousarray(noise(1, 48_000).T, dtype=np.float32)
    with av.open(str(path), "w", format="ogg") as out:
        film = out.add_stream("libvpx", rate=10)
        film.width = film.height = 32
        film.pix_fmt = "yuv420p"
        sound = out.add_stream("libopus", rate=48000, layout="mono")
        for shade in range(10):
            out.mux(film.encode(av.VideoFrame.from_ndarray(np.full((32, 32, 3), 20 * shade, np.uint8), "rgb24")))
        frame = av.AudioFrame.from_ndarray(x, "fltp", "mono")
        frame.sample_rate = 48000
        out.mux(sound.encode(av.AudioResampler(sound.codec_context.format, "mono", 48000).resample(frame)[0]))
        out.mux(film.encode())
        out.mux(sound.encode())
    data = read_audio(path).data
    assert data.shape == (1, 1, 48_000)
    assert np.corrcoef(data[0, 0, 1000:40_000].numpy(), x[0, 1000:40_000])[0, 1] > 0.9
    check_cut(path, (path.stat().st_size * 3 // 5,))


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_an_ogg_that_lacks_its_last_page_says_so_and_junk_behind_it_is_none(tmp_path, subtype):
    path = tmp_path / "a.ogg"
    soundfile.write(path, noise(1, 200_000), 48000, subtype, format="OGG")
    whole, content = read_audio(path).data, path.read_bytes()
    check_cut(path, (content.rindex(b"OggS"), len(content) - 1))
    path.write_bytes(content + b"TAG" + bytes(125))
    assert torch.equal(read_audio(path).data, whole)
