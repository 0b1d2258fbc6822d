"""Sounds in compressed files: pieces of any length are those of one uninterrupted decode, whoever decodes."""

import os
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from cases import held
from wavelens.frontends import audio, channel_order, decoders, lengths
from wavelens.frontends.audio import Clip, open_audio, read_audio, resample, windows, write_audio
from wavelens.models.preparations.audio import Sampling

ROUNDING = 1e-6  # of float32 in a decoder whose blocks begin elsewhere; a seek leaves errors above 0.1
TWO_DECODERS = 1e-5  # between two decoders of one format, both in float32
LAYOUTS = {1: "mono", 2: "stereo"}


def fluttering(rate, channels, seconds=2.3, seed=0):
    """A tone whose loudness flutters, under bursts of noise: frames of every size, and bits held over between them."""
    t = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(seed).standard_normal(len(t)) * (np.sin(4 * np.pi * t) > 0.6)
    x = 0.3 * np.sin(880 * np.pi * t) * (1 + 0.5 * np.sin(6 * np.pi * t)) + 0.1 * noise
    return np.stack([x.clip(-0.9, 0.9) * (1 - 0.3 * k) for k in range(channels)], 1)


def loud_then_silent(rate):
    """At a varying bit rate its first frame is the largest: the size of the file says little of its length."""
    loud = np.random.default_rng(0).standard_normal((rate, 1)) * 0.2
    return np.concatenate([loud.clip(-1, 1), np.zeros((8 * rate, 1))])


def encode(path, codec, x, rate, demuxer=None, container=None, **options):
    """A file by PyAV alone."""
    import av

    layout = LAYOUTS[x.shape[1]]
    with av.open(str(path), "w", format=demuxer, options=container or {}) as out:
        stream = out.add_stream(codec, rate=rate, layout=layout, options=options)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(x.T, dtype=np.float32), "fltp", layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        for part in av.AudioResampler(stream.codec_context.format, layout, rate).resample(frame):
            out.mux(stream.encode(part))
        out.mux(stream.encode())


def by_ffmpeg(path):
    """All samples of a file of floats in one decode, `(1, channel, samples)`."""
    import av

    with av.open(str(path)) as container:
        frames = [frame.to_ndarray() for frame in container.decode(container.streams.audio[0])]
    return torch.from_numpy(np.concatenate(frames, 1))[None]


def at_once(path):
    """All samples of a file in one read by libsndfile, `(1, channel, samples)`."""
    samples, _ = soundfile.read(path, dtype="float32", always_2d=True)
    return torch.from_numpy(samples.T)[None]


def check_pieces(path, whole, monkeypatch):
    """Every way to read a file gives the samples of `whole`."""
    rate = open_audio(path).rate
    joined = {
        seconds: torch.cat([clip.data for clip in windows(path, seconds)], -1) for seconds in (0.0417, 0.5, 100.0)
    }
    resampled = torch.cat([clip.data for clip in windows(path, 0.3, rate=16000)], -1)
    monkeypatch.setattr(audio, "BLOCK_VALUES", 20011)  # what read_audio asks of a decoder at a time
    found = read_audio(path)
    model = Sampling(11025)
    assert open_audio(path).samples == whole.shape[-1]
    for data in (found.data, *joined.values()):
        torch.testing.assert_close(data, whole, rtol=0, atol=ROUNDING)
    torch.testing.assert_close(resampled, resample(whole, rate, 16000), rtol=0, atol=2 * ROUNDING)
    torch.testing.assert_close(model(open_audio(path)), model(Clip(whole, rate)), rtol=0, atol=2 * ROUNDING)


COMPRESSED = [
    ("MP3", "MPEG_LAYER_III", 44100, 2),
    ("MP3", "MPEG_LAYER_III", 22050, 1),
    ("MP3", "MPEG_LAYER_III", 8000, 1),
    ("OGG", "VORBIS", 44100, 2),
    ("OGG", "OPUS", 48000, 1),
    ("OGG", "OPUS", 16000, 2),
    ("FLAC", "PCM_16", 44100, 2),
    ("CAF", "ALAC_16", 44100, 2),
    ("WAV", "IMA_ADPCM", 22050, 2),
    ("WAV", "MS_ADPCM", 22050, 1),
    ("WAV", "GSM610", 8000, 1),
    ("WAV", "G721_32", 8000, 1),
    ("WAV", "NMS_ADPCM_32", 8000, 1),
    ("AU", "G723_24", 8000, 1),
    ("SDS", "PCM_16", 22050, 1),
]


@pytest.mark.parametrize(("container", "subtype", "rate", "channels"), COMPRESSED)
def test_pieces_are_those_of_one_decode(tmp_path, monkeypatch, container, subtype, rate, channels):
    path = tmp_path / "a.bin"
    soundfile.write(path, fluttering(rate, channels), rate, subtype, format=container)
    check_pieces(path, at_once(path), monkeypatch)


@pytest.mark.needs("av")
@pytest.mark.parametrize("rate", [44100, 22050])
def test_ffmpeg_decodes_the_same_of_an_mp3(tmp_path, rate):
    """Delay and padding are cut off by both, as the file's LAME header states them: as many samples as were written."""
    path, x = tmp_path / "a.mp3", fluttering(rate, 2)
    write_audio(path, Clip(torch.from_numpy(x.T).float()[None], rate))
    torch.testing.assert_close(read_audio(path).data, by_ffmpeg(path), rtol=0, atol=TWO_DECODERS)
    assert open_audio(path).samples == len(x)


@pytest.mark.needs("av")
@pytest.mark.parametrize(("name", "codec"), [("a.m4a", "aac"), ("a.aac", "aac"), ("a.mka", "aac"), ("a.ac3", "ac3")])
@pytest.mark.parametrize(("rate", "channels"), [(44100, 2), (32000, 1)])
def test_what_libsndfile_lacks_is_decoded_by_ffmpeg(tmp_path, monkeypatch, name, codec, rate, channels):
    path, x = tmp_path / name, fluttering(rate, channels)
    encode(path, codec, x, rate)
    whole = by_ffmpeg(path)
    check_pieces(path, whole, monkeypatch)
    delay = {"a.aac": 1024, "a.ac3": 256}.get(name, 0)  # samples that come before the first; these two do not state it
    assert len(x) <= whole.shape[-1] < len(x) + delay + 1536  # followed by the rest of the last frame
    given, heard = x[: -delay or None].T, whole[0, :, delay : len(x)].numpy()
    shifts = [np.corrcoef(np.roll(given, k, -1).ravel(), heard.ravel())[0, 1] for k in range(-3, 4)]
    assert np.argmax(shifts) == 3


@pytest.mark.needs("av")
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("name", "codec", "bits"), [("a.m4a", "alac", 15), ("a.mka", "pcm_s16le", 15), ("a.mka", "pcm_u8", 7)]
)
def test_whole_numbers_from_ffmpeg_are_divided_by_their_range(tmp_path, name, codec, bits, channels):
    """In a plane for each channel, and interleaved."""
    values = np.random.default_rng(0).integers(-(2**bits), 2**bits, (9000, channels)) / 2**bits
    encode(tmp_path / name, codec, values, 44100)
    assert torch.equal(read_audio(tmp_path / name).data[0], torch.from_numpy(values.T).float())


FOREIGN = [  # demuxer, encoder, and samples that come before the first: no header states them
    ("mpegts", "mp2", 481),
    ("mpegts", "ac3", 256),
    ("avi", "mp2", 481),
    ("avi", "pcm_s16le", 0),
    ("flv", "aac", 1024),
    ("flv", "pcm_u8", 0),
    ("mpeg", "mp2", 481),
    ("mov", "pcm_s24be", 0),
    ("3gp", "aac", 0),
    ("webm", "libopus", 0),
    ("eac3", "eac3", 256),
    ("wv", "wavpack", 0),
    ("tta", "tta", 0),
    ("rm", "ac3", 256),
    ("wav", "mp2", 481),
    ("wav", "ac3", 256),
    ("ogg", "flac", 0),
]


@pytest.mark.needs("av")
@pytest.mark.parametrize(("demuxer", "codec", "delay"), FOREIGN)
def test_sound_in_any_container_is_read_by_its_content(tmp_path, monkeypatch, demuxer, codec, delay):
    """Under a name that says nothing; the tone that was written lies behind the encoder's delay."""
    rate = {"libopus": 48000, "flac": 44100}.get(codec, 48000 if "ac3" in codec else 44100)
    path, x = tmp_path / "sound.bin", fluttering(rate, 1, 1.3)
    encode(path, codec, x, rate, demuxer)
    whole = by_ffmpeg_scaled(path)
    check_pieces(path, whole, monkeypatch)
    heard = whole[0, 0, delay : delay + 40_000].numpy()
    shifts = [np.corrcoef(np.roll(x[:40_000, 0], k), heard)[0, 1] for k in range(-3, 4)]
    assert np.argmax(shifts) == 3
    assert shifts[3] > 0.9


@pytest.mark.needs("av")
def test_the_length_of_an_mp3_in_a_wav_is_counted(tmp_path, monkeypatch):
    """From the number of bytes libsndfile guesses more samples than there are."""
    path = tmp_path / "a.wav"
    encode(path, "libmp3lame", fluttering(44100, 1, 1.3), 44100, "wav")
    data = read_audio(path).data
    torch.testing.assert_close(data, by_ffmpeg(path), rtol=0, atol=TWO_DECODERS)
    check_pieces(path, data, monkeypatch)


HZ = (300, 420, 540, 60, 660, 780, 900, 1020)  # a tone for each channel; the fourth of 5.1 is for low frequencies alone


def tones(channels):
    """A second at 48 kHz."""
    return 0.4 * np.sin(2 * np.pi * np.array(HZ[:channels]) * np.arange(48000)[:, None] / 48000)


def pitches(data):
    """The loudest frequency of each channel of `(1, channel, samples)` at 48 kHz, to the nearest 6 Hz."""
    spectrum = torch.fft.rfft(data[0, :, 20_000:28_000].double() * torch.hann_window(8000, dtype=torch.float64))
    return tuple((spectrum.abs().argmax(-1) * 6).tolist())


def remuxed(path, to):
    """The same packets in a Matroska file."""
    import av

    with av.open(str(path)) as source, av.open(str(to), "w", format="matroska") as out:
        track = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = track
                out.mux(packet)


@pytest.mark.needs("av")
@pytest.mark.parametrize(
    ("suffix", "channels"), [*((".ogg", n) for n in range(3, 9)), *((".opus", n) for n in (3, 6, 8))]
)
def test_channels_come_in_one_order_from_ogg_and_from_matroska(tmp_path, suffix, channels):
    """That of WAVE: what was written comes back in place, and the same packets in another container do too.

    PyAV would read a ninth plane where a sound has eight channels, and the process would end.
    """
    path, data = tmp_path / f"a{suffix}", torch.from_numpy(tones(channels).T).float()[None]
    write_audio(path, data, 48000)
    remuxed(path, tmp_path / "a.mka")
    assert pitches(read_audio(path).data) == HZ[:channels]
    assert pitches(read_audio(tmp_path / "a.mka").data) == HZ[:channels]
    assert torch.equal(torch.cat([clip.data for clip in windows(path, 0.3)], -1), read_audio(path).data)


@pytest.mark.needs("av")
@pytest.mark.parametrize("channels", [3, 4, 5, 6, 7, 8])
def test_channels_of_alac_in_a_caf_come_in_the_order_of_wave(tmp_path, channels):
    """By libsndfile they come in the order of the codec, whose first is the centre."""
    path = tmp_path / "a.caf"
    soundfile.write(path, tones(channels), 48000, "ALAC_16", format="CAF")
    remuxed(path, tmp_path / "a.mka")
    data, same = read_audio(path).data, read_audio(tmp_path / "a.mka").data
    assert same.shape[-1] > 40_000  # the last packet may be left out
    assert torch.equal(data[..., : same.shape[-1]], same)
    assert sorted(pitches(data)) == sorted(HZ[:channels])
    assert torch.equal(torch.cat([clip.data for clip in windows(path, 0.3)], -1), data)


def test_opus_channels_without_places_stay_as_they_are():
    """Mapping family 255 of an Opus header, which libsndfile writes for nine channels and more."""
    head = bytes(28) + b"OpusHead\1\x06\x38\1\x80\xbb\0\0\0\0"
    assert channel_order.order_of("OGG", "OPUS", 6, head + b"\xff") is None
    assert channel_order.order_of("OGG", "OPUS", 6, head + b"\1") == channel_order.VORBIS[6]


def by_ffmpeg_scaled(path):
    """All samples of one channel in one decode, where full scale is 1."""
    import av

    with av.open(str(path)) as container:
        parts = [frame.to_ndarray().reshape(-1) for frame in container.decode(container.streams.audio[0])]
    values = np.concatenate(parts)
    if values.dtype == np.uint8:
        values = (values.astype(np.float64) - 128) / 128
    elif values.dtype.kind == "i":
        values = values / -float(np.iinfo(values.dtype).min)
    return torch.from_numpy(values).float()[None, None]


@pytest.mark.needs("av")
@pytest.mark.parametrize(
    ("demuxer", "codec", "name"),
    [
        ("mpegts", "mp2", "MPEG transport stream"),
        ("avi", "mp2", "AVI"),
        ("flv", "aac", "Flash Video"),
        ("mpeg", "mp2", "MPEG program stream"),
        ("webm", "libopus", "Matroska or WebM"),
        ("ac3", "ac3", "AC-3"),
        ("wv", "wavpack", "WavPack"),
        ("wav", "mp2", "WAV with a codec that libsndfile lacks"),
        ("asf", "ac3", "Windows Media"),
    ],
)
def test_without_pyav_the_format_and_the_extra_are_named(tmp_path, monkeypatch, demuxer, codec, name):
    path = tmp_path / "sound.bin"
    encode(path, codec, fluttering(48000, 1, 0.5), 48000, demuxer)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImportError, match=rf"sound\.bin is {name}.*pip install 'wavelens\[audio\]'"):
        read_audio(path)


@pytest.mark.parametrize("there", [True, False])
def test_what_is_no_sound_is_not_called_damaged(tmp_path, monkeypatch, there):
    """A playlist too, of which FFmpeg would open the parts."""
    if not there:
        monkeypatch.setitem(sys.modules, "av", None)
    soundfile.write(tmp_path / "part.wav", fluttering(44100, 1, 0.4), 44100)
    playlists = ["#EXTM3U\n#EXTINF:9,\npart.wav\n", "ffconcat version 1.0\nfile part.wav\n"]
    texts = ["hello\n" * 100, *playlists, "v=0\nt=0 0\n"]
    for text in texts:
        (tmp_path / "a.ts").write_text(text)
        with pytest.raises(ValueError, match=r"a\.ts, whose content neither recognises") as refused:
            read_audio(tmp_path / "a.ts")
        assert "damaged" not in str(refused.value)


@pytest.mark.needs("av")
@pytest.mark.parametrize(("demuxer", "codec"), [("avi", "pcm_s16le"), ("mov", "pcm_s16le")])
def test_a_container_that_lacks_its_end_or_its_header_is_damaged(tmp_path, demuxer, codec):
    encode(tmp_path / "a", codec, fluttering(44100, 1, 1.0), 44100, demuxer)
    content = (tmp_path / "a").read_bytes()
    (tmp_path / "cut").write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(ValueError, match=r"cut could not be decoded: .* The file is damaged"):
        read_audio(tmp_path / "cut")


def test_a_damaged_header_is_not_given_to_another_decoder(tmp_path):
    """FFmpeg would read 40,000 samples of this one."""
    soundfile.write(tmp_path / "a.caf", fluttering(44100, 1, 0.4), 44100, "PCM_16")
    content = bytearray((tmp_path / "a.caf").read_bytes())
    content[51] = 1  # bits per channel
    (tmp_path / "a.caf").write_bytes(content)
    with pytest.raises((ValueError, ImportError), match=r"a\.caf .* damaged"):
        read_audio(tmp_path / "a.caf")


@pytest.mark.needs("av")
def test_the_content_of_a_file_decides_and_not_its_name(tmp_path):
    encode(tmp_path / "a.m4a", "aac", fluttering(16000, 1, 0.5), 16000)
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.m4a").read_bytes())
    assert torch.equal(read_audio(tmp_path / "a.wav").data, read_audio(tmp_path / "a.m4a").data)


@pytest.mark.needs("av")
def test_an_mp3_that_does_not_state_its_length_is_read_to_its_end(tmp_path, monkeypatch):
    """By the first frame alone its end is estimated far too early at a varying bit rate."""
    bare = {"write_xing": "0", "id3v2_version": "0"}
    encode(tmp_path / "varying.mp3", "libmp3lame", loud_then_silent(44100), 44100, "mp3", bare, flags="+qscale")
    encode(tmp_path / "constant.mp3", "libmp3lame", fluttering(44100, 1), 44100, "mp3", {"write_xing": "0"})
    for name in ("varying.mp3", "constant.mp3"):
        whole = by_ffmpeg(tmp_path / name)
        data = read_audio(tmp_path / name).data
        torch.testing.assert_close(data, whole, rtol=0, atol=TWO_DECODERS)
        check_pieces(tmp_path / name, data, monkeypatch)
    assert at_once(tmp_path / "varying.mp3").shape[-1] < by_ffmpeg(tmp_path / "varying.mp3").shape[-1]
    monkeypatch.setitem(sys.modules, "av", None)
    assert open_audio(tmp_path / "constant.mp3").samples == data.shape[-1]
    with pytest.raises(ImportError, match=r"av is needed here and cannot be imported .*wavelens\[audio\]"):
        read_audio(tmp_path / "varying.mp3")


@pytest.mark.needs("av")
def test_mp3s_that_were_joined_are_read_to_their_end(tmp_path, monkeypatch):
    """The header of the first one states its own length alone."""
    for name, seed in (("a.mp3", 0), ("b.mp3", 1)):
        write_audio(tmp_path / name, torch.from_numpy(fluttering(44100, 1, seed=seed).T).float()[None], 44100)
    path, parts = tmp_path / "both.mp3", [tmp_path / "a.mp3", tmp_path / "b.mp3"]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    check_pieces(path, by_ffmpeg(path), monkeypatch)
    assert read_audio(path).samples >= sum(read_audio(part).samples for part in parts)


def test_titles_around_an_mp3_are_no_samples(tmp_path):
    path = tmp_path / "a.mp3"
    write_audio(path, torch.from_numpy(fluttering(44100, 1).T).float()[None], 44100)
    expected = read_audio(path).data
    title = b"ID3\x04\0\0\0\0\x10\x00" + bytes(2048)  # 16 × 128 bytes
    path.write_bytes(title + path.read_bytes() + b"TAG" + bytes(125))
    assert torch.equal(read_audio(path).data, expected)
    assert lengths.states_mp3_length(path)


JUNK = np.random.default_rng(0).integers(0, 256, 100_000).astype(np.uint8).tobytes()
TITLES = b"ID3\x04\0\0\0\0\x10\x00" + bytes(2048)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (bytes(3000), b""),
        (JUNK[:5000], b""),
        (bytes(65_000), b""),
        (TITLES + JUNK[:30_000], b""),
        (b"", bytes(100_000)),
        (b"", JUNK),
        (JUNK[:2500], b"APETAGEX" + JUNK),
    ],
)
def test_junk_around_an_mp3_is_no_sound(tmp_path, monkeypatch, before, after):
    """Delay and padding are cut off as without it: the header that states them is in the first frame."""
    path = tmp_path / "a.mp3"
    write_audio(path, torch.from_numpy(fluttering(44100, 1).T).float()[None], 44100)
    whole = at_once(path)
    path.write_bytes(before + path.read_bytes() + after)
    monkeypatch.setitem(sys.modules, "av", None)
    check_pieces(path, whole, monkeypatch)


@pytest.mark.needs("av")
@pytest.mark.parametrize("kind", ["constant", "varying", "joined"])
def test_junk_around_an_mp3_that_does_not_state_its_length_is_no_sound(tmp_path, monkeypatch, kind):
    path, bare = tmp_path / "a.mp3", {"write_xing": "0", "id3v2_version": "0"}
    if kind == "constant":
        encode(path, "libmp3lame", fluttering(44100, 1), 44100, "mp3", bare)
    elif kind == "varying":
        encode(path, "libmp3lame", loud_then_silent(44100), 44100, "mp3", bare, flags="+qscale")
    else:
        write_audio(path, torch.from_numpy(fluttering(44100, 1).T).float()[None], 44100)
        path.write_bytes(path.read_bytes() * 2)
    whole, content = by_ffmpeg(path), path.read_bytes()
    for before, after in ((bytes(5000), b""), (b"", bytes(100_000)), (JUNK[:5000], JUNK)):
        path.write_bytes(before + content + after)
        torch.testing.assert_close(read_audio(path).data, whole, rtol=0, atol=TWO_DECODERS)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_a_chain_of_ogg_streams_is_refused_and_not_cut_off(tmp_path, subtype):
    path = tmp_path / "a.ogg"
    soundfile.write(path, fluttering(48000, 1), 48000, subtype, format="OGG")
    assert not lengths.is_ogg_chain(path)
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(ValueError, match=r"a\.ogg is a chain of several streams"):
        read_audio(path)


def test_a_flac_stream_of_unknown_length_is_read_to_its_end(tmp_path, monkeypatch):
    path = tmp_path / "a.flac"
    soundfile.write(path, fluttering(22050, 2), 22050)
    expected = at_once(path)
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # the total of samples in the header, 36 bits
    content[22:26] = bytes(4)
    path.write_bytes(content)
    check_pieces(path, expected, monkeypatch)


def test_without_pyav_an_m4a_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x1cftypM4A " + bytes(200))
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImportError, match=r"av is needed here .*pip install 'wavelens\[audio\]'"):
        open_audio(tmp_path / "a.m4a")


@pytest.mark.needs("av")
def test_what_ffmpeg_cannot_decode_says_so(tmp_path):
    encode(tmp_path / "a.m4a", "aac", fluttering(16000, 1, 0.5), 16000)
    content = (tmp_path / "a.m4a").read_bytes()
    (tmp_path / "cut.m4a").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"cut\.m4a could not be decoded: .* damaged; get a fresh copy"):
        read_audio(tmp_path / "cut.m4a")
    silent_film(tmp_path / "film.mp4")
    with pytest.raises(ValueError, match=r"film\.mp4 has no track of sound"):
        read_audio(tmp_path / "film.mp4")


def silent_film(path):
    from wavelens.frontends.video import write_video

    write_video(path, torch.zeros(1, 3, 3, 16, 16), 10)


def test_a_pipe_in_the_place_of_a_sound_says_so(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    with pytest.raises(ValueError, match=r"a sound must be a regular file; got the named pipe .*a\.wav"):
        open_audio(tmp_path / "a.wav")


def test_a_rate_beyond_all_converters_says_so(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(100), 8000)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    content[24:28] = (2**31 - 1).to_bytes(4, "little")
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(ValueError, match=r"up to 1000000 samples per second; .*a\.wav has 2147483647"):
        read_audio(tmp_path / "a.wav")


def test_many_channels_of_silence_cost_a_model_for_one_nothing(tmp_path):
    """Twenty seconds of 64 channels, 41 MB as floats: they are mixed as they are read."""
    path = tmp_path / "a.wav"
    with soundfile.SoundFile(path, "w", 8000, 64, "PCM_16") as file:
        for _ in range(20):
            file.write(np.zeros((8000, 64), np.int16))
    x = Sampling(8000)(open_audio(path))
    assert x.shape == (1, 1, 160_000)
    assert held(lambda: Sampling(8000)(open_audio(path)), Path(tmp_path)) < 6e6


def test_a_sound_beyond_the_stated_size_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.flac", np.zeros((8000, 8)), 8000)
    monkeypatch.setattr(decoders, "MAX_VALUES", 50_000)
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *_, **__: pytest.fail("decoded"))
    for read in (read_audio, lambda path: Sampling(8000)(open_audio(path))):
        with pytest.raises(ValueError, match=r"at most 50000 values, samples × channels; .*a\.flac has 8000 × 8 or"):
            read(tmp_path / "a.flac")
