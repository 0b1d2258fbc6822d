"""Sounds from files and back, windows, resampling: exact where it can be, one clear error where it cannot."""

import math

import numpy as np
import pytest
import soundfile
import torch

from cases import relative
from wavelens.frontends.audio import Clip, Resample, open_audio, read_audio, resample, windows, write_audio
from wavelens.frontends.decoders import BLOCK_VALUES


def sound(samples, channels=1, seed=0):
    source = torch.Generator().manual_seed(seed)
    return torch.rand(1, channels, samples, generator=source) * 1.8 - 0.9


def tone(seconds, rate, hz=440.0):
    return 0.5 * torch.sin(2 * math.pi * hz * torch.arange(round(seconds * rate)) / rate)[None, None]


@pytest.mark.parametrize(("subtype", "step"), [("PCM_16", 2**15), ("PCM_24", 2**23), ("PCM_U8", 2**7)])
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_whole_numbers_are_divided_by_their_range(tmp_path, subtype, step, channels):
    values = np.random.default_rng(0).integers(-step, step, (100, channels))
    values[0], values[1] = -step, step - 1
    soundfile.write(tmp_path / "a.wav", values / step, 22050, subtype)
    clip = read_audio(tmp_path / "a.wav")
    assert (clip.rate, clip.channels, clip.samples, clip.seconds) == (22050, channels, 100, 100 / 22050)
    assert torch.equal(clip.data[0], torch.from_numpy(values.T / step).float())


@pytest.mark.parametrize("channels", [1, 2])
def test_a_wav_is_read_back_bit_by_bit_beyond_full_scale_too(tmp_path, channels):
    clip = Clip(sound(1001, channels) * 3, 44100)
    write_audio(tmp_path / "a.wav", clip)
    found = read_audio(tmp_path / "a.wav")
    assert torch.equal(found.data, clip.data)
    assert found.rate == 44100
    write_audio(tmp_path / "b.wav", clip.data, 16000)
    assert read_audio(tmp_path / "b.wav").rate == 16000


@pytest.mark.parametrize(
    ("suffix", "allowed"), [(".flac", 2**-23), (".ogg", 0.05), (".mp3", 0.05), (".opus", 0.05), (".aiff", 2**-14)]
)
def test_every_format_gives_back_the_tone(tmp_path, suffix, allowed):
    clip = Clip(tone(0.5, 48000), 48000)
    write_audio(tmp_path / f"a{suffix}", clip)
    found = read_audio(tmp_path / f"a{suffix}")
    assert found.rate == 48000
    middle = slice(6000, 18000)  # codecs pad the ends
    assert found.data.shape == clip.data.shape
    assert (found.data - clip.data)[..., middle].abs().max() < allowed


def test_nothing_is_cut_off_silently(tmp_path):
    with pytest.raises(ValueError, match=r"\.flac ends at full scale, 1; got a peak of 1\.5"):
        write_audio(tmp_path / "a.flac", torch.full((1, 1, 10), 1.5), 8000)
    with pytest.raises(ValueError, match="a clip must be finite"):
        write_audio(tmp_path / "a.wav", torch.tensor([[[1.0, math.nan]]]), 8000)
    with pytest.raises(ValueError, match="a tensor must be written with its rate in Hz"):
        write_audio(tmp_path / "a.wav", torch.zeros(1, 1, 10))
    with pytest.raises(ValueError, match=r"a sound must be written as .*\.wav; got 'a\.jpg'"):
        write_audio(tmp_path / "a.jpg", torch.zeros(1, 1, 10), 8000)
    with pytest.raises(ValueError, match=r"a\.mp3 could not be written"):
        write_audio(tmp_path / "a.mp3", torch.zeros(1, 1, 10), 12345)
    assert [p.name for p in tmp_path.iterdir() if p.stat().st_size] == []


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_what_is_no_intact_sound_says_so(tmp_path, suffix):
    empty, text, header = (tmp_path / f"{name}{suffix}" for name in ("empty", "text", "header"))
    empty.touch()
    text.write_text("hello " * 100)
    write_audio(header, tone(1.0, 16000), 16000)
    header.write_bytes(bytes(64) + header.read_bytes()[64:300])
    with pytest.raises(FileNotFoundError, match=r"no such sound: .*none"):
        read_audio(tmp_path / f"none{suffix}")
    with pytest.raises(ValueError, match="a sound must be a file; got the folder"):
        read_audio(tmp_path)
    with pytest.raises(ValueError, match=r"empty\.\w+ is empty, so it is not a sound"):
        read_audio(empty)
    for path in (text, header):
        with pytest.raises(ValueError, match=f"{path.name}.*(damaged|has a header and none|ends|neither recognises)"):
            read_audio(path)


@pytest.mark.parametrize("suffix", [".wav", ".aiff", ".flac"])
def test_a_truncated_file_says_so(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_audio(path, Clip(sound(16000), 16000))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for reading in (read_audio, lambda path: list(windows(path, 0.1))):
        with pytest.raises(ValueError, match="damaged; get a fresh copy"):
            reading(path)


@pytest.mark.parametrize("length", [0x7FFFFFFF, 0xFFFFFFFF])
def test_a_stream_whose_header_does_not_know_its_length_is_whole(tmp_path, length):
    path, clip = tmp_path / "a.wav", Clip(sound(16000), 16000)
    write_audio(path, clip)
    whole = path.read_bytes()
    at = whole.index(b"data") + 4
    path.write_bytes(whole[:at] + length.to_bytes(4, "little") + whole[at + 4 :])
    assert torch.equal(read_audio(path).data, clip.data)


def test_a_header_without_samples_and_numbers_out_of_range_say_so(tmp_path):
    soundfile.write(tmp_path / "none.wav", np.zeros((0, 1)), 8000)
    with pytest.raises(ValueError, match=r"none\.wav has a header and none"):
        read_audio(tmp_path / "none.wav")
    for value, said in (
        (math.nan, r"must be finite; .*wild\.wav has NaN or infinity\. Replace"),
        (math.inf, r"must be finite; .*wild\.wav has NaN or infinity\. Replace"),
        (20000.0, r"full scale of a sound is 1; .*wild\.wav reaches 20000\. Divide by its range"),
    ):
        soundfile.write(tmp_path / "wild.wav", np.array([0, value]), 8000, "FLOAT")
        with pytest.raises(ValueError, match=said):
            read_audio(tmp_path / "wild.wav")


def test_one_sample_is_a_sound(tmp_path):
    write_audio(tmp_path / "a.wav", torch.tensor([[[0.25]]]), 8000)
    assert read_audio(tmp_path / "a.wav").data.tolist() == [[[0.25]]]


def test_what_a_file_of_floats_cannot_hold_is_not_written(tmp_path):
    for wild in (1e39, math.inf, math.nan):
        with pytest.raises(ValueError, match="nothing was written"):
            write_audio(tmp_path / "a.wav", torch.tensor([[[0.5, -wild]]], dtype=torch.float64), 8000)
    assert not (tmp_path / "a.wav").exists()


def test_a_clip_is_one_sound_with_a_rate():
    for data, rate in [(torch.zeros(2, 1, 5), 8000), (torch.zeros(1, 1, 5), 0), (torch.zeros(1, 1, 5), 8000.5)]:
        with pytest.raises(ValueError, match="a clip must be one sound"):
            Clip(data, rate)


def test_an_array_is_told_to_become_a_tensor():
    with pytest.raises(TypeError, match=r"a waveform must be a tensor .*; got ndarray\. Try torch\.as_tensor"):
        Clip(np.zeros((1, 1, 5), dtype=np.float32), 8000)


RATES = [(44100, 16000), (44100, 20000), (16000, 44100), (22050, 44100), (48000, 44100), (3001, 2000), (8000, 8000)]


@pytest.mark.needs("scipy")
@pytest.mark.parametrize(("rate", "to"), RATES)
@pytest.mark.parametrize("samples", [1, 7, 3000])
def test_resampling_is_scipys(rate, to, samples):
    from scipy.signal import resample_poly

    x = torch.randn(2, 2, samples, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    shared = math.gcd(rate, to)
    expected = torch.from_numpy(resample_poly(x.numpy(), to // shared, rate // shared, axis=-1))
    assert relative(resample(x, rate, to), expected) < 1e-13
    assert relative(resample(x.float(), rate, to).double(), expected) < 3e-6


@pytest.mark.parametrize(("rate", "to"), RATES)
def test_resampling_is_linear_and_its_gradient_the_transpose(rate, to):
    source = torch.Generator().manual_seed(1)
    x = torch.randn(1, 1, 500, generator=source, dtype=torch.float64, requires_grad=True)
    y = Resample(rate, to)(x)
    w = torch.randn(y.shape, generator=source, dtype=torch.float64)
    (g,) = torch.autograd.grad((y * w).sum(), x)
    assert ((g * x).sum() - (y * w).sum()).abs() < 1e-10 * y.norm() * w.norm()


def test_a_tone_below_both_limits_comes_through_and_one_above_does_not():
    low, high = tone(0.5, 44100, 1000), tone(0.5, 44100, 15000)
    middle = slice(800, -800)
    assert (resample(low, 44100, 16000) - tone(0.5, 16000, 1000))[..., middle].abs().max() < 2e-3
    assert resample(high, 44100, 16000)[..., middle].abs().max() < 2e-3


def test_rates_are_whole_and_positive():
    for rate, to in [(0, 8000), (8000, -1), (8000.5, 8000)]:
        with pytest.raises(ValueError, match="rates must be whole numbers of Hz above 0"):
            resample(torch.zeros(1, 1, 5), rate, to)


@pytest.mark.parametrize("to", [None, 16000, 44100, 22050, 20000])
@pytest.mark.parametrize(("samples", "seconds"), [(22050, 0.1), (22051, 0.33), (5, 1.0), (1, 0.1), (9000, 1 / 3)])
def test_windows_join_to_the_whole_clip(tmp_path, to, samples, seconds):
    write_audio(tmp_path / "a.wav", sound(samples, 2), 22050)
    whole = read_audio(tmp_path / "a.wav")
    expected = whole.data if to is None else resample(whole.data, 22050, to)
    found = list(windows(tmp_path / "a.wav", seconds, rate=to))
    assert {clip.rate for clip in found} == {to or 22050}
    assert {clip.samples for clip in found[:-1]} <= {round(seconds * (to or 22050))}
    torch.testing.assert_close(torch.cat([clip.data for clip in found], -1), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("suffix", [".flac", ".ogg", ".mp3"])
def test_windows_of_any_format_join_to_the_whole_clip(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_audio(path, sound(40000), 44100)
    joined = torch.cat([clip.data for clip in windows(path, 0.25)], -1)
    torch.testing.assert_close(joined, read_audio(path).data, rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match="a window must hold a sample or more; got seconds=0"):
        next(windows(path, 0))


@pytest.mark.parametrize(("suffix", "allowed"), [(".wav", 0), (".flac", 2**-23)])
def test_a_sound_longer_than_a_block_is_written_and_read_whole(tmp_path, suffix, allowed):
    clip = Clip(sound(2 * BLOCK_VALUES + 7, 2).clamp(-1, 1), 22050)
    write_audio(tmp_path / f"a{suffix}", clip)
    found, file = read_audio(tmp_path / f"a{suffix}"), open_audio(tmp_path / f"a{suffix}")
    assert (found.data - clip.data).abs().max() <= allowed
    assert (file.rate, file.channels, file.samples, file.seconds) == (22050, 2, clip.samples, clip.seconds)
    assert torch.equal(file.data, found.data)
    assert file.grid == clip.grid


def test_ten_minutes_are_read_window_by_window(tmp_path):
    """600 s, of which no more than a window and its margin is asked from the decoder at a time."""
    silence = np.zeros(22050 * 600, dtype=np.int16)
    silence[22050 * 599] = 2**14
    soundfile.write(tmp_path / "long.wav", silence, 22050)
    asked = []

    def counted(self, frames=-1, *args, read=soundfile.SoundFile.read, **kwargs):
        asked.append(frames)
        return read(self, frames, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(soundfile.SoundFile, "read", counted)
        peaks = [clip.data.abs().max().item() for clip in windows(tmp_path / "long.wav", 10.0, rate=16000)]
    assert len(peaks) == 60
    assert max(asked) <= 10 * 22050 + 2000
    assert peaks[-1] > 0.3
    assert max(peaks[:-1]) == 0


def test_a_rate_whose_filter_would_fill_memory_is_said(tmp_path):
    path = tmp_path / "fast.wav"
    soundfile.write(path, np.zeros(100), 999_983)
    with pytest.raises(ValueError, match=r"after 262,144 samples at most.* from 999983 to 16000 Hz it takes 999,983"):
        next(windows(path, 0.02, rate=16000))
    with pytest.raises(ValueError, match="Check the rate that the file states"):
        Resample(1_073_789_823, 16000)
    Resample(22_255, 16000)
