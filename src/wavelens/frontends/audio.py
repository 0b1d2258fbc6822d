"""Sounds as signals: files to `Clip`s and back, windows of long files, resampling that a gradient passes through."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from os import PathLike
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor, nn

from wavelens.frontends.channel_order import VORBIS, inverse
from wavelens.frontends.decoders import BLOCK_VALUES, Decoder, check_size, opened
from wavelens.frontends.mel import check_waveform
from wavelens.grid import Grid
from wavelens.whole_numbers import is_whole

WRITABLE = (".aif", ".aiff", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav")
SUFFIXES = (*WRITABLE, ".au", ".caf", ".w64", ".aac", ".ac3", ".m4a", ".m4b", ".mka", ".wma", ".wv")
SUBTYPES = {".wav": "FLOAT", ".flac": "PCM_24"}  # others: what the format is known for
REACH = 10  # zero crossings of the resampling filter at each side
MAX_PHASES = 2**18  # filters of a resampling; 44,056 to 16,000 Hz needs 5,507
MAX_PLAYED_SECONDS = 60  # of a clip in a notebook
LOUDEST = 16.0  # 24 dB over full scale: no decoder overshoots so far


@dataclass(frozen=True, eq=False)
class Clip:
    """A sound: `data` `(1, channel, samples)`, where full scale is 1, and its `rate` in Hz.

    >>> wl.frontends.Clip(torch.zeros(1, 1, 8000), rate=8000).rate
    8000
    """

    data: Tensor
    rate: int

    def __post_init__(self) -> None:
        check_waveform(self.data)
        if len(self.data) != 1 or not (is_whole(self.rate, 1)):
            raise ValueError(
                "a clip must be one sound (1, channel, samples) with a whole rate above 0; got "
                f"{tuple(self.data.shape)} at rate={self.rate!r}."
            )

    @property
    def channels(self) -> int:
        return self.data.shape[1]

    @property
    def samples(self) -> int:
        return self.data.shape[2]

    @property
    def grid(self) -> Grid:
        return Grid.sound(self.rate)

    @property
    def seconds(self) -> float:
        return self.samples / self.rate

    def _repr_html_(self) -> str:
        """A player in a notebook, of the first minute; a clip that exceeds full scale is scaled down to it."""
        samples = self.data[0, :, : MAX_PLAYED_SECONDS * self.rate].detach().float().cpu()
        peak = max(1.0, float(loudest(samples)))
        file = io.BytesIO()
        soundfile.write(file, (samples / peak).T.numpy(), self.rate, format="WAV", subtype="PCM_16")
        source = base64.b64encode(file.getvalue()).decode()
        return f'<audio controls src="data:audio/wav;base64,{source}"></audio>'


@dataclass(frozen=True, eq=False)
class AudioFile:
    """A sound on a disk, which `windows(file, …)` reads: its `rate` in Hz, its channels and its samples."""

    path: Path
    rate: int
    channels: int
    samples: int

    @property
    def data(self) -> Tensor:
        """All of it, `(1, channel, samples)`, read anew each time."""
        return read_audio(self.path).data

    @property
    def grid(self) -> Grid:
        return Grid.sound(self.rate)

    @property
    def seconds(self) -> float:
        return self.samples / self.rate


def open_audio(path: str | PathLike[str]) -> AudioFile:
    """The sound at `path`, of which nothing is kept yet; errors as `read_audio`.

    What FFmpeg decodes, and an mp3 whose header has no length, is decoded once to count its samples.

    >>> wl.frontends.write_audio("tone.wav", torch.sin(torch.arange(800.0) / 5)[None, None], rate=8000)
    >>> wl.frontends.open_audio("tone.wav").samples
    800
    """
    path = Path(path)
    with opened(path) as sound:
        return AudioFile(path, sound.rate, sound.channels, sound.count(path))


def read_audio(path: str | PathLike[str]) -> Clip:
    """The sound at `path`, whole, at its own rate, in float32.

    libsndfile decodes wav, flac, ogg, opus, mp3 and more, FFmpeg the rest (m4a, aac, mka, wma, ac3, amr, the sound of
    mp4, mov, webm, avi, flv, mpegts; PyAV, in the extra `audio`). The content of a file decides, not its name; of
    several tracks the first is read. Full scale is 1: integers are divided by their range; what float files and lossy
    decoders give beyond ±1 stays. The channels of every format come in the order of WAVE (5.1: front left, front right,
    centre, low frequencies, back left, back right), as FFmpeg gives them. Delay and padding of an encoder are cut off
    where the file states them: those of mp3 with a LAME header, ogg and opus; m4a loses its delay and keeps the padding
    of its last frame, a bare aac, avi, flv and mpegts keep both. A file that was cut short is noticed where its header
    states its length, or it ends inside a sample; damage that FFmpeg conceals is not.

    A path without a file is a `FileNotFoundError`; a folder, anything that is no intact sound with at least one finite
    sample, and more than 2³¹ values (8 GiB in memory) a `ValueError`; a missing PyAV an `ImportError`.

    >>> wl.frontends.write_audio("tone.wav", torch.sin(torch.arange(800.0) / 5)[None, None], rate=8000)
    >>> clip = wl.frontends.read_audio("tone.wav")
    >>> clip.data.shape, clip.rate
    (torch.Size([1, 1, 800]), 8000)
    """
    file = open_audio(path)
    check_size(file.path, file.samples, file.channels)
    with opened(file.path) as sound:
        return Clip(_decoded(sound, file.path, file.samples, _unmixed), sound.rate)


def windows(
    path: str | PathLike[str] | AudioFile,
    seconds: float,
    *,
    rate: int | None = None,
    mix: Callable[[Tensor], Tensor] | None = None,
) -> Iterator[Clip]:
    """The sound at `path` in consecutive windows of `seconds`, the last one shorter; resampled to `rate` where given.

    They are read one after another, so memory does not grow with the file. Joined they are `read_audio(path)`,
    resampled: a file is decoded once, from its beginning, and each window is resampled with what lies around it. `mix`,
    a linear map of `(1, channel, samples)` that treats every sample alike, changes the channels of what is read before
    it is resampled. Errors as `read_audio`; the size of a file that states its length is not limited.

    >>> wl.frontends.write_audio("tone.wav", torch.sin(torch.arange(800.0) / 5)[None, None], rate=8000)
    >>> [clip.data.shape[-1] for clip in wl.frontends.windows("tone.wav", seconds=0.05)]
    [400, 400]
    """
    source = path if isinstance(path, AudioFile) else open_audio(path)
    own, mix = source.rate, mix or _unmixed
    rate = own if rate is None else rate
    up, down = _ratio(own, rate)
    total, length = -(-source.samples * up // down), round(seconds * rate)
    if length < 1:
        raise ValueError(f"a window must hold a sample or more; got seconds={seconds} at {rate} Hz.")
    with opened(source.path) as sound:
        piece, first = _decoded(sound, source.path, 0, mix), 0  # what is read and still needed, and where that begins
        for start in range(0, total, length):
            stop, before = min(start + length, total), first
            first = max(start // up * down - _margin(up, down), 0) // down * down  # where the phases begin anew
            last = min(-(-stop * down // up) + _margin(up, down), source.samples)
            fresh = _decoded(sound, source.path, last - before - piece.shape[-1], mix)
            piece = torch.cat([piece, fresh], -1)[..., first - before :]
            offset = start - first // down * up
            yield Clip(resample(piece, own, rate)[..., offset : offset + stop - start], rate)


def _unmixed(x: Tensor) -> Tensor:
    return x


def write_audio(
    path: str | PathLike[str], clip: Clip | Tensor, rate: int | None = None, *, software: str | None = None
) -> None:
    """Writes a `Clip`, or a tensor `(1, channel, samples)` with its `rate`, in the format that `path`'s suffix names.

    A wav holds 32-bit floats, so it is read back bit by bit; flac has 24 bits, the others are lossy. Where a format
    ends at full scale, a louder clip is a `ValueError`: nothing is cut off silently. Three channels and more are in the
    order of WAVE, as `read_audio` gives them. `software` is noted in the file, where `software_of` finds it.

    >>> tone = torch.sin(torch.arange(800.0) / 5)[None, None]
    >>> wl.frontends.write_audio("tone.wav", tone, rate=8000)
    >>> wl.frontends.read_audio("tone.wav").data.shape
    torch.Size([1, 1, 800])
    """
    if isinstance(clip, Tensor) and rate is None:
        raise ValueError("a tensor must be written with its rate in Hz; got none. Give rate, or a Clip.")
    clip = clip if isinstance(clip, Clip) else Clip(clip, int(rate or 0))
    suffix, data = Path(path).suffix.lower(), clip.data.detach()[0]
    if suffix not in WRITABLE:
        raise ValueError(f"a sound must be written as {', '.join(WRITABLE)}; got {Path(path).name!r}.")
    peak = float(loudest(data).float())  # infinite beyond float32
    if not math.isfinite(peak):
        raise ValueError("a clip must be finite; got NaN or infinity, and nothing was written.")
    if suffix != ".wav" and peak > 1:
        raise ValueError(f"{suffix} ends at full scale, 1; got a peak of {peak:.3g}. Write a .wav, or divide by it.")
    kind = "OGG" if suffix in (".oga", ".opus") else suffix[1:].upper().replace("AIF", "AIFF").replace("FFF", "FF")
    subtype = "OPUS" if suffix == ".opus" else SUBTYPES.get(suffix)
    try:
        with soundfile.SoundFile(path, "w", clip.rate, clip.channels, subtype, format=kind) as file:
            if software is not None:
                file.software = software
            order = VORBIS.get(clip.channels) if kind == "OGG" else None
            places = slice(None) if order is None else list(inverse(order))
            for block in data.split(BLOCK_VALUES, -1):
                file.write(block[places].T.float().cpu().numpy())
    except (soundfile.LibsndfileError, ValueError) as error:  # rates that a codec has not
        raise ValueError(f"{path} could not be written: {error}") from error


def software_of(path: str | PathLike[str]) -> str:
    """What wrote a sound file, by its own note; empty where it has none, or is no sound."""
    try:
        with soundfile.SoundFile(path) as file:
            return str(file.software)
    except (soundfile.LibsndfileError, OSError):
        return ""


def _decoded(sound: Decoder, path: Path, count: int, mix: Callable[[Tensor], Tensor]) -> Tensor:
    """The next `count` samples, mixed block by block: `(1, channel, count)`."""
    channels = mix(torch.zeros(1, sound.channels, 1)).shape[1]
    data, length = torch.empty(1, channels, count), max(1, BLOCK_VALUES // sound.channels)
    for start in range(0, count, length):
        block = sound.read(min(length, count - start))
        if len(block) < min(length, count - start):
            raise ValueError(
                f"{path} could not be decoded: it ends at least {count - start - len(block)} samples early. The file "
                "is damaged; get a fresh copy."
            )
        samples = torch.from_numpy(block).T[None]
        _check_range(samples, path)
        data[..., start : start + len(block)] = mix(samples)
    return data


def _check_range(samples: Tensor, path: Path) -> None:
    peak = float(loudest(samples))
    if not math.isfinite(peak):
        raise ValueError(
            f"a sound's samples must be finite; {path} has NaN or infinity. Replace them, by 0 say, and write it again."
        )
    if peak > LOUDEST:
        raise ValueError(
            f"full scale of a sound is 1; {path} reaches {peak:g}. Divide by its range and write it again."
        )


def loudest(x: Tensor) -> Tensor:
    """The largest size, NaN where there is one; no copy of a long sound is made."""
    low, high = x.aminmax()
    return torch.maximum(-low, high)


class Resample(nn.Module):
    """`resample` as a module: before a model it lets the gradient reach samples at another rate.

    >>> wl.frontends.Resample(8000, 16000)(torch.ones(1, 1, 80)).shape
    torch.Size([1, 1, 160])
    """

    def __init__(self, rate: int, to: int) -> None:
        super().__init__()
        _ratio(rate, to)
        self.rate, self.to_rate = rate, to

    def forward(self, x: Tensor) -> Tensor:
        return resample(x, self.rate, self.to_rate)

    def extra_repr(self) -> str:
        return f"{self.rate}, {self.to_rate}"


def resample(x: Tensor, rate: int, to: int) -> Tensor:
    """A waveform `(batch, channel, samples)` at `rate` Hz, brought to `to` Hz: ⌈samples · to / rate⌉ samples.

    Linear in `x`: polyphase filtering by a sinc under a Kaiser window (β = 5, ten zero crossings a side), silence
    beyond the ends; the numbers of `scipy.signal.resample_poly`.

    >>> wl.frontends.resample(torch.ones(1, 1, 80), rate=8000, to=16000).shape
    torch.Size([1, 1, 160])
    """
    check_waveform(x)
    up, down = _ratio(rate, to)
    if up == down:
        return x
    working = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    with torch.autocast(x.device.type, enabled=False):
        return _polyphase(working, up, down).to(x.dtype)


def _polyphase(x: Tensor, up: int, down: int) -> Tensor:
    """Sample `m = up q + p` of the result is `Σ_k h[m down − k up] x[k]`: for each phase a filter that moves by `down`.

    Phases whose filters start within one filter's length of another share a convolution with a channel for each.
    """
    n = x.shape[-1]
    count = -(-n * up // down)
    blocks = -(-count // up)
    filters = [(start, weight.to(x)) for start, weight in _filters(up, down)]
    before = -filters[0][0]
    after = max((blocks - 1) * down + start + weight.shape[-1] for start, weight in filters) - n
    padded = nn.functional.pad(x.flatten(0, 1)[:, None], (before, max(after, 0)))
    parts = [
        nn.functional.conv1d(padded[..., before + start :], weight[:, None], stride=down)[..., :blocks]
        for start, weight in filters
    ]
    joined: Tensor = torch.cat(parts, 1).transpose(1, 2).flatten(1)[:, :count].unflatten(0, x.shape[:2])
    return joined


@lru_cache(maxsize=32)
def _filters(up: int, down: int) -> list[tuple[int, Tensor]]:
    """For runs of phases: where their filters start, in samples before the block's first, and `(phases, width)`."""
    widest = max(up, down)
    half = REACH * widest
    positions = np.arange(-half, half + 1)
    h = np.sinc(positions / widest) * np.kaiser(2 * half + 1, 5.0)
    h *= up / h.sum()
    first = -((half - np.arange(up) * down) // up)  # ⌈(p down − half) / up⌉, the earliest sample that phase p hears
    taps = 2 * half // up + 1
    filters, p = [], 0
    while p < up:
        run = np.arange(p, int(np.searchsorted(first, first[p] + taps)))
        k = first[p] + np.arange(first[run[-1]] - first[p] + taps)
        lag = run[:, None] * down - k * up
        weight = np.where(np.abs(lag) <= half, h[np.clip(lag, -half, half) + half], 0)
        filters.append((int(first[p]), torch.from_numpy(weight)))
        p = int(run[-1]) + 1
    return filters


def _margin(up: int, down: int) -> int:
    """Samples at each side of a piece that a result's sample may hear, and the block that it begins in."""
    return REACH * max(up, down) // up + 1 + down


def _ratio(rate: int, to: int) -> tuple[int, int]:
    if not (is_whole(rate, 1) and is_whole(to, 1)):
        raise ValueError(f"rates must be whole numbers of Hz above 0; got {rate!r} and {to!r}.")
    shared = math.gcd(rate, to)
    if max(rate, to) // shared > MAX_PHASES:
        raise ValueError(
            f"both rates meet again after {MAX_PHASES:,} samples at most, each of which has a filter of its own; from "
            f"{rate} to {to} Hz it takes {max(rate, to) // shared:,}. Check the rate that the file states."
        )
    return to // shared, rate // shared
